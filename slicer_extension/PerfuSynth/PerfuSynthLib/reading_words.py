"""What the panel says of a reading: banner, warnings, the table, how far the numbers can be relied on."""

from __future__ import annotations

from typing import NamedTuple

from .facts import Facts
from .interval import why_no_intervals
from .measurements import EDITED, PROVISIONAL, Measurements
from .notices import SYNTHETIC
from .number_rows import NumberRow, number_rows, state_text
from .problems import Problem


class ReadingWords(NamedTuple):
    """Sentences out of a result's facts and the numbers of the moment; all three may be missing."""

    facts: Facts | None
    measured: Measurements | None
    problem: Problem | None

    @property
    def banner(self) -> list[str]:
        """What every screen bears."""
        return list(self.facts.notices) if self.facts else [SYNTHETIC]

    @property
    def warnings(self) -> list[str]:
        """What must not be missed."""
        told = [f"{self.problem.what} {self.problem.what_to_do}"] if self.problem else []
        return told + [f"{remark.title}: {remark.text}" for remark in (self.facts.warnings if self.facts else ())]

    @property
    def notes(self) -> str:
        """What else is known of the numbers: why there are no intervals, how usual the input is."""
        if self.facts is None or self.measured is None:
            return ""
        notes = [f"{remark.title}: {remark.text}" for remark in self.facts.remarks if not remark.is_warning]
        reason = why_no_intervals(self.facts, self.measured)
        if reason and reason != self.facts.intervals.withheld:
            notes.append(reason)
        return "\n".join(notes)

    @property
    def interval_title(self) -> str:
        """Head of the intervals' column."""
        level = self.facts.intervals.level if self.facts else 0.0
        return f"{level:.0%} interval" if level else "Interval"

    @property
    def rows(self) -> list[NumberRow]:
        """The table."""
        return [] if self.facts is None or self.measured is None else number_rows(self.facts, self.measured)

    @property
    def numbers_state(self) -> str:
        """How far the numbers can be relied on."""
        if self.measured is None:
            return ""
        if self.measured.kind == PROVISIONAL:
            return f"{state_text(self.measured)}; the cleaned numbers follow."
        kept = " The region as computed is kept in the scene, hidden." if self.measured.kind == EDITED else ""
        return f"{state_text(self.measured)}.{kept}"
