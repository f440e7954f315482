"""Frames brought back to the reference position, and what of it they show."""

import numpy as np


def index_transform(affine: np.ndarray, transform: np.ndarray) -> np.ndarray:
    """4x4 from voxel index at the reference position to voxel index in a frame.

    ``affine`` is voxel to RAS mm, ``transform`` RAS mm from the reference position to the frame's.
    """
    return np.linalg.inv(affine) @ transform @ affine


def resample(frame: np.ndarray, index: np.ndarray) -> np.ndarray:
    """Values at ``index`` (4x4, of `index_transform`), linear; the nearest voxel's beyond the edges; float32.

    All in voxel indices, so that neither RAS nor LPS enters. SimpleITK takes half the time of
    ``scipy.ndimage.affine_transform`` on one core and uses them all.
    """
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(np.ascontiguousarray(frame, dtype=np.float32))
    # SimpleITK counts axes from the fastest: (z, y, x) of this array.
    matrix, shift = index[:3, :3][::-1, ::-1], index[:3, 3][::-1]
    sampler = sitk.ResampleImageFilter()
    sampler.SetReferenceImage(image)
    sampler.SetTransform(sitk.AffineTransform(matrix.ravel().tolist(), shift.tolist()))
    sampler.SetInterpolator(sitk.sitkLinear)
    sampler.SetUseNearestNeighborExtrapolator(True)
    return sitk.GetArrayFromImage(sampler.Execute(image))


def in_view(shape: tuple[int, int, int], index: np.ndarray) -> np.ndarray:
    """Which voxels of the reference position a frame shows, bool ``shape``: those within its outermost voxels."""
    x, y, z = np.ogrid[: shape[0], : shape[1], : shape[2]]
    seen = np.ones(shape, dtype=bool)
    for axis in range(3):
        row = index[axis].astype(np.float32)
        at = row[0] * x + row[1] * y + (row[2] * z + row[3])
        seen &= (at >= -0.5) & (at <= shape[axis] - 0.5)
    return seen
