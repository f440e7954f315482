"""Separable resampling along array axes: an area average where the target is coarser, linear where it is finer.

Scanner grids and model grids share their axes, so that one small matrix an axis does the work of a 3-D
interpolation at a fraction of its cost, and thin slices are averaged into slabs instead of being skipped.
"""

import numpy as np


def axis_weights(
    source_n: int, source_spacing: float, source_start: float, target_n: int, target_spacing: float, target_start: float
) -> np.ndarray:
    """Weights that take samples along one source axis to a target axis.

    Both axes are lines in the same direction; ``*_start`` is the position (mm) of the centre of sample 0.
    The kernel is the overlap of the target cell with source cells when the target is coarser (area average),
    else linear interpolation. Outside the source every weight is 0 (rows then sum to less than 1).

    Returns
    -------
    float32 array of shape ``(target_n, source_n)``.
    """
    target = target_start + target_spacing * np.arange(target_n)
    source = source_start + source_spacing * np.arange(source_n)
    if target_spacing > source_spacing:
        low = np.maximum((target - target_spacing / 2)[:, None], (source - source_spacing / 2)[None, :])
        high = np.minimum((target + target_spacing / 2)[:, None], (source + source_spacing / 2)[None, :])
        weights = np.clip(high - low, 0, None) / target_spacing
    else:
        distance = np.abs(target[:, None] - source[None, :]) / source_spacing
        weights = np.clip(1 - distance, 0, None)
        # Half a cell beyond the outermost centres still belongs to the image: hold the edge value there.
        edge = source_spacing * (0.5 + 1e-6)
        inside = (target >= source[0] - edge) & (target <= source[-1] + edge)
        weights[~inside] = 0
        weights[inside & (target < source[0])] = np.eye(source_n)[0]
        weights[inside & (target > source[-1])] = np.eye(source_n)[-1]
    return weights.astype(np.float32)


def apply_axis_weights(array: np.ndarray, weights: tuple[np.ndarray, np.ndarray, np.ndarray]) -> np.ndarray:
    """Apply one matrix of `axis_weights` per axis of an ``(x, y, z)`` array.

    Axes that shrink are done first, so that later steps touch fewer voxels.
    """
    result = np.asarray(array, dtype=np.float32)
    for axis in sorted(range(3), key=lambda a: weights[a].shape[0] / weights[a].shape[1]):
        result = np.moveaxis(np.tensordot(weights[axis], result, axes=(1, axis)), 0, axis)
    return np.ascontiguousarray(result)
