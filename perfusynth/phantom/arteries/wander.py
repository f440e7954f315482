"""How far vessels, and with them the borders of territories, lie from the template's in one patient."""

from functools import lru_cache

import numpy as np
from scipy import ndimage

from perfusynth.phantom.head.atlas import atlas
from perfusynth.phantom.lattice import BRAIN, BRAIN_COARSE, sample, smooth_field, stream
from perfusynth.phantom.patient import Patient

#: Smoothness of the displacement, mm [d].
SIGMA_MM = 13.0
#: SD of the displacement at the circle of Willis, its growth with the distance from there, and at most, mm [d].
BASE_MM, GROWTH, MAX_MM = 0.8, 0.06, 4.0
CIRCLE_OF_WILLIS = (0.0, 0.0, -17.0)
#: Distance from the midline within which the falx holds vessels back sideways, mm; what is left there.
FALX_MM, FALX_SHARE = 25.0, 0.2
#: Depth of the vessels that lie on the brain's surface, mm (negative: inside).
SURFACE_DEPTH_MM = -1.0
#: Steps of the projection onto the surface.
PROJECTION_STEPS = 3


@lru_cache(maxsize=2)
def _fields(seed: int) -> np.ndarray:
    rng = stream(seed, "wandering")
    return np.stack([smooth_field(rng, BRAIN_COARSE, SIGMA_MM) for _ in range(3)])


def amplitude_mm(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """SD of the displacement sideways, and of those along the other two axes, mm; MNI coordinates broadcast."""
    cx, cy, cz = CIRCLE_OF_WILLIS
    distance = np.sqrt((x - cx) ** 2 + (y - cy) ** 2 + (z - cz) ** 2)
    amplitude = np.minimum(BASE_MM + GROWTH * distance, MAX_MM)
    return amplitude * np.clip(np.abs(x) / FALX_MM, FALX_SHARE, 1), amplitude


def displacement(patient: Patient, points: np.ndarray) -> np.ndarray:
    """Where the patient's vessels lie relative to the nominal ones at MNI points ``(n, 3)``; mm, same shape."""
    index = BRAIN_COARSE.index(points.T)
    field = [ndimage.map_coordinates(f, index, order=1, mode="nearest") for f in _fields(patient.seed)]
    sideways, other = amplitude_mm(*points.T)
    return patient.arteries.course_mm * np.stack([sideways * field[0], other * field[1], other * field[2]], axis=1)


def displacement_on_lattice(patient: Patient) -> np.ndarray:
    """The same displacement on `BRAIN_COARSE`, float32 ``(3, *shape)``."""
    sideways, other = _amplitudes()
    return np.float32(patient.arteries.course_mm) * _fields(patient.seed) * np.stack([sideways, other, other])


@lru_cache(maxsize=1)
def _amplitudes() -> tuple[np.ndarray, np.ndarray]:
    return amplitude_mm(*BRAIN_COARSE.axes())


@lru_cache(maxsize=1)
def _depth_gradient() -> tuple[np.ndarray, ...]:
    return tuple(g.astype(np.float32) for g in np.gradient(atlas().depth, BRAIN.step_mm))


def onto_surface(points: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Move MNI points ``(n, 3)`` onto the brain's surface by ``share`` 0-1 ``(n,)`` of the way."""
    moving = np.flatnonzero(share)
    if not len(moving):
        return points
    target = points[moving].T.astype(np.float32)
    low, high = (np.array([axis.ravel()[end] for axis in BRAIN.axes()])[:, None] for end in (0, -1))
    for _ in range(PROJECTION_STEPS):
        target = np.clip(target, low, high)
        gradient = np.stack([sample(g, BRAIN, target) for g in _depth_gradient()])
        excess = sample(atlas().depth, BRAIN, target) - SURFACE_DEPTH_MM
        target = target - gradient * (excess / np.maximum((gradient**2).sum(axis=0), 0.25))
    result = points.copy()
    result[moving] += share[moving, None] * (target.T - points[moving])
    return result
