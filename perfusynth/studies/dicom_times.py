"""When series were acquired, as far as their headers say, and how many minutes lie between two of them."""

from collections.abc import Sequence
from dataclasses import dataclass

from perfusynth.readers.dicom_headers import Slice
from perfusynth.readers.dicom_times import BY_THE_CLOCK, DAY_S, FROM_MIDNIGHT, SOURCES

#: Sources that say the day, too, and those that do not, most trusted first.
DATED = tuple(source for source in BY_THE_CLOCK if source not in FROM_MIDNIGHT or "Date" in source)
UNDATED = tuple(source for source in BY_THE_CLOCK if source not in DATED)


@dataclass(frozen=True)
class Start:
    """The beginning of a series: seconds since the year 1, or since midnight of a day that is not told."""

    study_uid: str
    dated_s: float | None
    of_day_s: float | None


def start_of(images: Sequence[Slice]) -> Start:
    """The earliest time of a series by the most trusted source that any of its images has."""
    return Start(images[0].study_uid, _earliest(images, DATED), _earliest(images, UNDATED))


def minutes_between(first: Start, second: Start) -> float | None:
    """Minutes from ``first`` to ``second``; None where the headers do not say.

    Times without a day are compared within one study only, across midnight by the shorter way.
    """
    if first.dated_s is not None and second.dated_s is not None:
        return (second.dated_s - first.dated_s) / 60
    if first.study_uid and first.study_uid == second.study_uid:
        a, b = _time_of_day(first), _time_of_day(second)
        if a is not None and b is not None:
            return ((b - a + DAY_S / 2) % DAY_S - DAY_S / 2) / 60
    return None


def _time_of_day(start: Start) -> float | None:
    return start.of_day_s if start.of_day_s is not None or start.dated_s is None else start.dated_s % DAY_S


def _earliest(images: Sequence[Slice], sources: Sequence[str]) -> float | None:
    for source in sources:
        k = SOURCES.index(source)
        known = [image.times.seconds[k] for image in images if image.times.seconds[k] is not None]
        if known:
            return min(known)  # type: ignore[type-var]
    return None
