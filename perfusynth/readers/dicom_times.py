"""When a DICOM image was acquired: every place in its header where a time may stand, most trusted first."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

#: Seconds of a day, and the span beyond which times without a date are taken to cross midnight.
DAY_S, MIDNIGHT_SPAN_S = 86_400.0, 43_200.0
#: Where a time may stand (PS3.3 C.7.6.16.2.2 for frames, C.7.6.1 and C.8.2.1 for images, C.7.6.16.2.20 and C.7.6.2
#: for temporal positions). ContentTime is when the image was made, which on some scanners is when it was acquired.
SOURCES = (
    "FrameReferenceDateTime",
    "FrameAcquisitionDateTime",
    "AcquisitionDateTime",
    "AcquisitionDate and AcquisitionTime",
    "AcquisitionTime",
    "ContentDate and ContentTime",
    "ContentTime",
    "TemporalPositionTimeOffset",
    "TemporalPositionIdentifier and TemporalResolution",
    "TriggerTime",
)
#: Those that count from midnight of a day that they do not name (a date that does not advance is no better).
FROM_MIDNIGHT = SOURCES[3:7]
#: Those that say when by the clock, not only how long after the first image.
BY_THE_CLOCK = SOURCES[:7]
#: Those that a reader need not be told about.
TRUSTED = SOURCES[:5]
#: What is read of a header for it.
TIME_TAGS = [
    "AcquisitionDateTime",
    "AcquisitionDate",
    "AcquisitionTime",
    "ContentDate",
    "ContentTime",
    "TemporalPositionIdentifier",
    "TemporalResolution",
    "TriggerTime",
]


@dataclass(frozen=True)
class ImageTimes:
    """Seconds by each of `SOURCES` (``None`` where the header does not say), and the number of the time point."""

    seconds: tuple[float | None, ...] = (None,) * len(SOURCES)
    position: int = 0


def times_of(value_of: Callable[[str], Any]) -> ImageTimes:
    """Gather the times of one image; malformed ones count as absent.

    Parameters
    ----------
    value_of
        The value of a keyword in the image's header (of a frame: its own first), or ``None``.
    """
    moments = {keyword: _moment(value_of(keyword)) for keyword in SOURCES[:3]}
    clock: dict[str, float | None] = {}
    for kind in ("Acquisition", "Content"):
        date, time = _date(value_of(f"{kind}Date")), _time_of_day(value_of(f"{kind}Time"))
        clock[f"{kind}Time"] = time
        clock[f"{kind}Date and {kind}Time"] = date + time if date is not None and time is not None else None
    number = _number(value_of("TemporalPositionIdentifier")) or _number(value_of("TemporalPositionIndex"))
    resolution_ms, trigger_ms = _number(value_of("TemporalResolution")), _number(value_of("TriggerTime"))
    relative = {
        "TemporalPositionTimeOffset": _number(value_of("TemporalPositionTimeOffset")),
        "TemporalPositionIdentifier and TemporalResolution": number * resolution_ms / 1000
        if number is not None and resolution_ms
        else None,
        "TriggerTime": None if trigger_ms is None else trigger_ms / 1000,
    }
    known = moments | clock | relative
    return ImageTimes(tuple(known[source] for source in SOURCES), int(number or 0))


def _moment(value: Any) -> float | None:
    """Seconds of a DT value, since the year 1; its offset from UTC counts where it has one."""
    from pydicom.valuerep import DT

    try:
        moment = DT(str(value)) if value else None
    except (ValueError, OverflowError):
        return None
    if moment is None:
        return None
    zone = moment.utcoffset()
    seconds = moment.hour * 3600 + moment.minute * 60 + moment.second + moment.microsecond / 1e6
    return moment.toordinal() * DAY_S + seconds - (zone.total_seconds() if zone else 0.0)


def _date(value: Any) -> float | None:
    from pydicom.valuerep import DA

    try:
        date = DA(str(value)) if value else None
    except ValueError:
        return None
    return None if date is None else date.toordinal() * DAY_S


def _time_of_day(value: Any) -> float | None:
    from pydicom.valuerep import TM

    try:
        time = TM(str(value)) if value not in (None, "") else None
    except ValueError:
        return None
    return None if time is None else time.hour * 3600 + time.minute * 60 + time.second + time.microsecond / 1e6


def _number(value: Any) -> float | None:
    try:
        return None if value in (None, "") else float(value)
    except (TypeError, ValueError):
        return None
