"""What reading a 4-D series takes, whatever its format: size limit, air, hash and resampling, frame by frame."""

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import nibabel as nib
import numpy as np

from perfusynth.errors import InputError
from perfusynth.progress import OnProgress
from perfusynth.readers.loaded import AIR_HU
from perfusynth.volumes.series import Series
from perfusynth.volumes.volume import Volume

#: Most voxels of a series: 512 x 512 x 64 at 100 times, or 320 slices at 20; 3.4 GB in int16.
MAX_SERIES_VOXELS = 512 * 512 * 64 * 100


#: Times (s from the first) of a given number of frames, as the user gave them.
GivenTimes = Callable[[int], np.ndarray]


@dataclass(frozen=True, eq=False)
class LoadedSeries:
    """A series as a format's reader hands it on: on an even orthogonal grid, with the hash of its voxels as read.

    ``resampled``: the grid that was read was sheared or uneven, and every frame was resampled once.
    """

    series: Series
    notes: tuple[str, ...]
    source_sha256: str
    resampled: bool


def check_series_size(shape: Sequence[int]) -> None:
    """Refuse a series of more than `MAX_SERIES_VOXELS`; called before any memory is asked for.

    Raises
    ------
    InputError
        Code ``too_large``.
    """
    voxels = math.prod(int(n) for n in shape)
    if voxels > MAX_SERIES_VOXELS:
        raise InputError(
            "The series is too large.",
            expected=f"at most {MAX_SERIES_VOXELS} voxels (512 x 512 x 64 at 100 times)",
            got=f"{voxels} voxels ({' x '.join(str(int(n)) for n in shape)})",
            hint="Export the study with thicker slices.",
            code="too_large",
        )


def times_listed(times_s: Sequence[float]) -> GivenTimes:
    """The times that the user listed; raises `InputError` (``bad_times``) where they do not fit."""

    def times(frames: int) -> np.ndarray:
        listed = np.asarray(times_s, dtype=np.float64)
        if listed.shape != (frames,):
            raise InputError(
                "The times that were given do not fit the study.",
                expected=f"one time for each of {frames} frames, in s",
                got=f"{listed.size} times",
                hint="Give one time for each frame.",
                code="bad_times",
            )
        if not np.isfinite(listed).all():
            raise InputError(
                "The times that were given are not all numbers.",
                expected="one finite time a frame, in s",
                got=f"{int((~np.isfinite(listed)).sum())} that are none",
                hint="Give the time of each frame in s.",
                code="bad_times",
            )
        return listed - listed[0]

    return times


def times_at_interval(interval_s: float) -> GivenTimes:
    """Frames one interval apart; raises `InputError` (``bad_times``) for one that is not finite and above 0."""

    def times(frames: int) -> np.ndarray:
        interval = float(interval_s)
        if not (interval > 0 and math.isfinite(interval * frames)):
            raise InputError(
                "The interval that was given is no interval between frames.",
                expected="a finite number of seconds above 0",
                got=f"{interval:g}",
                hint="Give the time from one frame to the next in s.",
                code="bad_times",
            )
        return interval * np.arange(frames)

    return times


def set_padding_to_air(array: np.ndarray) -> tuple[str, ...]:
    """Raise all below air to it, in place; what a reader must be told."""
    lowest = 0.0
    for frame in np.moveaxis(array, 3, 0):
        lowest = min(lowest, float(frame.min()))
        if lowest < AIR_HU:
            np.maximum(frame, array.dtype.type(AIR_HU), out=frame)
    if lowest >= AIR_HU:
        return ()
    return (f"Values down to {lowest:.0f} HU (padding) were set to air, {AIR_HU:.0f} HU.",)


def frames_sha256(array: np.ndarray, affine: np.ndarray) -> str:
    """SHA-256 (hex) over the voxels of all frames alone, times and place left out.

    Hashed are the values rounded to int16 (HU, clipped to its range), little endian, frame after frame, each in
    nearest-RAS order with right fastest: the same frames stored flipped, as NIfTI or DICOM, give the same hash.
    """
    orientation = nib.orientations.io_orientation(affine)
    digest = hashlib.sha256()
    for frame in np.moveaxis(array, 3, 0):
        if frame.dtype != np.int16:
            frame = np.clip(np.rint(frame), -32768, 32767)
        ordered = nib.orientations.apply_orientation(frame, orientation)
        digest.update(np.ascontiguousarray(ordered.T, dtype="<i2").data)
    return digest.hexdigest()


def regridded(
    array: np.ndarray, regrid: Callable[[np.ndarray], Volume], on_progress: OnProgress
) -> tuple[np.ndarray, np.ndarray]:
    """Bring every frame to another grid, one at a time.

    Parameters
    ----------
    array
        Shape (x, y, z, frames), int16 or float32.
    regrid
        Takes one frame, float32, to a volume on the new grid, which is the same for all frames.

    Returns
    -------
    The series on the new grid, of the same type, and the new affine.
    """
    frames = array.shape[3]
    result, affine = None, None
    for k in range(frames):
        on_progress("read", k / frames)
        volume = regrid(np.ascontiguousarray(array[..., k], dtype=np.float32))
        if result is None:
            check_series_size((*volume.shape, frames))
            affine = volume.affine
            result = np.empty((frames, *volume.shape[::-1]), dtype=array.dtype).T
        result[..., k] = np.rint(volume.array) if array.dtype.kind == "i" else volume.array
    assert result is not None
    assert affine is not None
    return result, affine
