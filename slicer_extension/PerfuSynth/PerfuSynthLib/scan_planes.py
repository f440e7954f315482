"""The scan's own axial planes: how a view is turned to them, where the brain lies in them, where the slices are."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .grid_volume import GridVolume


class ScanPlanes(NamedTuple):
    """Axial planes of a grid.

    Attributes
    ----------
    axes
        Columns of a 3x3 in RAS: screen right, screen up, to the next slice. The patient's left is on the screen's
        right, however the scan was stored.
    box
        Shape (2, 3): lowest and highest place of the brain along the axes, mm.
    slices
        Places of the grid's slices along the third axis, ascending, mm.
    """

    axes: np.ndarray
    box: np.ndarray
    slices: np.ndarray

    def nearest(self, height: float) -> float:
        """The slice nearest to a place along the third axis, mm: between slices a view would mix two of them."""
        return float(self.slices[np.abs(self.slices - height).argmin()])

    def spread(self, count: int) -> list[float]:
        """Places of so many slices evenly through the brain, the top of the head first, mm."""
        low, high = self.box[:, 2]
        return [self.nearest(high - (number + 0.5) * (high - low) / count) for number in range(count)]

    def fullest(self, mask: GridVolume) -> float:
        """Place of the slice that holds most of a mask on the grid; the brain's middle where it is empty."""
        axis = _slice_axis(mask.affine)
        counts = np.count_nonzero(mask.array, axis=tuple(other for other in range(3) if other != axis))
        if not counts.any():
            return self.nearest(float(self.box[:, 2].mean()))
        index = np.zeros(3)
        index[axis] = counts.argmax()
        return self.nearest(float(self.axes[:, 2] @ (mask.affine[:3, :3] @ index + mask.affine[:3, 3])))


def planes_of(brain: GridVolume) -> ScanPlanes:
    """Planes of a brain mask's grid; where the mask is empty, its box is the whole grid."""
    axes = _axial_axes(brain.affine)
    axis = _slice_axis(brain.affine)
    index = np.zeros((3, brain.array.shape[axis]))
    index[axis] = np.arange(brain.array.shape[axis])
    slices = axes[:, 2] @ (brain.affine[:3, :3] @ index + brain.affine[:3, 3:])
    return ScanPlanes(axes, _box_along(axes, brain), np.sort(slices))


def _axial_axes(affine: np.ndarray) -> np.ndarray:
    """The grid's axes nearest to the patient's left, anterior and superior."""
    grid = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    slices = _slice_axis(affine)
    others = [axis for axis in range(3) if axis != slices]
    across = max(others, key=lambda axis: abs(grid[0, axis]))
    along = next(axis for axis in others if axis != across)
    chosen = grid[:, [across, along, slices]]
    return chosen * np.sign([-chosen[0, 0], chosen[1, 1], chosen[2, 2]])


def _slice_axis(affine: np.ndarray) -> int:
    """The array's axis that runs along the patient most."""
    return int(np.abs(affine[2, :3] / np.linalg.norm(affine[:3, :3], axis=0)).argmax())


def _box_along(axes: np.ndarray, brain: GridVolume) -> np.ndarray:
    corners = []
    for axis in range(3):
        filled = np.flatnonzero(brain.array.any(axis=tuple(other for other in range(3) if other != axis)))
        corners.append((filled[0], filled[-1]) if len(filled) else (0, brain.array.shape[axis] - 1))
    index = np.array(np.meshgrid(*corners, indexing="ij")).reshape(3, -1)
    places = axes.T @ (brain.affine[:3, :3] @ index + brain.affine[:3, 3:])
    return np.stack([places.min(axis=1), places.max(axis=1)])
