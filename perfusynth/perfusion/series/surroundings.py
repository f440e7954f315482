"""Where in a moving head a curve can be trusted: away from bone, and from slices beyond which nothing was imaged."""

import numpy as np
from scipy import ndimage

from perfusynth.volumes.cropping import bounding_box
from perfusynth.volumes.series import Series

#: HU that bone never falls below in any frame, while the densest vessel does before the contrast (blood: up to 70 HU).
BONE_HU = 100.0
#: Slices from which on the first and the last one are left out: what lies beyond them nods into them unseen.
ENDS_FROM_SLICES = 5
#: Columns around the brain, mm, in which bone is looked for.
MARGIN_MM = 15.0


def smoothed_in_time(curves: np.ndarray) -> np.ndarray:
    """Curves ``(..., frames)`` after the kernel (1, 2, 1) / 4 along the last axis, the ends held."""
    padded = np.concatenate([curves[..., :1], curves, curves[..., -1:]], axis=-1)
    return 0.25 * padded[..., :-2] + 0.5 * padded[..., 1:-1] + 0.25 * padded[..., 2:]


def extremes(series: Series, brain: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Least and largest HU over time, after a little smoothing, in the columns of the brain; float32 ``(x, y, z)``.

    Slice by slice, so that no more than one slice's frames are in memory as float32. Other columns are air.
    """
    least = np.full(series.shape, -1000, dtype=np.float32)
    largest = least.copy()
    margin = np.ceil(MARGIN_MM / series.spacing[:2]).astype(int)
    box = bounding_box(brain, (int(margin[0]), int(margin[1]), 0))[:2]
    for k in range(series.shape[2]):
        curves = smoothed_in_time(series.array[:, :, k][box].astype(np.float32))
        least[:, :, k][box] = curves.min(axis=2)
        largest[:, :, k][box] = curves.max(axis=2)
    return least, largest


def from_bone(least: np.ndarray, spacing: np.ndarray, across_mm: float) -> np.ndarray:
    """Distance in plane, mm float32 ``(x, y, z)``, to bone in the slice or in those within ``across_mm`` of it.

    ``least``: HU that each voxel never falls below.
    """
    bone = least > BONE_HU
    reach = int(np.ceil(across_mm / spacing[2]))
    distance = np.empty(bone.shape, dtype=np.float32)
    for k in range(bone.shape[2]):
        near = bone[:, :, max(0, k - reach) : k + reach + 1].any(axis=2)
        # Without any bone the transform would measure to nothing.
        distance[:, :, k] = ndimage.distance_transform_edt(~near, sampling=spacing[:2]) if near.any() else np.inf
    return distance


def without_ends(mask: np.ndarray) -> np.ndarray:
    """A mask without the first and last slice of the coverage, where there are slices enough."""
    kept = mask.copy()
    if mask.shape[2] >= ENDS_FROM_SLICES:
        kept[:, :, [0, -1]] = False
    return kept
