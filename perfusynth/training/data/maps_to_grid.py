"""Maps of a perfusion study brought to the model grid of the NCCT, through the rigid motion between the two."""

import itertools
from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from perfusynth.volumes.volume import Volume

#: Most points along one axis of a model-grid voxel at which a finer map is read, so that it is averaged, not skipped:
#: 5 mm over 0.6 mm.
POINTS_MAX = 9


def bring_to_grid(
    volumes: Sequence[Volume],
    measured: Volume,
    shape: tuple[int, int, int],
    affine: np.ndarray,
    grid_to_map: np.ndarray,
) -> tuple[list[np.ndarray], np.ndarray]:
    """Average maps over the voxels of another grid, out of what was measured alone.

    Parameters
    ----------
    volumes
        Maps on one grid of their own.
    measured
        1 where the maps hold a measurement, 0 elsewhere; the same grid.
    shape, affine
        The grid to make: voxels, and 4x4 to RAS mm of its frame.
    grid_to_map
        4x4, RAS mm of the grid's frame to RAS mm of the maps' frame.

    Returns
    -------
    The maps, float32, 0 where nothing was measured, and the share (0-1) of each voxel that was.
    """
    to_voxels = np.linalg.inv(measured.affine) @ grid_to_map @ affine
    passed = np.abs(to_voxels[:3, :3]).max(axis=0)  # map voxels passed along each axis of a voxel that is made
    points = np.clip(np.ceil(passed - 1e-3), 1, POINTS_MAX).astype(int)
    offsets = list(itertools.product(*((np.arange(n) + 0.5) / n - 0.5 for n in points)))
    sums = [np.zeros(shape, dtype=np.float32) for _ in volumes]
    share = np.zeros(shape, dtype=np.float32)
    weighted = [volume.array * measured.array for volume in volumes]
    for offset in offsets:
        start = to_voxels[:3, :3] @ np.array(offset) + to_voxels[:3, 3]
        for total, array in zip([*sums, share], [*weighted, measured.array], strict=True):
            total += ndimage.affine_transform(
                array, to_voxels[:3, :3], start, output_shape=shape, order=1, mode="grid-constant", cval=0.0
            )
    used = np.maximum(share, 1e-6)
    return [total / used * (share > 0) for total in sums], share / len(offsets)
