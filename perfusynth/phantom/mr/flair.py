"""The FLAIR image: CSF nulled, old disease bright, and an infarct that brightens with the hours."""

import numpy as np

from perfusynth.phantom.grid import Grid
from perfusynth.phantom.lattice import BRAIN, smooth_field, stream
from perfusynth.phantom.mr.adc import lesion_depth
from perfusynth.phantom.mr.images import (
    SCANNER_UNITS,
    Outside,
    coil_sensitivity,
    noise_free_image,
    rician,
)
from perfusynth.phantom.mr.tissue import PARENCHYMA, RELAXATION, Relaxation, lesion_voxels, mixed
from perfusynth.phantom.patient import Patient
from perfusynth.phantom.scene import Scene

#: Repetition time, ms [d]; the inversion time nulls CSF.
TR_MS = 9000.0
#: Ratio of lesion and mirror side above which a reader calls FLAIR positive [d: between 1.06, the mean of negative
#: cases, and 1.18, which splits 6 h, SIR].
FLAIR_POSITIVE = 1.10
#: The ratio's excess over 1 grows with this power of time (1.18 at 6 h in the median patient [SIR]), and its limit [d].
GROWTH_POWER, RATIO_MAX = 0.55, 1.75
#: The excess is larger by this in an infarct's most ischaemic tissue than in its mildest, and its own smooth variation
#: (SD, both relative to the excess) and smoothness, mm [d].
DEPTH_RISE, VARIATION, VARIATION_SIGMA_MM = 0.5, 0.25, 6.0
#: Signals outside the brain at `OUTSIDE_HU`: fat bright, the eye's fluid nulled, bone nearly black [d].
OUTSIDE = Outside((0.0, 0.0, 0.20, 0.14, 0.10, 0.09, 0.03, 0.05, 0.008), eye=0.01)


def flair_ratio(patient: Patient) -> float:
    """Mean FLAIR signal of the infarct over that of the same healthy tissue at the time of imaging."""
    hours = patient.stroke.onset_to_imaging_h / patient.mr.flair_positive_h
    return float(min(1 + (FLAIR_POSITIVE - 1) * hours**GROWTH_POWER, RATIO_MAX))


def lesion_log_change(scene: Scene) -> np.ndarray:
    """Logarithm of the FLAIR ratio at the voxels of `lesion_voxels`, float32 ``(n,)``."""
    variation = smooth_field(stream(scene.patient.seed, "lesion flair"), BRAIN, VARIATION_SIGMA_MM)
    local = 1 + DEPTH_RISE * lesion_depth(scene) + VARIATION * variation[lesion_voxels(scene)]
    return np.log1p((flair_ratio(scene.patient) - 1) * np.clip(local, 0, None)).astype(np.float32)


def _signal(tissue: Relaxation, te_ms: float) -> float:
    """Magnitude of an inversion recovery whose inversion time nulls CSF."""
    csf = RELAXATION["fluid"].t1_ms
    ti_ms = csf * np.log(2 / (1 + np.exp(-TR_MS / csf)))
    recovered = 1 - 2 * np.exp(-ti_ms / tissue.t1_ms) + np.exp(-TR_MS / tissue.t1_ms)
    return float(tissue.density * abs(recovered) * np.exp(-te_ms / tissue.t2_ms))


def tissue_signals(te_ms: float) -> dict[str, float]:
    """Signal of each compartment at an echo time, relative to unit proton density."""
    return {name: _signal(tissue, te_ms) for name, tissue in RELAXATION.items()}


def noise_free_flair(scene: Scene, grid: Grid) -> np.ndarray:
    """FLAIR without coil shading and noise, scanner units, float32."""
    signals = tissue_signals(scene.patient.mr.flair_te_ms)
    factor = np.exp(lesion_log_change(scene))
    brain = mixed(scene, signals, dict.fromkeys(PARENCHYMA, factor))
    return SCANNER_UNITS * noise_free_image(scene, grid, brain, signals["fluid"], OUTSIDE)


def render_flair(scene: Scene, grid: Grid, noise_seed: int) -> np.ndarray:
    """FLAIR on ``grid`` (in the head's frame), float32, arbitrary scanner units."""
    traits = scene.patient.mr
    signal = noise_free_flair(scene, grid) * coil_sensitivity(scene, grid, "flair")
    sd = SCANNER_UNITS * tissue_signals(traits.flair_te_ms)["white"] / traits.flair_snr
    return rician(signal, sd, stream(noise_seed, "flair noise"))
