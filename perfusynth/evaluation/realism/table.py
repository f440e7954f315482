"""The acceptance table: each row's estimate with its interval and verdict, as JSON, as text, and in the page."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from perfusynth.evaluation.realism.acceptance import ROWS
from perfusynth.evaluation.realism.estimates import interval
from perfusynth.evaluation.realism.rows import Patient, Row

#: Fewer patients than this make no estimate.
PATIENTS_MINIMUM = 10

Verdict = Literal["within", "reached by the interval", "explained", "outside", "too few patients"]


@dataclass(frozen=True)
class Result:
    """One row as measured; estimate and interval (95 %) in the row's unit, ``None`` with too few patients."""

    key: str
    group: str
    statistic: str
    published: str
    source: str
    unit: str
    patients: int
    estimate: float | None
    low: float | None
    high: float | None
    verdict: Verdict
    explanation: str


def measure(row: Row, patients: Sequence[Patient]) -> Result:
    """Estimate one row from the figures of many patients."""
    columns = row.select(patients)
    count = row.counts(*columns) if row.counts else len(columns[0])

    def result(verdict: Verdict, estimate: float | None, low: float | None, high: float | None) -> Result:
        reason = row.explanation if verdict == "explained" else ""
        return Result(
            row.key, row.group, row.statistic, row.published, row.source, row.unit,
            count, estimate, low, high, verdict, reason,
        )  # fmt: skip

    if count < PATIENTS_MINIMUM:
        return result("too few patients", None, None, None)
    estimate = row.scale * row.estimate(*columns)
    low, high = (row.scale * limit for limit in interval(row.estimate, columns))
    if row.low <= estimate <= row.high:
        return result("within", estimate, low, high)
    if low <= row.high and high >= row.low:
        return result("reached by the interval", estimate, low, high)
    return result("explained" if row.explanation else "outside", estimate, low, high)


def measure_all(patients: Sequence[Patient]) -> list[Result]:
    """All rows of `ROWS`."""
    return [measure(row, patients) for row in ROWS]


def digits(value: float | None) -> str:
    """Three significant digits, no more than two decimals."""
    if value is None or math.isnan(value):
        return "–"
    return f"{value:.{max(0, min(2, 2 - math.floor(math.log10(max(abs(value), 1e-2)))))}f}"


def markdown(results: Sequence[Result]) -> str:
    """The table for people."""
    lines = [
        "| statistic | published (accepted) | source | found (95 % interval) | patients | verdict |",
        "|---|---|---|---|---|---|",
    ]
    for r in results:
        unit = f" {r.unit}" if r.unit else ""
        exact = f"{digits(r.estimate)} ({digits(r.low)}–{digits(r.high)}){unit}" if r.estimate is not None else "–"
        verdict = f"{r.verdict}: {r.explanation}" if r.explanation else r.verdict
        verdict = f"**{verdict}**" if r.verdict == "outside" else verdict
        published = r.published if r.published == "exact" else f"{r.published}{unit}"
        lines.append(f"| {r.statistic} | {published} | {r.source} | {exact} | {r.patients} | {verdict} |")
    return "\n".join(lines) + "\n"


def as_json(results: Sequence[Result], about: dict) -> bytes:
    """``about`` (version, seeds) and the rows."""
    content = {**about, "rows": [asdict(r) for r in results]}
    return (json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()
