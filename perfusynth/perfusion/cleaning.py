"""Clean-up of a thresholded region: closing, opening, small components dropped.

The ball of closing and opening has a radius of one voxel of the grid's *finest* spacing, measured in mm. On an
isotropic grid it is the voxel and its six neighbours; on thick slices (0.45 x 0.45 x 5 mm) it is the voxel and its
four neighbours within the slice, so that a region seen on one slice only survives and no gap of 5 mm is bridged.
"""

import itertools

import numpy as np
from scipy import ndimage

#: A crop of a 3-D array.
Box = tuple[slice, slice, slice]

#: A neighbour belongs to the ball up to this multiple of its radius: voxels of 1 x 1 x 1.2 mm still count as
#: isotropic, a diagonal (1.41) does not belong to a ball of one voxel.
BALL_TOLERANCE = 1.25


def ball(spacing: np.ndarray, radius_voxels: float) -> np.ndarray:
    """Offsets ``(n, 3)`` of the voxels in a ball of ``radius_voxels`` times the finest spacing (mm), the centre first.

    Parameters
    ----------
    spacing
        Voxel size along each array axis, mm.
    radius_voxels
        0 gives the centre alone: no closing, no opening.
    """
    spacing = np.asarray(spacing, dtype=float)
    reach = radius_voxels * spacing.min() * BALL_TOLERANCE
    steps = [range(-n, n + 1) for n in np.floor(reach / spacing + 1e-9).astype(int)]
    offsets = np.array(list(itertools.product(*steps)))
    distance = np.linalg.norm(offsets * spacing, axis=1)
    order = np.argsort(distance, kind="stable")
    return offsets[order][distance[order] <= reach + 1e-9]


def clean(
    raw: np.ndarray, within: np.ndarray, spacing: np.ndarray, ball_voxels: float, minimum_voxels: float
) -> np.ndarray:
    """Close, open and drop small components.

    Closing, opening and the size limit are all monotone, so that a region cleaned at a higher threshold lies inside
    the one cleaned at a lower.

    Parameters
    ----------
    raw
        bool array, the thresholded region.
    within
        bool array; what closing adds outside it is taken away again.
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
    mask = np.pad(raw[box], [(2 * r, 2 * r) for r in reach])
    mask = _erode(_dilate(mask, offsets), offsets)
    mask &= np.pad(within[box], [(2 * r, 2 * r) for r in reach])
    mask = _dilate(_erode(mask, offsets), offsets)
    mask = mask[tuple(slice(2 * r, n - 2 * r) for r, n in zip(reach, mask.shape, strict=True))]
    result[box] = _drop_small(mask, minimum_voxels)
    return result


def bounding_box(mask: np.ndarray) -> Box:
    """Smallest box that holds every voxel of ``mask``; an empty box when there is none."""
    plane = mask.any(axis=2)
    lines = (plane.any(axis=1), plane.any(axis=0), mask.any(axis=(0, 1)))
    box = []
    for line in lines:
        index = np.flatnonzero(line)
        box.append(slice(int(index[0]), int(index[-1]) + 1) if index.size else slice(0, 0))
    return tuple(box)  # type: ignore[return-value]


def fill_box(mask: np.ndarray, box: Box, shape: tuple[int, ...]) -> np.ndarray:
    """The bool array of ``shape`` that holds ``mask`` in ``box`` and False elsewhere."""
    whole = np.zeros(shape, dtype=bool)
    whole[box] = mask
    return whole


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
    target = tuple(slice(max(0, o), n + min(0, o)) for o, n in zip(offset, shape, strict=True))
    source = tuple(slice(max(0, -o), n + min(0, -o)) for o, n in zip(offset, shape, strict=True))
    return target, source  # type: ignore[return-value]


def _drop_small(mask: np.ndarray, minimum_voxels: float) -> np.ndarray:
    if minimum_voxels <= 1 or not mask.any():
        return mask
    labels, _ = ndimage.label(mask, structure=np.ones((3, 3, 3), dtype=bool))
    keep = np.bincount(labels.ravel()) >= minimum_voxels - 1e-6
    keep[0] = False
    return keep[labels]
