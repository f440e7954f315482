"""A 4-D NIfTI file to a series of frames on an even orthogonal grid, in int16 where all values are whole."""

import math
from pathlib import Path

import nibabel as nib
import numpy as np

from perfusynth.errors import InputError
from perfusynth.progress import OnProgress
from perfusynth.readers.loaded import MIN_SLICES
from perfusynth.readers.nifti_times import frame_times
from perfusynth.readers.series_values import (
    GivenTimes,
    LoadedSeries,
    check_series_size,
    frames_sha256,
    regridded,
    set_padding_to_air,
)
from perfusynth.volumes.geometry import is_orthogonal
from perfusynth.volumes.nifti import check_left_right, form_disagreement
from perfusynth.volumes.nifti_stored import affine_of, not_finite, read_stored, sizes_of, slope_and_intercept
from perfusynth.volumes.regrid import straighten
from perfusynth.volumes.series import Series
from perfusynth.volumes.volume import Volume

#: HU that a CT image can hold: DICOM stores 16 bits, and extended scales end at 30710. Beyond are a program's fill
#: values and overshoot.
LOWEST_HU, HIGHEST_HU = -32768, 32767


def read_nifti_series(path: Path, given: GivenTimes | None, on_progress: OnProgress) -> LoadedSeries:
    """Read a 4-D file; times from ``given``, else from the file (see `nifti_times.frame_times`).

    Raises
    ------
    InputError
        As of `read_stored`; ``not_4d``, ``too_few_slices``, ``too_large``, ``not_finite``, ``no_orientation``,
        ``bad_affine``, ``contradictory_sides``, ``no_frame_times``, ``bad_times``.
    """
    header, stored = read_stored(path, _shape)
    check_left_right(header)
    disagreement = form_disagreement(header)
    notes: tuple[str, ...] = (disagreement,) if disagreement else ()
    frames = stored.shape[3]
    if given is None:
        times, told = frame_times(path, header, frames)
        notes += told
    else:
        times = given(frames)
    affine = affine_of(header)
    array, told = _hounsfield(stored, header)
    notes += told
    notes += set_padding_to_air(array)
    native = Series(array, affine, times, header)
    sha256 = frames_sha256(array, affine)
    if is_orthogonal(affine):
        return LoadedSeries(native, notes, sha256, resampled=False)
    array, affine = regridded(array, lambda frame: straighten(Volume(frame, native.affine)), on_progress)
    notes += ("The grid was sheared (a gantry tilt?); it was resampled once to an even orthogonal grid.",)
    return LoadedSeries(Series(array, affine, times), notes, sha256, resampled=True)


def _shape(header: nib.Nifti1Header) -> tuple[int, ...]:
    sizes = sizes_of(header)
    if len(sizes) < 4 or sizes[3] < 2 or math.prod(sizes[4:]) != 1:
        raise InputError(
            "The image is not a series of frames.",
            expected="a 4-D image: x, y, z and time",
            got=f"dimensions {' x '.join(map(str, sizes))}",
            hint="Its times lie along the fifth dimension: squeeze the fourth, of length 1, out of the file."
            if len(sizes) > 4 and sizes[3] == 1 and sizes[4] > 1
            else "Give the whole CT perfusion study, all slices at all times.",
            code="not_4d",
        )
    if min(sizes[:3]) < MIN_SLICES:
        raise InputError(
            "The series has too few slices.",
            expected=f"at least {MIN_SLICES} slices",
            got=f"{min(sizes[:3])} (dimensions {' x '.join(map(str, sizes))})",
            hint="Give the whole CT perfusion study, all slices at all times.",
            code="too_few_slices",
        )
    check_series_size(sizes[:4])
    return tuple(sizes[:4])


def _hounsfield(stored: np.ndarray, header: nib.Nifti1Header) -> tuple[np.ndarray, tuple[str, ...]]:
    """Slope and intercept applied: int16 where all values are whole, else float32; Fortran order; what was clipped."""
    slope, intercept = (
        default if value is None else float(value)
        for value, default in zip(slope_and_intercept(header), (1.0, 0.0), strict=True)
    )
    if stored.dtype.kind in "iu" and slope.is_integer() and intercept.is_integer():
        ends = sorted(int(end) * int(slope) + int(intercept) for end in (stored.min(), stored.max()))
        if ends[0] >= LOWEST_HU and ends[1] <= HIGHEST_HU:
            return _whole(stored, int(slope), int(intercept)), ()
    result = np.empty(stored.shape, dtype=np.int16, order="F")
    lowest, highest = 0.0, 0.0
    for k in range(stored.shape[3]):
        with np.errstate(over="ignore", invalid="ignore"):
            frame = stored[..., k].astype(np.float64) * slope + intercept
        if not np.isfinite(frame).all():
            raise not_finite(int((~np.isfinite(frame)).sum()))
        lowest, highest = min(lowest, float(frame.min())), max(highest, float(frame.max()))
        np.clip(frame, LOWEST_HU, HIGHEST_HU, out=frame)
        if result.dtype == np.int16 and (frame != np.rint(frame)).any():
            result = result.astype(np.float32)
        result[..., k] = frame
    if lowest >= LOWEST_HU and highest <= HIGHEST_HU:
        return result, ()
    return result, (
        f"The file holds values from {lowest:g} to {highest:g}, which no CT has: they were clipped to {LOWEST_HU} to "
        f"{HIGHEST_HU} HU. Check that it is in HU.",
    )


def _whole(stored: np.ndarray, slope: int, intercept: int) -> np.ndarray:
    if stored.dtype == np.int16 and (slope, intercept) == (1, 0):
        return stored
    result = np.empty(stored.shape, dtype=np.int16, order="F")
    for k in range(stored.shape[3]):
        result[..., k] = stored[..., k].astype(np.int64) * slope + intercept
    return result
