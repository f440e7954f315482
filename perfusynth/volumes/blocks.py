"""Block means and maxima of a volume, and the way back: coarse work on a fine scan at the cost of one pass.

Whole blocks of voxels are merged (a 0.5 mm scan in blocks of 4x4x1 is worked on at 2 mm), so that nothing is
interpolated and a thin bone still shows in the blocks' maxima.
"""

from collections.abc import Callable

import numpy as np

from perfusynth.volumes.volume import Volume

Factors = tuple[int, int, int]


def block_factors(spacing: np.ndarray, target_mm: float) -> Factors:
    """Voxels to merge along each axis so that blocks measure about ``target_mm``; 1 where voxels are as large."""
    x, y, z = (max(1, round(target_mm / float(s))) for s in spacing)
    return x, y, z


def block_mean(volume: Volume, factors: Factors) -> Volume:
    """Mean of each block, on the grid of blocks (same axis order, affine in RAS mm moved to block centres)."""
    total = _merge(volume.array, factors, np.add)
    return Volume(total / np.float32(np.prod(factors)), block_affine(volume.affine, factors))


def block_max(volume: Volume, factors: Factors) -> Volume:
    """Maximum of each block, on the grid of blocks."""
    return Volume(_merge(volume.array, factors, np.maximum), block_affine(volume.affine, factors))


def block_affine(affine: np.ndarray, factors: Factors) -> np.ndarray:
    """Affine (voxel to RAS mm) of the grid of blocks."""
    to_voxel = np.diag([*map(float, factors), 1.0])
    to_voxel[:3, 3] = (np.array(factors) - 1) / 2
    return affine @ to_voxel


def interpolate_blocks(blocks: np.ndarray, factors: Factors, shape: tuple[int, int, int]) -> np.ndarray:
    """Bring values at block centres back to voxels, linear between centres, held at the edges.

    Parameters
    ----------
    blocks
        Array of the grid of blocks, shape ``ceil(shape / factors)``.
    factors
        Voxels a block along each axis.
    shape
        Voxels to fill.

    Returns
    -------
    float32 array of ``shape``.
    """
    result = np.asarray(blocks, dtype=np.float32)
    for axis in (2, 1, 0):
        result = _interpolate_axis(result, axis, factors[axis], shape[axis])
    return result


def _interpolate_axis(values: np.ndarray, axis: int, factor: int, length: int) -> np.ndarray:
    if factor == 1:
        return values
    count = values.shape[axis]
    padded = np.concatenate([values.take([0], axis), values, values.take([count - 1], axis)], axis)
    window = [slice(None)] * 3
    out = np.empty((*values.shape[:axis], count, factor, *values.shape[axis + 1 :]), dtype=np.float32)
    target: list[slice | int] = [slice(None)] * 4
    for k in range(factor):
        offset = (k - (factor - 1) / 2) / factor  # from this block's centre, in blocks
        window[axis] = slice(0, count) if offset < 0 else slice(2, count + 2)
        neighbour = padded[tuple(window)]
        target[axis + 1] = k
        out[tuple(target)] = values + np.float32(abs(offset)) * (neighbour - values)
    merged = out.reshape(*values.shape[:axis], count * factor, *values.shape[axis + 1 :])
    window[axis] = slice(0, length)
    return merged[tuple(window)]


def _merge(array: np.ndarray, factors: Factors, combine: Callable[..., np.ndarray]) -> np.ndarray:
    for axis, factor in enumerate(factors):
        if factor == 1:
            continue
        missing = -array.shape[axis] % factor
        if missing:  # the last block is filled up with its last voxel
            array = np.concatenate([array, array.take([-1] * missing, axis)], axis)
        count = array.shape[axis] // factor
        split = array.reshape(*array.shape[:axis], count, factor, *array.shape[axis + 1 :])
        window: list[slice | int] = [slice(None)] * 4
        window[axis + 1] = 0
        merged = split[tuple(window)].copy()
        for k in range(1, factor):
            window[axis + 1] = k
            combine(merged, split[tuple(window)], out=merged)
        array = merged
    return array
