"""When a volume's calibrated interval may be shown, and in which words; otherwise the reason why not."""

from __future__ import annotations

from typing import NamedTuple

from .facts import Facts
from .measurements import CLEANED, EDITED, FROM_SERVER, PROVISIONAL, Measurements

#: A volume measured here is the server's when they differ by no more, mL (DESIGN.md).
SAME_VOLUME_ML = 0.1

#: Why an interval is not shown, besides the server's own reasons.
IS_PROVISIONAL = "Provisional volumes have no interval."
IS_EDITED = "Edited regions have no interval: it was calibrated on what the model makes."
OTHER_SETTINGS = "The interval was calibrated with other settings of the regions."
OTHER_THRESHOLD = "Intervals were calibrated for the named thresholds only."
OTHER_VOLUME = "The volume measured here is not the one that the server gave the interval for."
NOT_CALIBRATED = "This volume was not calibrated."


class VolumeInterval(NamedTuple):
    """Ends in mL and the share of patients whose own volume lies inside; or, without them, the reason."""

    low_ml: float
    high_ml: float
    level: float
    reason: str = ""

    @property
    def text(self) -> str:
        """The ends as shown in a table, or nothing."""
        return "" if self.reason else f"{self.low_ml:.1f} to {self.high_ml:.1f} mL"


def interval_of(facts: Facts, measured: Measurements, threshold_s: float) -> VolumeInterval:
    """Interval of the volume of Tmax > ``threshold_s``."""
    if threshold_s not in measured.volumes_ml:
        return _none(_reason(facts, measured) or OTHER_THRESHOLD)
    ends = facts.intervals.volumes_ml.get(threshold_s)
    return _shown(facts, measured, ends, measured.volumes_ml[threshold_s], facts.measured.volumes_ml[threshold_s])


def core_interval_of(facts: Facts, measured: Measurements) -> VolumeInterval:
    """Interval of the core estimate."""
    return _shown(facts, measured, facts.intervals.core_ml, measured.core_ml, facts.measured.core_ml)


def why_no_intervals(facts: Facts, measured: Measurements) -> str:
    """Why no volume has an interval now; empty where some have."""
    return _reason(facts, measured)


def _shown(
    facts: Facts,
    measured: Measurements,
    ends: tuple[float, float] | None,
    here_ml: float | None,
    server_ml: float | None,
) -> VolumeInterval:
    reason = _reason(facts, measured)
    if reason:
        return _none(reason)
    if ends is None or here_ml is None or server_ml is None:
        return _none(NOT_CALIBRATED)
    if abs(here_ml - server_ml) > SAME_VOLUME_ML:
        return _none(OTHER_VOLUME)
    return VolumeInterval(ends[0], ends[1], facts.intervals.level)


def _reason(facts: Facts, measured: Measurements) -> str:
    """What keeps all intervals from being shown."""
    if facts.intervals.withheld is not None:
        return facts.intervals.withheld
    if measured.kind == PROVISIONAL:
        return IS_PROVISIONAL
    if measured.kind == EDITED:
        return IS_EDITED
    if measured.kind not in (CLEANED, FROM_SERVER) or measured.settings != facts.settings:
        return OTHER_SETTINGS
    return ""


def _none(reason: str) -> VolumeInterval:
    return VolumeInterval(0.0, 0.0, 0.0, reason)
