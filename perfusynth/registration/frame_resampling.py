"""Frames brought back to the reference position, what of it they show, and values between frames in time."""

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


def fill_in_time(curves: np.ndarray, missing: np.ndarray, times_s: np.ndarray) -> np.ndarray:
    """Values of missing frames, linear in time between their neighbours, held at both ends.

    Parameters
    ----------
    curves, missing
        Shape ``(n, frames)``; every curve has at least one frame that is not missing.
    times_s
        s, ``(frames,)`` or ``(n, frames)``.

    Returns
    -------
    float32 array ``(n, frames)``.
    """
    count, frames = curves.shape
    times = np.broadcast_to(np.asarray(times_s, dtype=np.float32), (count, frames))
    at = np.broadcast_to(np.arange(frames), (count, frames))
    before = np.maximum.accumulate(np.where(missing, -1, at), axis=1)
    after = np.minimum.accumulate(np.where(missing, frames, at)[:, ::-1], axis=1)[:, ::-1]
    before, after = np.where(before < 0, after, before), np.where(after == frames, before, after)
    first, last = np.take_along_axis(times, before, 1), np.take_along_axis(times, after, 1)
    share = np.where(last > first, (times - first) / np.where(last > first, last - first, 1), 0)
    low = np.take_along_axis(curves, before, 1).astype(np.float32)
    high = np.take_along_axis(curves, after, 1).astype(np.float32)
    return low + share * (high - low)
