"""How far vessels, and with them the borders of territories, lie from the template's in one patient."""

from functools import lru_cache

import numpy as np
from scipy import ndimage

from perfusynth.phantom.head.atlas import atlas
from perfusynth.phantom.lattice import BRAIN, BRAIN_COARSE, smooth_field, stream
from perfusynth.phantom.patient import Patient

#: Smoothness of the displacement, mm [d].
SIGMA_MM = 13.0
#: SD of the displacement at the circle of Willis, its growth with the distance from there, and at most, mm [d].
BASE_MM, GROWTH, MAX_MM = 0.8, 0.06, 4.0
CIRCLE_OF_WILLIS = (0.0, 0.0, -17.0)
#: What a millimetre counts for below the circle of Willis, where bone and brainstem guide the vessels [d].
BELOW_SHARE = 0.25
#: Distance from the midline within which the falx holds vessels back sideways, mm; what is left there.
FALX_MM, FALX_SHARE = 25.0, 0.2
#: How deep the axis of a vessel on the brain's surface lies, mm; how far a wide sinus bulges outwards, mm [d].
SURFACE_DEPTH_MM, SURFACE_BULGE_MM = 1.0, 1.0
#: Steps of the projection to a depth; the slope of depth is held above this, so that no step leaps.
PROJECTION_STEPS, GRADIENT_MIN = 3, 0.5


@lru_cache(maxsize=2)
def _fields(seed: int) -> np.ndarray:
    rng = stream(seed, "wandering")
    return np.stack([smooth_field(rng, BRAIN_COARSE, SIGMA_MM) for _ in range(3)])


def amplitude_mm(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """SD of the displacement sideways, and of those along the other two axes, mm; MNI coordinates broadcast."""
    cx, cy, cz = CIRCLE_OF_WILLIS
    height = np.where(z < cz, BELOW_SHARE * (z - cz), z - cz)
    distance = np.sqrt((x - cx) ** 2 + (y - cy) ** 2 + height**2)
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


def depth_at(points: np.ndarray) -> np.ndarray:
    """Depth of MNI points ``(n, 3)`` below the brain's surface, mm (negative: inside), ``(n,)``."""
    return ndimage.map_coordinates(atlas().depth, BRAIN.index(points.T), order=1, mode="nearest")


def to_depth(points: np.ndarray, share: np.ndarray, depth_mm: np.ndarray) -> np.ndarray:
    """Move MNI points ``(n, 3)`` to depths ``(n,)`` below the brain's surface, by ``share`` 0-1 ``(n,)`` of the way."""
    moving = np.flatnonzero(share)
    if not len(moving):
        return points
    target = points[moving].astype(np.float32)
    for _ in range(PROJECTION_STEPS):
        index = BRAIN.index(target.T)
        gradient = np.stack([ndimage.map_coordinates(g, index, order=1, mode="nearest") for g in _depth_gradient()])
        excess = depth_at(target) - depth_mm[moving]
        target = target - (gradient * (excess / np.maximum((gradient**2).sum(axis=0), GRADIENT_MIN**2))).T
    result = points.copy()
    result[moving] += share[moving, None] * (target - points[moving])
    return result
