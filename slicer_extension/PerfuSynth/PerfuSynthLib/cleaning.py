"""Clean-up of a thresholded region as the server does it: closing, opening, small components dropped.

The ball of closing and opening has a radius of one voxel of the grid's *finest* spacing, in mm: on thick slices it is
the voxel and its four neighbours within the slice, so that no gap of 5 mm is bridged.
"""

from __future__ import annotations

import itertools

import numpy as np
import SimpleITK as sitk

from .constants import BALL_TOLERANCE

#: A crop of a 3-D array.
Box = tuple[slice, slice, slice]


def ball(spacing: tuple[float, float, float], radius_voxels: float) -> np.ndarray:
    """Offsets ``(n, 3)`` of the voxels in a ball of ``radius_voxels`` times the finest spacing (mm), the centre first.

    Parameters
    ----------
    spacing
        Voxel size along each array axis, mm.
    radius_voxels
        0 gives the centre alone: no closing, no opening.
    """
    size = np.asarray(spacing, dtype=float)
    reach = radius_voxels * size.min() * BALL_TOLERANCE
    steps = [range(-n, n + 1) for n in np.floor(reach / size + 1e-9).astype(int)]
    offsets = np.array(list(itertools.product(*steps)))
    distance = np.linalg.norm(offsets * size, axis=1)
    order = np.argsort(distance, kind="stable")
    return offsets[order][distance[order] <= reach + 1e-9]


def clean(
    raw: np.ndarray,
    within: np.ndarray,
    spacing: tuple[float, float, float],
    ball_voxels: float,
    minimum_voxels: float,
) -> np.ndarray:
    """Close, open and drop small components.

    Parameters
    ----------
    raw
        Bool array (x, y, z), the thresholded region.
    within
        Bool array; what closing adds outside it is taken away again.
    spacing
        Voxel size along each array axis, mm.
    ball_voxels
        Radius of the ball, see `ball`.
    minimum_voxels
        Components (voxels that touch by face, edge or corner) with fewer voxels are dropped.
    """
    result = np.zeros_like(raw)
    if not raw.any():
        return result
    offsets = ball(spacing, ball_voxels)
    # One slice alone has no neighbours: it would be opened away as if tissue ended above and below it.
    offsets = offsets[(offsets[:, np.array(raw.shape) == 1] == 0).all(axis=1)]
    reach = np.abs(offsets).max(axis=0)
    box = bounding_box(raw)
    # Beside the region lie two balls of background, so that nothing leaves the crop while it grows and shrinks.
    margin = [(2 * r, 2 * r) for r in reach]
    mask = np.pad(raw[box], margin)
    mask = _erode(_dilate(mask, offsets), offsets)
    mask &= np.pad(within[box], margin)
    mask = _dilate(_erode(mask, offsets), offsets)
    mask = mask[tuple(slice(2 * reach[axis], mask.shape[axis] - 2 * reach[axis]) for axis in range(3))]
    result[box] = _without_small(mask, minimum_voxels)
    return result


def bounding_box(mask: np.ndarray) -> Box:
    """Smallest box that holds every voxel of ``mask``; an empty box when there is none."""
    plane = mask.any(axis=2)
    lines = (plane.any(axis=1), plane.any(axis=0), mask.any(axis=(0, 1)))
    x, y, z = (np.flatnonzero(line) for line in lines)
    return _from_first_to_last(x), _from_first_to_last(y), _from_first_to_last(z)


def fill_box(mask: np.ndarray, box: Box, shape: tuple[int, ...]) -> np.ndarray:
    """The bool array of ``shape`` that holds ``mask`` in ``box`` and False elsewhere."""
    whole = np.zeros(shape, dtype=bool)
    whole[box] = mask
    return whole


def _from_first_to_last(index: np.ndarray) -> slice:
    return slice(int(index[0]), int(index[-1]) + 1) if index.size else slice(0, 0)


def _dilate(mask: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    result = mask.copy()
    for offset in offsets[1:]:
        target, source = _shift(offset, mask.shape)
        result[target] |= mask[source]
    return result


def _erode(mask: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    result = mask.copy()
    for offset in offsets[1:]:
        target, source = _shift(offset, mask.shape)
        result[target] &= mask[source]
    return result


def _shift(offset: np.ndarray, shape: tuple[int, ...]) -> tuple[Box, Box]:
    """Slices of the target and of the source of a shift by ``offset`` voxels."""
    target = tuple(slice(max(0, int(offset[i])), shape[i] + min(0, int(offset[i]))) for i in range(3))
    source = tuple(slice(max(0, -int(offset[i])), shape[i] + min(0, -int(offset[i]))) for i in range(3))
    return target, source  # type: ignore[return-value]


def _without_small(mask: np.ndarray, minimum_voxels: float) -> np.ndarray:
    if minimum_voxels <= 1 or not mask.any():
        return mask
    image = sitk.GetImageFromArray(mask.astype(np.uint8))
    labels = sitk.GetArrayFromImage(sitk.ConnectedComponent(image, True))
    keep = np.bincount(labels.ravel()) >= minimum_voxels - 1e-6
    keep[0] = False
    return keep[labels]
