"""How well two images agree, live: normalised mutual information on a sample of points (Studholme et al. 1999)."""

from __future__ import annotations

import numpy as np
from PerfuSynthLib.grid_volume import GridVolume

from .blocks import block_means
from .look_settings import ImageKind

#: Points that are compared at most: few enough for a drag. [d]
POINTS = 40_000
#: Bins of the joint histogram along each image, and size of the blocks that voxels are averaged to, mm, as in the
#: server's figure of the same name. [d]
BINS, BLOCK_MM = 48, 2.0


class LiveNmi:
    """NMI of one pair of images under changing transforms.

    Parameters
    ----------
    fixed, moving
        The images.
    kinds
        What they are: which values are told apart, and above which the fixed image's head lies.
    """

    def __init__(
        self,
        fixed: GridVolume,
        moving: GridVolume,
        kinds: tuple[ImageKind, ImageKind],
    ):
        of_fixed, of_moving = kinds
        fixed = block_means(fixed, BLOCK_MM, of_fixed.compared)
        moving = block_means(moving, BLOCK_MM, of_moving.compared)
        inside = fixed.array > max(of_fixed.head_above, of_fixed.compared[0])
        places = np.flatnonzero(inside.ravel(order="F"))
        rng = np.random.default_rng(0)  # the same points every time: the figure moves with the transform alone
        if len(places) > POINTS:
            places = np.sort(rng.choice(places, POINTS, replace=False))
        index = np.stack(np.unravel_index(places, inside.shape, order="F"), axis=1).astype(float)
        self._points = index @ fixed.affine[:3, :3].T + fixed.affine[:3, 3]
        self._fixed = _bins(fixed.array.ravel(order="F")[places], of_fixed.compared)
        self._moving = moving.array
        self._to_index = np.linalg.inv(np.asarray(moving.affine, float))
        self._range = of_moving.compared

    def under(self, fixed_to_moving: np.ndarray) -> float:
        """(H(fixed) + H(moving)) / H(both) under a transform (4x4, RAS, mm): 1 unrelated, 2 the same.

        Points that fall outside the moving image do not count; without any it is 1.
        """
        matrix = self._to_index @ fixed_to_moving
        index = self._points @ matrix[:3, :3].T + matrix[:3, 3]
        values, inside = _linear(self._moving, index)
        if not inside.any():
            return 1.0
        joint = np.bincount(self._fixed[inside] * BINS + _bins(values, self._range), minlength=BINS * BINS)
        share = joint.reshape(BINS, BINS) / joint.sum()
        both = _entropy(share)
        return float((_entropy(share.sum(axis=0)) + _entropy(share.sum(axis=1))) / both) if both > 0 else 1.0


def _bins(values: np.ndarray, limits: tuple[float, float]) -> np.ndarray:
    low, high = limits
    return ((np.clip(values, low, high) - low) * ((BINS - 1e-3) / (high - low))).astype(np.intp)


def _entropy(share: np.ndarray) -> float:
    filled = share[share > 0]
    return float(-(filled * np.log(filled)).sum())


def _linear(array: np.ndarray, index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Values between voxels at places (n, 3) in voxels, of those inside the array; and which are inside."""
    last = np.array(array.shape) - 1
    inside = ((index >= 0) & (index <= last)).all(axis=1)
    index = index[inside]
    low = np.minimum(index.astype(np.intp), np.maximum(last - 1, 0))
    part = (index - low).astype(np.float32)
    step = np.where(last > 0, np.cumprod([1, *array.shape[:2]]), 0)
    start = low @ np.cumprod([1, *array.shape[:2]])
    flat = array.ravel(order="F")
    values = np.zeros(len(index), np.float32)
    for corner in range(8):
        bits = np.array([corner & 1, corner >> 1 & 1, corner >> 2 & 1])
        weight = np.prod(np.where(bits, part, 1 - part), axis=1)
        values += weight * flat[start + bits @ step]
    return values, inside
