"""The model grid: the one voxel size and field of view on which a generator has been trained.

A 0.6 mm and a 5 mm scan of one head must mean the same to a generator. So each scan is brought to the grid that
the generator's metadata names; its axes are the scan's own, permuted and flipped to the nearest RAS, centred on the
brain; thin slices are averaged into slabs.
"""

from dataclasses import dataclass

import numpy as np

from perfusynth.volumes.geometry import nearest_ras, to_original_order
from perfusynth.volumes.resampling import apply_axis_weights, axis_weights
from perfusynth.volumes.volume import Volume

#: Value of air, HU; what lies outside the scan's field of view on the model grid.
AIR_HU = -1024.0
#: Share of a model-grid voxel that must be brain for it to count as brain.
BRAIN_SHARE = 0.5


@dataclass(frozen=True)
class ModelGrid:
    """In-plane size (voxels), in-plane spacing and slab thickness (mm) of a generator's working grid."""

    size: int
    spacing_mm: float
    slab_mm: float


@dataclass(frozen=True, eq=False)
class GridMapping:
    """How one scan and its model grid map onto each other.

    ``scan_to_model`` and ``model_to_scan`` hold one weight matrix an axis, in nearest-RAS order;
    ``affine`` is the model grid's own (voxel to RAS+ mm), ``shape`` its size.
    """

    scan: Volume
    shape: tuple[int, int, int]
    affine: np.ndarray
    scan_to_model: tuple[np.ndarray, np.ndarray, np.ndarray]
    model_to_scan: tuple[np.ndarray, np.ndarray, np.ndarray]

    def to_model(self, array: np.ndarray, outside: float = 0.0) -> np.ndarray:
        """Resample an array on the scan's grid to the model grid; ``outside`` fills what the scan does not cover."""
        ordered = nearest_ras(self.scan.with_array(array)).array
        return apply_axis_weights(ordered - outside, self.scan_to_model) + np.float32(outside)

    def head_to_model(self, brain: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The scan and its brain on the model grid.

        What counts as brain there has the mean of the scan's brain alone: where slices are thick, or lie oblique to the
        skull, half a voxel of bone would otherwise make the other half look like blood.

        Parameters
        ----------
        brain
            On the scan's grid, not 0 inside.

        Returns
        -------
        HU, `AIR_HU` where the scan has nothing; share of brain in [0, 1].
        """
        hu, inside = np.nan_to_num(self.scan.array, nan=AIR_HU), np.asarray(brain) > 0
        share = self.to_model(inside.astype(np.float32))
        alone = self.to_model(np.where(inside, hu, 0)) / np.maximum(share, BRAIN_SHARE)
        return np.where(share >= BRAIN_SHARE, alone, self.to_model(hu, outside=AIR_HU)), share

    def to_scan(self, array: np.ndarray) -> np.ndarray:
        """Resample an array on the model grid back to the scan's grid and axis order; 0 outside the model grid."""
        return to_original_order(apply_axis_weights(array, self.model_to_scan), self.scan)


def map_to_grid(scan: Volume, brain: np.ndarray, grid: ModelGrid) -> GridMapping:
    """Lay a model grid over a scan, centred in plane on the brain and covering the brain's height in whole slabs.

    Parameters
    ----------
    scan
        NCCT on an even orthogonal grid.
    brain
        bool array on the scan's grid, not empty.
    grid
        The generator's model grid.
    """
    ordered = nearest_ras(scan.with_array(np.asarray(brain, dtype=np.float32)))
    spacing, inside = ordered.spacing, ordered.array > 0
    extent = [np.flatnonzero(inside.any(axis=tuple(a for a in range(3) if a != axis))) for axis in range(3)]
    # Distances along each scan axis, mm, from the centre of voxel 0.
    low = np.array([e[0] - 0.5 for e in extent]) * spacing
    high = np.array([e[-1] + 0.5 for e in extent]) * spacing
    centre = (low + high) / 2
    slabs = max(1, int(np.ceil((high[2] - low[2]) / grid.slab_mm - 1e-6)))
    shape = (grid.size, grid.size, slabs)
    step = np.array([grid.spacing_mm, grid.spacing_mm, grid.slab_mm])
    start = centre - step * (np.array(shape) - 1) / 2

    direction = ordered.affine[:3, :3] / spacing
    affine = np.eye(4)
    affine[:3, :3] = direction * step
    affine[:3, 3] = ordered.affine[:3, 3] + direction @ start

    axes = range(3)
    forward = tuple(axis_weights(ordered.shape[a], spacing[a], 0.0, shape[a], step[a], start[a]) for a in axes)
    backward = tuple(axis_weights(shape[a], step[a], start[a], ordered.shape[a], spacing[a], 0.0) for a in axes)
    return GridMapping(scan, shape, affine, forward, backward)  # type: ignore[arg-type]
