"""The part of a scan around a mask."""

import numpy as np

from perfusynth.volumes.volume import Volume


def bounding_box(mask: np.ndarray, margin: tuple[int, int, int] = (0, 0, 0)) -> tuple[slice, slice, slice]:
    """Slices around all set voxels of a mask that is not empty, with ``margin`` voxels more, within the array."""
    spans = []
    for axis in range(3):
        present = np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != axis)))
        start, stop = int(present[0]) - margin[axis], int(present[-1]) + 1 + margin[axis]
        spans.append(slice(max(0, start), min(mask.shape[axis], stop)))
    return spans[0], spans[1], spans[2]


def cropped_to(volume: Volume, mask: np.ndarray, margin_mm: float = 0.0) -> tuple[Volume, np.ndarray]:
    """The volume and the mask in the mask's bounding box with a margin, in place in RAS mm; no header."""
    x, y, z = (int(np.ceil(margin_mm / float(s))) for s in volume.spacing)
    box = bounding_box(mask, (x, y, z))
    affine = volume.affine.copy()
    affine[:3, 3] += volume.affine[:3, :3] @ np.array([s.start for s in box])
    return Volume(volume.array[box], affine), mask[box]
