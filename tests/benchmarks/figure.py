"""`Figure`: one measured number beside the stock or naive way's, and the table of them."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Figure:
    """One line of the table.

    Parameters
    ----------
    row
        Which part of the benchmarks it belongs to.
    what
        What was measured.
    value
        The median; ``None`` where it could not be measured here, with the reason in ``note``.
    unit
        ``s``, ``ms`` or ``MB``.
    runs
        Measurements behind the value.
    against, against_value
        The stock or naive way, measured in the same run, in the same unit.
    note
        What a reader must know.
    """

    row: str
    what: str
    value: float | None
    unit: str
    runs: int
    against: str = ""
    against_value: float | None = None
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """Ours divided by theirs: below 1 is faster or smaller."""
        if self.value is None or not self.against_value:
            return None
        return self.value / self.against_value

    def as_dict(self) -> dict[str, Any]:
        """The fields and the ratio as JSON values."""
        return asdict(self) | {"ratio": self.ratio}


_HEADINGS = ("row", "what", "median", "against", "its median", "ratio", "runs", "note")


def table(figures: Iterable[Figure]) -> str:
    """The figures as a Markdown table with even columns."""
    lines = [_HEADINGS, *(_cells(figure) for figure in figures)]
    widths = [max(len(line[k]) for line in lines) for k in range(len(_HEADINGS))]
    padded = [[cell.ljust(width) for cell, width in zip(line, widths, strict=True)] for line in lines]
    rows = ["| " + " | ".join(line) + " |" for line in padded]
    rows.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(rows)


def _cells(figure: Figure) -> tuple[str, ...]:
    ratio = "" if figure.ratio is None else f"{figure.ratio:.2f}"
    return (
        figure.row,
        figure.what,
        _number(figure.value, figure.unit),
        figure.against,
        _number(figure.against_value, figure.unit),
        ratio,
        str(figure.runs) if figure.runs else "",
        figure.note,
    )


def _number(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    return f"{value:.3g} {unit}" if value < 100 else f"{value:.0f} {unit}"
