"""Frames at even times: what the deconvolution needs, and which studies are sampled too thinly for it."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from perfusynth.errors import InputError
from perfusynth.volumes.series import Series

#: Intervals in a row whose mean is the interval of that stretch: even, so that a table that goes back and forth (a
#: short and a long interval in turn at its ends) counts with the mean of the two.
STRETCH = 6


@dataclass(frozen=True)
class TimingSettings:
    """How frames must follow each other.

    Parameters
    ----------
    tolerance_s
        Frames this near to an even axis are even. A curve moved by 0.1 s moves Tmax by as much, a sixtieth of the
        6 s threshold; the project's own choice.
    longest_gap_s
        Longest time between two frames of the first pass. Gaps of 4 s changed no perfusion value by more than 10 %
        (Oei et al., Eur Radiol 2017); what lies between more distant frames is a guess.
    longest_mean_interval_s
        Longest mean time between frames; slower than any protocol for stroke; the project's own choice.
    fewest_frames
        Fewest frames that follow a bolus; the project's own choice.
    shortest_study_s
        Shortest study. A bolus needs 33 s (median) to pass, 60 to 70 s are recommended (Borst et al., Neuroradiology
        2016; whether the bolus is cut off is judged on its curve, elsewhere); the project's own choice.
    first_pass_s
        A study that has lasted this long before a gap is read up to that gap: protocols add late frames, every 10 s
        and more, for permeability. Longer than the 33 s above; the project's own choice.
    finest_interval_s, most_frames
        Bounds on the even axis that uneven frames are interpolated to; the project's own choice.
    """

    tolerance_s: float = 0.1
    longest_gap_s: float = 4.0
    longest_mean_interval_s: float = 3.5
    fewest_frames: int = 15
    shortest_study_s: float = 20.0
    first_pass_s: float = 40.0
    finest_interval_s: float = 0.5
    most_frames: int = 200


def on_even_times(series: Series, settings: TimingSettings) -> tuple[Series, tuple[str, ...]]:
    """The same study at even times, one time a frame for all slices.

    Returns
    -------
    The series with ``times_s`` of shape (frames,) and one exact interval, and what a reader must be told. Frames that
    are even within the tolerance keep their array (not copied); others are interpolated linearly in time, each slice
    from its own times, to the interval of the most densely sampled stretch; nothing is extrapolated: the axis spans
    the time that all slices cover.

    Raises
    ------
    InputError
        Codes ``too_few_frames``, ``frames_too_far_apart``, ``too_short``.
    """
    series, notes = _without_late_frames(series, settings)
    times = np.atleast_2d(series.times_s)
    start, end = float(times[:, 0].max()), float(times[:, -1].min())
    _check(times, end - start, settings)

    even = _even_axis(times)
    if np.abs(times - even).max() <= settings.tolerance_s:
        if np.array_equal(series.times_s, even):
            return series, notes
        return replace(series, times_s=even), notes

    interval = _interval(times, end - start, settings)
    axis = start + interval * np.arange(int((end - start) / interval + 1e-6) + 1)
    gaps = np.diff(times, axis=1)
    apart = float((times.max(axis=0) - times.min(axis=0)).max())
    told = []
    if np.ptp(gaps) > settings.tolerance_s:
        told.append(f"the frames lie {gaps.min():.1f} to {gaps.max():.1f} s apart")
    if apart > settings.tolerance_s:
        told.append(f"slices of one frame were acquired up to {apart:.1f} s apart")
    notes += (
        f"{(' and '.join(told) or 'the frames drift from an even axis').capitalize()}: interpolated linearly to "
        f"{len(axis)} frames, one every {interval:.2f} s.",
    )
    return replace(series, array=_interpolated(series.array, times, axis), times_s=axis), notes


def _without_late_frames(series: Series, settings: TimingSettings) -> tuple[Series, tuple[str, ...]]:
    """Leave out what follows the first long gap after a complete first pass."""
    times = np.atleast_2d(series.times_s)
    gaps = np.flatnonzero(np.diff(times, axis=1).max(axis=0) > settings.longest_gap_s)
    if not gaps.size:
        return series, ()
    kept = int(gaps[0]) + 1
    if times[:, kept - 1].min() - times[:, 0].max() < settings.first_pass_s:
        return series, ()
    note = (
        f"{series.frames - kept} late frames, after a gap of more than {settings.longest_gap_s:.0f} s, were left out: "
        "the first pass ends before."
    )
    return replace(series, array=series.array[..., :kept], times_s=series.times_s[..., :kept]), (note,)


def _check(times: np.ndarray, duration: float, settings: TimingSettings) -> None:
    frames = times.shape[1]
    if frames < settings.fewest_frames:
        raise InputError(
            "The study has too few frames to follow the contrast bolus.",
            expected=f"at least {settings.fewest_frames} frames",
            got=f"{frames} frames",
            hint="Give the whole dynamic series, all slices at all times.",
            code="too_few_frames",
        )
    longest, mean = float(np.diff(times, axis=1).max()), float(np.diff(times, axis=1).mean())
    if longest > settings.longest_gap_s or mean > settings.longest_mean_interval_s:
        raise InputError(
            "The frames lie too far apart in time to follow the contrast bolus.",
            expected=f"at most {settings.longest_gap_s:g} s between frames, {settings.longest_mean_interval_s:g} s on "
            "average",
            got=f"up to {longest:.1f} s, {mean:.1f} s on average",
            hint="If the times are wrong, give the right ones with --interval or --times; else the study cannot be "
            "used.",
            code="frames_too_far_apart",
        )
    if duration < settings.shortest_study_s:
        raise InputError(
            "The study is too short to follow the contrast bolus.",
            expected=f"at least {settings.shortest_study_s:g} s (60 to 70 s are recommended)",
            got=f"{duration:.1f} s",
            hint="If the times are wrong, give the right ones with --interval or --times; else the study cannot be "
            "used.",
            code="too_short",
        )


def _even_axis(times: np.ndarray) -> np.ndarray:
    """The even axis nearest to the times of all slices: exact where they are exact."""
    frame = np.arange(times.shape[1])
    middle = (times.max(axis=0) + times.min(axis=0)) / 2
    ends = middle[0] + (middle[-1] - middle[0]) / (len(frame) - 1) * frame
    if np.abs(middle - ends).max() < 1e-6:
        return ends
    slope, start = np.polyfit(frame, middle, 1)
    return start + slope * frame


def _interval(times: np.ndarray, duration: float, settings: TimingSettings) -> float:
    """Interval of the most densely sampled stretch, the median over slices, s."""
    stretches = (times[:, STRETCH:] - times[:, :-STRETCH]) / STRETCH
    densest = float(np.median(stretches.min(axis=1)))
    return max(densest, settings.finest_interval_s, duration / (settings.most_frames - 1))


def _interpolated(array: np.ndarray, times: np.ndarray, axis: np.ndarray) -> np.ndarray:
    """Linear interpolation in time, plane by plane; type and memory order as they were."""
    order: Literal["F", "C"] = "F" if array.flags.f_contiguous else "C"
    result = np.empty((*array.shape[:3], len(axis)), dtype=array.dtype, order=order)
    whole = array.dtype.kind == "i"
    for z in range(array.shape[2]):
        own = times[z if len(times) > 1 else 0]
        after = np.clip(np.searchsorted(own, axis), 1, len(own) - 1)
        share = np.clip((axis - own[after - 1]) / (own[after] - own[after - 1]), 0, 1).astype(np.float32)
        for k, (hi, weight) in enumerate(zip(after, share, strict=True)):
            plane = array[:, :, z, hi - 1] * (1 - weight) + array[:, :, z, hi] * weight
            result[:, :, z, k] = np.rint(plane) if whole else plane
    return result
