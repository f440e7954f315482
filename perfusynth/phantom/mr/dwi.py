"""The diffusion images: b0, the b1000 trace image, and the ADC map that a scanner computes from both."""

import numpy as np

from perfusynth.phantom.grid import Grid
from perfusynth.phantom.lattice import stream
from perfusynth.phantom.mr.adc import lesion_diffusion_factors, tissue_adc
from perfusynth.phantom.mr.flair import lesion_log_change
from perfusynth.phantom.mr.images import (
    SCANNER_UNITS,
    Outside,
    coil_sensitivity,
    noise_free_image,
    rician,
)
from perfusynth.phantom.mr.tissue import RELAXATION, mixed
from perfusynth.phantom.patient import Patient
from perfusynth.phantom.scene import Scene

#: Diffusion weighting of the trace image, s/mm2.
B_VALUE = 1000.0
#: The b0 image is one acquisition, the trace image the mean of three directions: SD of its noise relative to that.
B0_NOISE = 3**0.5
#: Signals outside the brain at `OUTSIDE_HU`: fat is suppressed, the eye bright at b0 and dark at b1000 [d].
OUTSIDE_B0 = Outside((0.0, 0.0, 0.03, 0.03, 0.06, 0.07, 0.02, 0.02, 0.004), eye=0.6)
OUTSIDE_B1000 = Outside((0.0, 0.0, 0.025, 0.025, 0.035, 0.025, 0.01, 0.015, 0.003), eye=0.03)
#: A voxel gets an ADC where b0 exceeds this multiple of its noise and this share of white matter's, which leaves the
#: scalp out as scanners do [d]; and where the ADC map ends, 1e-6 mm2/s.
ADC_MIN_SNR, ADC_MIN_SIGNAL, ADC_MAX = 6.0, 0.5, 4000.0


def tissue_signals(patient: Patient, b: float) -> dict[str, float]:
    """Spin-echo signal of each healthy compartment at ``b`` (s/mm2), relative to unit proton density."""
    adc = tissue_adc(patient.mr)
    return {
        name: float(tissue.density * np.exp(-patient.mr.dwi_te_ms / tissue.t2_ms - b * 1e-6 * adc[name]))
        for name, tissue in RELAXATION.items()
    }


def noise_free_diffusion(scene: Scene, grid: Grid, b: float) -> np.ndarray:
    """Diffusion-weighted image without coil shading and noise, scanner units, float32.

    The infarct's T2 follows from its FLAIR ratio R: its b0 signal rises by R^(TE / TE of FLAIR), which shines through.
    """
    traits = scene.patient.mr
    signals = tissue_signals(scene.patient, b)
    shine = np.exp(np.float32(traits.dwi_te_ms / traits.flair_te_ms) * lesion_log_change(scene))
    factors = {name: shine * factor for name, factor in lesion_diffusion_factors(scene, b).items()}
    brain = mixed(scene, signals, factors)
    outside = OUTSIDE_B1000 if b else OUTSIDE_B0
    return SCANNER_UNITS * noise_free_image(scene, grid, brain, signals["fluid"], outside)


def noise_sd(patient: Patient) -> float:
    """SD of the trace image's noise in one part of the complex signal, scanner units."""
    return SCANNER_UNITS * tissue_signals(patient, B_VALUE)["white"] / patient.mr.dwi_snr


def _measured(scene: Scene, grid: Grid, b: float, noise_seed: int) -> np.ndarray:
    sd = noise_sd(scene.patient) * (1 if b else B0_NOISE)
    signal = noise_free_diffusion(scene, grid, b) * coil_sensitivity(scene, grid, "dwi")
    return rician(signal, sd, stream(noise_seed, f"dwi noise b{b:.0f}"))


def render_dwi(scene: Scene, grid: Grid, noise_seed: int) -> np.ndarray:
    """The b1000 trace image on ``grid`` (in the head's frame), float32, arbitrary scanner units."""
    return _measured(scene, grid, B_VALUE, noise_seed)


def render_adc(scene: Scene, grid: Grid, noise_seed: int | None = None) -> np.ndarray:
    """ADC in 1e-6 mm2/s on ``grid``, float32, 0 where b0 shows no tissue.

    With a ``noise_seed`` it follows from the same noisy images as `render_dwi` gives; without, from noise-free ones.
    """
    least = max(
        ADC_MIN_SNR * B0_NOISE * noise_sd(scene.patient),
        ADC_MIN_SIGNAL * SCANNER_UNITS * tissue_signals(scene.patient, 0.0)["white"],
    )
    if noise_seed is None:
        b0, trace = (noise_free_diffusion(scene, grid, b) for b in (0.0, B_VALUE))
    else:
        b0, trace = (_measured(scene, grid, b, noise_seed) for b in (0.0, B_VALUE))
    adc = np.log(np.maximum(b0, 1e-3) / np.maximum(trace, 1e-3)) * np.float32(1e6 / B_VALUE)
    return np.where(b0 > least, np.clip(adc, 0, ADC_MAX), 0).astype(np.float32)
