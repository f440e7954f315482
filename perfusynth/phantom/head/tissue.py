"""One patient's tissue fractions on the brain lattice: atrophy, hypodense white matter, lacunes."""

from dataclasses import dataclass

import numpy as np

from perfusynth.phantom.head.atlas import atlas
from perfusynth.phantom.lattice import BRAIN, smooth_field, stream
from perfusynth.phantom.patient import Patient

#: CSF prior at which a voxel of an average patient is half CSF, and the width of that step.
CSF_STEP_SULCI, CSF_STEP_VENTRICLES, CSF_STEP_WIDTH = 0.50, 0.50, 0.11
#: Shift of the step over the whole range of atrophy (0 to 1).
CSF_STEP_SHIFT_SULCI, CSF_STEP_SHIFT_VENTRICLES = 0.22, 0.36


@dataclass(frozen=True, eq=False)
class Tissue:
    """One patient's fractions on `BRAIN`, float32 0-1: ``grey + white + csf = 1``; ``ventricle`` is part of csf."""

    grey: np.ndarray
    white: np.ndarray
    csf: np.ndarray
    ventricle: np.ndarray
    hypodense_white: np.ndarray
    lacune: np.ndarray


def _step(value: np.ndarray, at: float, width: float) -> np.ndarray:
    """A smooth step that leaves 0 at 0 and 1 at 1."""
    low, high = np.tanh(-at / (2 * width)), np.tanh((1 - at) / (2 * width))
    return ((np.tanh((value - at) * np.float32(0.5 / width)) - low) / (high - low)).astype(np.float32)


def tissue_of(patient: Patient) -> Tissue:
    """Tissue fractions of one patient: atrophy widens sulci and ventricles; hypodense white matter; lacunes."""
    a = atlas()
    sulci = _step(a.csf, CSF_STEP_SULCI - CSF_STEP_SHIFT_SULCI * patient.head.atrophy, CSF_STEP_WIDTH)
    vent_at = CSF_STEP_VENTRICLES - CSF_STEP_SHIFT_VENTRICLES * patient.head.ventricle_size
    ventricles = _step(0.4 * a.csf + 0.6 * a.csf_smooth, vent_at, CSF_STEP_WIDTH * 0.7)
    csf = sulci + a.ventricle * (ventricles - sulci)
    csf = np.where(a.depth > 0, 1.0, csf).astype(np.float32)
    grey_share = a.grey / np.maximum(a.grey + a.white, 0.05)
    # The average of many brains is blurred: sharpen the border of grey and white matter.
    grey_share = _step(grey_share, 0.5, 0.13)
    grey, white = (1 - csf) * grey_share, (1 - csf) * (1 - grey_share)

    hypodense = np.zeros(BRAIN.shape, dtype=np.float32)
    if patient.head.white_matter_hypodensity > 0:
        patchy = np.clip(1 + 0.5 * smooth_field(stream(patient.seed, "white matter"), BRAIN, 8.0), 0, 2)
        hypodense = patient.head.white_matter_hypodensity * a.periventricular * patchy * white
    lacune = np.zeros(BRAIN.shape, dtype=np.float32)
    x, y, z = BRAIN.axes()
    for cx, cy, cz, radius in patient.head.lacunes:
        distance = np.sqrt((x - cx) ** 2 + (y - cy) ** 2 + (z - cz) ** 2)
        lacune = np.maximum(lacune, np.clip((radius - distance) / BRAIN.step_mm + 0.5, 0, 1))
    return Tissue(grey, white, csf, a.ventricle * csf, hypodense, lacune.astype(np.float32))
