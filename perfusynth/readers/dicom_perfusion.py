"""A DICOM folder to a CT perfusion series: which series it is, and its pixels on an even orthogonal grid."""

from collections.abc import Sequence

import numpy as np

from perfusynth.errors import InputError
from perfusynth.progress import OnProgress
from perfusynth.readers.dicom import what_to_tell
from perfusynth.readers.dicom_frames import FrameStack
from perfusynth.readers.dicom_headers import Slice
from perfusynth.readers.dicom_perfusion_choice import choose_perfusion
from perfusynth.readers.dicom_pixels import each_plane
from perfusynth.readers.dicom_times import TRUSTED
from perfusynth.readers.series_values import (
    GivenTimes,
    LoadedSeries,
    check_series_size,
    frames_sha256,
    regridded,
)
from perfusynth.volumes.regrid import regrid_stack
from perfusynth.volumes.series import Series


def load_perfusion(
    slices: Sequence[Slice], damaged: int, given: GivenTimes | None, on_progress: OnProgress
) -> LoadedSeries:
    """Read the perfusion series among the images of a folder; times from ``given``, else from the headers.

    Raises
    ------
    InputError
        As of `choose_perfusion`; ``no_frame_times``, ``bad_times``, ``too_large``, ``bad_pixels``.
    """
    stack, told = choose_perfusion(slices)
    geometry = stack.geometry
    notes = [*told, *stack.notes, *what_to_tell(_present(stack), damaged)]
    check_series_size((stack.first.columns, stack.first.rows, len(stack.images), stack.frames))
    times = _times(stack, given, notes)
    array = _hounsfield(stack, on_progress)
    sha256 = frames_sha256(array, geometry.affine)
    if geometry.even:
        return LoadedSeries(Series(array, geometry.affine, times), tuple(notes), sha256, resampled=False)
    array, affine = regridded(
        array,
        lambda frame: regrid_stack(frame, geometry.positions, geometry.step_x, geometry.step_y, geometry.spacing_mm),
        on_progress,
    )
    if times.ndim == 2:  # planes between slices have times between theirs
        planes = geometry.spacing_mm * np.arange(array.shape[2])
        times = np.stack([np.interp(planes, geometry.depth, own) for own in times.T], axis=1)
    return LoadedSeries(Series(array, affine, times), tuple(notes), sha256, resampled=True)


def _present(stack: FrameStack) -> list[Slice]:
    return [image for row in stack.images for image in row if image is not None]


def _times(stack: FrameStack, given: GivenTimes | None, notes: list[str]) -> np.ndarray:
    if given is not None:
        return given(stack.frames)
    times = stack.times_s
    if times is None:
        raise InputError(
            "The series does not say when its frames were acquired.",
            expected="acquisition times that differ from frame to frame",
            got=f"{stack.frames} images at each position without such times",
            hint="Give the interval with --interval S, or the time of each frame with --times FILE.",
            code="no_frame_times",
        )
    if stack.source not in TRUSTED:
        notes.append(f"The times of the frames were taken from {stack.source}: acquisition times are missing.")
    if times.ndim == 2:
        apart = float(np.ptp(times, axis=0).max())
        notes.append(f"Slices of one frame were acquired up to {apart:.1f} s apart: each keeps its own times.")
    return times


def _hounsfield(stack: FrameStack, on_progress: OnProgress) -> np.ndarray:
    """All frames, shape (x, y, z, frames): int16 where slopes and intercepts are whole, else float32.

    Values above 32767 HU (metal on an extended scale) are clipped in int16. Missing images are interpolated in time.
    """
    placed = [(image, z, k) for z, row in enumerate(stack.images) for k, image in enumerate(row) if image is not None]
    placed.sort(key=lambda item: (item[0].path, item[0].frame or 0))  # a multi-frame file is decoded once
    images = [image for image, _, _ in placed]
    whole = all((s.slope is None or s.slope.is_integer()) and (s.intercept or 0.0).is_integer() for s in images)
    shape = (stack.frames, len(stack.images), stack.first.rows, stack.first.columns)
    result = np.empty(shape, dtype=np.int16 if whole else np.float32)
    for (_, z, k), plane in zip(placed, each_plane(images, on_progress), strict=True):
        result[k, z] = np.minimum(plane, 32767) if whole else plane
    for z, row in enumerate(stack.images):
        _bridge(result[:, z], row, None if stack.clock_s is None else stack.clock_s[z])
    return result.T


def _bridge(planes: np.ndarray, row: list[Slice | None], times: np.ndarray | None) -> None:
    """Fill missing frames of one position, shape (frames, rows, columns), in place; the ends are held."""
    present = np.array([k for k, image in enumerate(row) if image is not None])
    for k in sorted(set(range(len(row))) - set(present.tolist())):
        assert times is not None  # without times nothing is known to be missing
        after = int(np.searchsorted(present, k))
        before, behind = present[max(after - 1, 0)], present[min(after, len(present) - 1)]
        span = times[behind] - times[before]
        share = np.float32((times[k] - times[before]) / span if span and before < k < behind else 0)
        plane = planes[before] * (1 - share) + planes[behind] * share
        planes[k] = np.rint(plane) if planes.dtype.kind == "i" else plane
