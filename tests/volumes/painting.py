"""Painting into head CTs at anatomical places, with partial volume and noise: what the head check is provoked with."""

import itertools
from functools import cached_property, lru_cache

import numpy as np

from perfusynth.volumes.builtin_brain import BuiltinBrain
from perfusynth.volumes.midplane import find_midplane
from perfusynth.volumes.volume import Volume


@lru_cache(maxsize=2)
def positions(volume: Volume) -> np.ndarray:
    """RAS mm of every voxel, ``(3, x, y, z)``."""
    index = np.indices(volume.shape).reshape(3, -1)
    return (volume.affine[:3, :3] @ index + volume.affine[:3, 3:]).reshape(3, *volume.shape)


def painted(volume: Volume, distance: np.ndarray, hu: float, noise: float = 3.0) -> Volume:
    """Paint ``hu`` where the signed distance (mm) is negative, with partial volume over 1 mm at its edge."""
    weight = np.clip(0.5 - distance, 0, 1)
    here = weight > 0
    paint = hu + np.random.default_rng(1).normal(0, noise, np.count_nonzero(here))
    array = volume.array.copy()
    array[here] += weight[here] * (paint - array[here])
    return volume.with_array(array)


def ball(volume: Volume, centre: np.ndarray, ml: float) -> np.ndarray:
    """Signed distance to a ball of ``ml``."""
    radius = (3 * ml * 1000 / (4 * np.pi)) ** (1 / 3)
    return np.linalg.norm(positions(volume) - np.reshape(centre, (3, 1, 1, 1)), axis=0) - radius


def tube(volume: Volume, points: list[np.ndarray], diameter: float) -> np.ndarray:
    """Signed distance to a chain of round tubes."""
    x = np.moveaxis(positions(volume), 0, -1)
    best = np.full(volume.shape, np.inf)
    for a, b in itertools.pairwise(points):
        along = np.clip(((x - a) @ (b - a)) / np.sum((b - a) ** 2), 0, 1)
        best = np.minimum(best, np.linalg.norm(x - a - along[..., None] * (b - a), axis=-1))
    return best - diameter / 2


class Subject:
    """A head that passes, its brain, and a frame: ``at(right, front, up)`` in mm from the brain's centre to RAS mm."""

    def __init__(self, ncct: Volume):
        self.ncct = ncct
        self.brain = BuiltinBrain().extract(ncct)
        self.centre = positions(ncct)[:, self.brain.mask].mean(axis=1)
        right = find_midplane(ncct, self.brain).normal
        front = np.cross([0, 0, 1.0], right)
        front /= np.linalg.norm(front)
        self.frame = np.stack([right, front, np.cross(right, front)], axis=1)

    def at(self, right: float, front: float, up: float) -> np.ndarray:
        return self.centre + self.frame @ np.array([right, front, up])

    @cached_property
    def own(self) -> np.ndarray:
        """Each voxel's (right, front, up) in mm from the brain's centre."""
        return np.tensordot(self.frame.T, positions(self.ncct) - self.centre[:, None, None, None], axes=1)
