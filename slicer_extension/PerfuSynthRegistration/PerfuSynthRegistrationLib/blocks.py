"""Voxels averaged to blocks, so that two images of different grids are compared at one fineness."""

from __future__ import annotations

import numpy as np
from PerfuSynthLib.grid_volume import GridVolume


def block_means(volume: GridVolume, size_mm: float, limits: tuple[float, float]) -> GridVolume:
    """Means of blocks of about ``size_mm``, float32; thicker voxels stay; values are clipped to ``limits`` before.

    Voxels that fill no whole block at an axis' end are left out.
    """
    shape, spacing = volume.array.shape, volume.spacing
    factors = [max(1, min(shape[axis], round(size_mm / spacing[axis]))) for axis in range(3)]
    counts = [shape[axis] // factors[axis] for axis in range(3)]
    kept = volume.array[tuple(slice(0, counts[axis] * factors[axis]) for axis in range(3))]
    array = np.clip(kept, *limits).astype(np.float32)
    for axis in range(3):
        blocks = [*array.shape[:axis], counts[axis], factors[axis], *array.shape[axis + 1 :]]
        array = array.reshape(blocks).mean(axis=axis + 1)
    scale = np.diag([*(float(factor) for factor in factors), 1.0])
    scale[:3, 3] = [(factor - 1) / 2 for factor in factors]
    return GridVolume(np.asfortranarray(array), np.asarray(volume.affine, float) @ scale)
