"""Which of the times in its headers a DICOM time series goes by: the most trusted one that tells its images apart."""

from collections.abc import Sequence

import numpy as np

from perfusynth.readers.dicom_headers import Slice
from perfusynth.readers.dicom_times import DAY_S, FROM_MIDNIGHT, MIDNIGHT_SPAN_S, SOURCES

#: Images of one position whose times differ by less than this (s) have the same time: no tube turns faster than 0.2 s.
SAME_TIME_S = 0.05
#: Largest share of images of the same position and time with which a source is believed: some scanners write one time
#: into a whole study.
MAX_SHARE_SAME = 0.1
#: Median interval (s) at a position that a time series may have; outside, the times are when images were computed or
#: stored. Whether it is short enough to follow a bolus is judged later. The project's own choice.
SHORTEST_INTERVAL_S, LONGEST_INTERVAL_S = 0.2, 30.0
#: Largest distance (s) of a time, cut to whole seconds, from the even one that it stands for.
ROUNDING_S = 0.6


def clock_of(groups: Sequence[Sequence[Slice]]) -> tuple[str, list[np.ndarray]] | None:
    """The source of `SOURCES` to go by, and the seconds of each image of each position; ``None`` if there is none."""
    for k, source in enumerate(SOURCES):
        known = [[image.times.seconds[k] for image in group] for group in groups]
        if any(value is None for own in known for value in own):
            continue
        seconds = [np.array(own, dtype=np.float64) for own in known]
        if source in FROM_MIDNIGHT:
            seconds = _past_midnight(seconds)
        gaps = np.concatenate([np.diff(np.sort(own)) for own in seconds])
        steps = gaps[gaps >= SAME_TIME_S]
        if len(gaps) - len(steps) > MAX_SHARE_SAME * len(gaps):
            continue
        if SHORTEST_INTERVAL_S <= np.median(steps) <= LONGEST_INTERVAL_S:
            return source, seconds
    return None


def _past_midnight(seconds: list[np.ndarray]) -> list[np.ndarray]:
    latest = max(float(own.max()) for own in seconds)
    if latest - min(float(own.min()) for own in seconds) <= MIDNIGHT_SPAN_S:
        return seconds
    return [np.where(own < latest - MIDNIGHT_SPAN_S, own + DAY_S, own) for own in seconds]


def unrounded(clock_s: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """Times in whole seconds that stand for even ones (1, 2, 4, 5, 7: every 1.5 s), taken as even.

    Parameters
    ----------
    clock_s
        Shape (z, frames), s.

    Returns
    -------
    The times, each slice with its own start, and a note where they were changed.
    """
    if not np.array_equal(clock_s, np.rint(clock_s)):
        return clock_s, ()
    frame = np.arange(clock_s.shape[1])
    interval = float(np.median(np.polyfit(frame, clock_s.T, 1)[0]))
    even = (clock_s - interval * frame).mean(axis=1)[:, None] + interval * frame
    distance = np.abs(even - clock_s).max()
    if distance < SAME_TIME_S or distance > ROUNDING_S:
        return clock_s, ()
    return even, (f"The times are in whole seconds; they were taken as even, one every {interval:.2f} s.",)
