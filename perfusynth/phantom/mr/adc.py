"""Diffusion of healthy and infarcted tissue: apparent diffusion coefficients and their course after onset."""

import numpy as np

from perfusynth.phantom.lattice import BRAIN, smooth_field, stream
from perfusynth.phantom.mr.tissue import PARENCHYMA, lesion_voxels
from perfusynth.phantom.mr.traits import MrTraits
from perfusynth.phantom.patient import Patient
from perfusynth.phantom.scene import Scene

#: ADC of CSF, of white matter that CT shows as hypodense, and of gliosis, 1e-6 mm2/s [Hel; d; d].
ADC_FLUID, ADC_CHANGED_WHITE, ADC_GLIOSIS = 3200.0, 980.0, 1250.0
#: Mean ADC of an infarct relative to the same tissue when healthy, by hours after onset: 0.77 within 5 h [Tie], nadir
#: 0.5 [ADC] at one to two days, pseudo-normal after ten [d]; 0.03 lower than that, which healthy tissue and CSF in
#: the lesion's voxels take back (measured).
LESION_ADC_H = (0.0, 0.5, 2.0, 5.0, 12.0, 24.0, 48.0, 120.0, 240.0, 500.0)
LESION_ADC_RATIO = (1.0, 0.80, 0.75, 0.70, 0.60, 0.53, 0.48, 0.68, 1.0, 1.6)
#: ADC ratio falls by this from an infarct's mildest to its most ischaemic tissue; SD and sigma (mm) of its own smooth
#: variation [d]. Both leave the mean as it is.
DEPTH_FALL, LESION_VARIATION, LESION_SIGMA_MM = 0.14, 0.05, 7.0
#: What a lesion's ADC ratio can be while the cells are swollen.
LESION_ADC_LIMITS = (0.35, 2.0)


def tissue_adc(traits: MrTraits) -> dict[str, float]:
    """ADC of each compartment of a healthy brain, 1e-6 mm2/s."""
    return {
        "cortex": traits.adc_cortex,
        "deep_grey": traits.adc_deep_grey,
        "white": traits.adc_white,
        "changed_white": ADC_CHANGED_WHITE,
        "gliosis": ADC_GLIOSIS,
        "fluid": ADC_FLUID,
    }


def mean_lesion_ratio(patient: Patient) -> float:
    """Mean ADC of the infarct relative to healthy tissue at the time of imaging."""
    course = float(np.interp(patient.stroke.onset_to_imaging_h, LESION_ADC_H, LESION_ADC_RATIO))
    return float(np.clip(course + patient.mr.lesion_adc_shift, *LESION_ADC_LIMITS))


def lesion_depth(scene: Scene) -> np.ndarray:
    """How ischaemic each voxel of `lesion_voxels` is within its own infarct: mean 0, about -0.5 to 0.5, ``(n,)``."""
    at = lesion_voxels(scene)
    if not len(at[0]):
        return np.zeros(0, dtype=np.float32)
    weight = scene.haemodynamics.core[at]
    flow = scene.haemodynamics.rcbf[at]
    low, high = float(flow.min()), float(flow.max())
    depth = (high - flow) / np.float32(max(high - low, 1e-3))
    return depth - np.float32(np.average(depth, weights=weight))


def lesion_ratio(scene: Scene) -> np.ndarray:
    """ADC ratio at the voxels of `lesion_voxels`, float32 ``(n,)``: lowest where the flow was."""
    variation = smooth_field(stream(scene.patient.seed, "lesion adc"), BRAIN, LESION_SIGMA_MM)[lesion_voxels(scene)]
    ratio = mean_lesion_ratio(scene.patient) - DEPTH_FALL * lesion_depth(scene) + LESION_VARIATION * variation
    return np.clip(ratio, *LESION_ADC_LIMITS).astype(np.float32)


def lesion_diffusion_factors(scene: Scene, b: float) -> dict[str, np.ndarray]:
    """Factor by which the infarct's ADC changes the signal of each living compartment at ``b`` (s/mm2)."""
    fall = 1 - lesion_ratio(scene)
    adc = tissue_adc(scene.patient.mr)
    return {name: np.exp(np.float32(b * 1e-6 * adc[name]) * fall) for name in PARENCHYMA}
