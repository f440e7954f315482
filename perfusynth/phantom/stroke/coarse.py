"""A patient's deficit at 4 mm, without his full-resolution tissue: for thousands of patients at a time."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from perfusynth.phantom.lattice import BRAIN_COARSE
from perfusynth.phantom.patient import Patient
from perfusynth.phantom.stroke.ischaemia import Perfusion, levels_of, perfusion_at
from perfusynth.phantom.stroke.severity import Order, coarse_brain, order_of

#: Beyond this distance outside the brain's surface nothing is computed, mm.
MARGIN_MM = 5.0
#: Swelling reaches the sulci around the tissue that swells: sigma, mm, and gain so that a large infarct's inside is
#: displaced as drawn [d].
SWELLING_SIGMA_MM, SWELLING_GAIN = 5.0, 1.4
#: Tmax above which swelling without hypodensity happens, s [d].
PENUMBRA_TMAX_S = 6.0


@dataclass(frozen=True, eq=False)
class CoarseDeficit:
    """Fields on `BRAIN_COARSE`, float32; names and units as in `Haemodynamics`, ``infarct`` as in `Scene`."""

    tmax_expected_s: np.ndarray
    infarct: np.ndarray
    water_uptake_percent: np.ndarray
    swelling: np.ndarray


def swelling_of(patient: Patient, core: np.ndarray, tmax_expected_s: np.ndarray) -> np.ndarray:
    """Share 0-1 of the CSF space displaced, from fields on `BRAIN_COARSE`."""
    if patient.stroke.swelling <= 0:
        return np.zeros_like(core)
    swollen = core
    if patient.stroke.isolated_swelling:
        swollen = np.maximum(core, tmax_expected_s > PENUMBRA_TMAX_S)
    spread = ndimage.gaussian_filter(swollen.astype(np.float32), SWELLING_SIGMA_MM / BRAIN_COARSE.step_mm)
    return np.float32(patient.stroke.swelling) * np.clip(SWELLING_GAIN * spread, 0, 1)


def scattered(values: np.ndarray, at: np.ndarray, shape: tuple[int, int, int], outside: float = 0.0) -> np.ndarray:
    """A field with ``values`` at flat indices ``at`` and ``outside`` elsewhere, float32."""
    field = np.full(shape, outside, dtype=np.float32)
    field.ravel()[at] = values
    return field


def coarse_perfusion(patient: Patient) -> tuple[np.ndarray, Perfusion, Order]:
    """Flat indices within the head, the model there, and the order of all voxels of `BRAIN_COARSE`."""
    order = order_of(patient)
    brain = coarse_brain(patient.head.anatomy)
    at = np.flatnonzero(brain.depth < MARGIN_MM)
    levels = levels_of(patient, order)
    found = perfusion_at(patient, levels, order.at(at), brain.grey.ravel()[at], brain.white.ravel()[at])
    return at, found, order


def coarse_deficit(patient: Patient) -> CoarseDeficit:
    """What `haemodynamics_of` says, at 4 mm, from the mean tissue of the patient's atlas."""
    at, found, _ = coarse_perfusion(patient)
    shape = BRAIN_COARSE.shape
    tmax = scattered(found.tmax_expected_s, at, shape, patient.circulation.tmax_normal_s)
    core = scattered(found.core, at, shape)
    water = scattered(found.water_uptake_percent, at, shape)
    brain = coarse_brain(patient.head.anatomy)
    infarct = core * np.clip(brain.grey + brain.white, 0, 1)
    return CoarseDeficit(tmax, infarct, water, swelling_of(patient, core, tmax))
