"""How well two images agree, live: normalised mutual information on a sample of points (Studholme et al., 1999)."""

from __future__ import annotations

import numpy as np
from PerfuSynthLib.grid_volume import GridVolume

#: Points that are compared: few enough for a drag, many enough that the figure's noise is below 0.002. [d]
POINTS = 40_000
#: Bins of the joint histogram along each image. [d]
BINS = 48
#: What CT values count, HU: air and bone beyond are one bin each. [d]
CT_RANGE: tuple[float, float] = (-200.0, 400.0)


class LiveNmi:
    """NMI of one pair of images under changing transforms.

    Parameters
    ----------
    fixed, moving
        The images, HU or any unit.
    inside
        Bool on the fixed grid: where points are taken.
    fixed_range, moving_range
        Values are clipped to these.
    """

    def __init__(
        self,
        fixed: GridVolume,
        moving: GridVolume,
        inside: np.ndarray,
        fixed_range: tuple[float, float] = CT_RANGE,
        moving_range: tuple[float, float] = CT_RANGE,
    ):
        places = np.flatnonzero(inside.ravel(order="F"))
        rng = np.random.default_rng(0)  # the same points every time: the figure moves with the transform alone
        if len(places) > POINTS:
            places = np.sort(rng.choice(places, POINTS, replace=False))
        index = np.stack(np.unravel_index(places, inside.shape, order="F"), axis=1).astype(float)
        self._points = index @ fixed.affine[:3, :3].T + fixed.affine[:3, 3]
        self._fixed = _bins(fixed.array.ravel(order="F")[places], fixed_range)
        self._moving = np.asfortranarray(moving.array)
        self._to_index = np.linalg.inv(np.asarray(moving.affine, float))
        self._range = moving_range

    def under(self, fixed_to_moving: np.ndarray) -> float:
        """(H(fixed) + H(moving)) / H(both) under a transform (4x4, RAS, mm): 1 unrelated, 2 the same; 1 without overlap.

        Points that fall outside the moving image do not count.
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
