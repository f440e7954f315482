"""Values between frames in time, for frames that could not be aligned and voxels that were out of view."""

import numpy as np

from perfusynth.registration.frame_resampling import in_view

#: Curves that `fill_voxels` holds at once: 44 bytes a frame each (90 MB at 100 frames); the project's own choice.
CURVES_AT_ONCE = 20_000


def as_stored(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """float32 values as a series' type of number: whole HU for int16."""
    return np.rint(values).astype(dtype) if dtype == np.int16 else values


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


def interpolate_frames(array: np.ndarray, unmended: np.ndarray, times_s: np.ndarray) -> None:
    """Write frames that could not be aligned, from their neighbours in time."""
    mended = np.flatnonzero(~unmended)
    for frame in np.flatnonzero(unmended):
        near = [int(f) for f in (*mended[mended < frame][-1:], *mended[mended > frame][:1])]
        first, last = near[0], near[-1]
        span = times_s[..., last] - times_s[..., first]
        share = (times_s[..., frame] - times_s[..., first]) / span if first != last else 0.0
        low = array[..., first].astype(np.float32)
        array[..., frame] = as_stored(low + np.float32(share) * (array[..., last] - low), array.dtype)


def fill_voxels(
    array: np.ndarray, where: np.ndarray, index: dict[int, np.ndarray], unmended: np.ndarray, times_s: np.ndarray
) -> None:
    """Write the frames in which a valid voxel was out of view.

    Memory: a byte for each voxel and frame, and the curves of `CURVES_AT_ONCE` voxels.
    """
    at = np.nonzero(where)
    missing = np.tile(unmended, (len(at[0]), 1))
    for frame, matrix in index.items():
        missing[:, frame] = ~in_view(where.shape, matrix)[at]  # type: ignore[arg-type]
    for start in range(0, len(at[0]), CURVES_AT_ONCE):
        part = slice(start, start + CURVES_AT_ONCE)
        x, y, z = (index_of_axis[part] for index_of_axis in at)
        curves, gaps = array[x, y, z], missing[part]
        filled = fill_in_time(curves, gaps, times_s if times_s.ndim == 1 else times_s[z])
        array[x, y, z] = np.where(gaps, as_stored(filled, array.dtype), curves)
