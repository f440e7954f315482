"""Where a head on the model grid lies in the template, from its brain mask alone: what a rule may know of anatomy."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from perfusynth.evaluation.information_ceiling.visible import brain_voxels
from perfusynth.phantom.lattice import BRAIN_COARSE, Lattice


@dataclass(frozen=True, eq=False)
class Placed:
    """A linear map from RAS mm to MNI mm: ``mni = matrix @ ras + offset``."""

    matrix: np.ndarray
    offset: np.ndarray

    def to_template(self, points: np.ndarray) -> np.ndarray:
        """MNI mm of RAS points, both ``(3, n)``."""
        return self.matrix @ points + self.offset[:, None]


def _turned(angle: float, plane: tuple[int, int]) -> np.ndarray:
    """Rotation by ``angle`` in a plane of two axes."""
    matrix, (i, j) = np.eye(3), plane
    matrix[i, i] = matrix[j, j] = np.cos(angle)
    matrix[i, j], matrix[j, i] = -np.sin(angle), np.sin(angle)
    return matrix


def _tilt(covariance: np.ndarray, axis: int) -> float:
    """Angle between y and the long axis of the brain, seen along x or z, in the plane of ``axis`` and y."""
    return 0.5 * float(np.arctan2(2 * covariance[axis, 1], covariance[1, 1] - covariance[axis, axis]))


@lru_cache(maxsize=1)
def _template_moments() -> tuple[np.ndarray, np.ndarray]:
    grid = np.stack(np.broadcast_arrays(*BRAIN_COARSE.axes()))[:, brain_voxels().inside].astype(float)
    return grid.mean(axis=1), np.cov(grid)


def place(brain: np.ndarray, affine: np.ndarray) -> Placed:
    """Lay the template over a brain by the first two moments of its shape: position, yaw, pitch and size.

    Roll cannot be told from them: a brain is about as wide as it is high.

    Parameters
    ----------
    brain
        bool ``(x, y, slabs)``, whole.
    affine
        4x4, voxel to RAS mm.
    """
    points = affine[:3, :3] @ np.stack(np.nonzero(brain)) + affine[:3, 3:]
    centre, covariance = points.mean(axis=1), np.cov(points)
    template_centre, template_covariance = _template_moments()
    upright = _turned(_tilt(covariance, 0), (0, 1))
    covariance = upright @ covariance @ upright.T
    level = _turned(_tilt(covariance, 2) - _tilt(template_covariance, 2), (2, 1))
    turned = level @ covariance @ level.T
    size = np.sqrt(np.diag(template_covariance) / np.diag(turned))
    matrix = np.diag(size) @ level @ upright
    return Placed(matrix, template_centre - matrix @ centre)


def on_grid(values: np.ndarray, lattice: Lattice, placed: Placed, brain: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """Values of a template lattice at the voxels ``(n,)`` of a brain, the nearest ones.

    Parameters
    ----------
    values
        On ``lattice``.
    brain
        bool ``(x, y, slabs)``.
    affine
        4x4, voxel to RAS mm.
    """
    points = affine[:3, :3] @ np.stack(np.nonzero(brain)) + affine[:3, 3:]
    index = np.round(lattice.index(placed.to_template(points).astype(np.float32))).astype(int)
    return values[tuple(np.clip(index, 0, np.array(lattice.shape)[:, None] - 1))]


def of_brain_voxels(values: np.ndarray) -> np.ndarray:
    """Values ``(voxels,)`` of `information_ceiling.visible.brain_voxels` on their lattice `BRAIN_COARSE`."""
    inside = brain_voxels().inside
    whole = np.zeros(inside.shape, dtype=values.dtype)
    whole[inside] = values
    return whole
