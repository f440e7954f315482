"""How often intervals hold the truth, on patients who did not calibrate them: shares with Clopper-Pearson intervals."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy import stats

from perfusynth.evaluation.intervals.calibration import Pairs, pairs_of_rows
from perfusynth.perfusion.volume_intervals import CORE, IntervalTable

#: Confidence of the interval of a coverage.
CONFIDENCE = 0.95
#: Patients by their own volume of Tmax > 6 s, mL: none, small, as an M2's, as an M1's and beyond (thrombectomy trials
#: ask for more than 10-15 mL of mismatch, DEFUSE 3; the other cuts are the phantom's medians by site, rounded) [d].
SIZES_ML = ((-1.0, 0.0, "none"), (0.0, 50.0, "up to 50"), (50.0, 115.0, "50 to 115"), (115.0, np.inf, "above 115"))
#: A row's predicted and true volume by threshold.
ROW_KEYS = {
    **{key: (f"made_ml_{key}", f"truth_ml_{key}") for key in ("4", "6", "8", "10")},
    CORE: ("made_core_ml", "truth_core_ml"),
}

Row = Mapping[str, Any]


def coverage_figures(rows: Sequence[Row], table: IntervalTable) -> dict[str, Any]:
    """Figures of all thresholds.

    Parameters
    ----------
    rows
        One a test patient: volumes as `ROW_KEYS`, ``site``, ``sign_clot``, ``sign_core`` and ``scanner``.

    Returns
    -------
    By threshold: ``all`` (see `coverage_of`), by group of predicted volume, by stratum.
    """
    found: dict[str, Any] = {}
    for key, names in ROW_KEYS.items():
        if key not in table.groups:
            continue
        known = [row for row in rows if all(row.get(name) is not None for name in names)]
        pairs = pairs_of_rows(known, {key: names})[key]
        group = table.group_of(key, pairs[0])
        edges = [entry.above_ml for entry in table.groups[key]]
        found[key] = {
            "all": coverage_of(pairs, key, table),
            "predicted_ml": {
                _edge_in_words(edges, number): coverage_of(_part(pairs, group == number), key, table)
                for number in range(len(edges))
            },
            **{
                stratum: {
                    name: coverage_of(_part(pairs, np.array([label == name for label in labels])), key, table)
                    for name in sorted(set(labels))
                }
                for stratum, labels in strata_of(known).items()
            },
        }
    return found


def coverage_of(pairs: Pairs, key: str, table: IntervalTable) -> dict[str, Any]:
    """Coverage of some patients.

    Returns
    -------
    ``n``, ``covered``, ``coverage`` with ``low`` and ``high`` (Clopper-Pearson, `CONFIDENCE`), whether that
    ``holds_level``; ``width_ml`` (mean) and ``width_median_ml``; ``certain_zero``, the share whose interval is 0 to
    0 mL, and ``coverage_beyond_zero``, that of the others: an interval of 0 to 0 mL may have to cover too much.
    """
    predicted, own = pairs
    n = len(predicted)
    if n == 0:
        return {"n": 0}
    low, high = table.ends_ml(key, predicted)
    inside = (low <= own) & (own <= high)
    interval = stats.binomtest(int(inside.sum()), n).proportion_ci(CONFIDENCE, method="exact")
    zero = high == 0
    return {
        "n": n,
        "covered": int(inside.sum()),
        "coverage": round(float(inside.mean()), 4),
        "low": round(float(interval.low), 4),
        "high": round(float(interval.high), 4),
        "holds_level": bool(interval.low <= table.level <= interval.high),
        "above": round(float((own > high).mean()), 4),
        "below": round(float((own < low).mean()), 4),
        "width_ml": round(float((high - low).mean()), 2),
        "width_median_ml": round(float(np.median(high - low)), 2),
        "certain_zero": round(float(zero.mean()), 4),
        "coverage_beyond_zero": round(float(inside[~zero].mean()), 4) if (~zero).any() else None,
    }


def strata_of(rows: Sequence[Row]) -> dict[str, list[str]]:
    """Label of each patient, by stratum: visible or occult, site, own volume, scanner."""
    return {
        "sign": [_sign(row) for row in rows],
        "site": [str(row.get("site")) for row in rows],
        "own_tmax6_ml": [next(name for low, high, name in SIZES_ML if low < row["truth_ml_6"] <= high) for row in rows],
        "scanner": [str(row.get("scanner")) for row in rows],
    }


def _sign(row: Row) -> str:
    if row.get("site") == "none":
        return "no deficit"
    if row.get("sign_clot") is None:
        return "not told"
    return "visible" if row["sign_clot"] or row["sign_core"] else "occult"


def _part(pairs: Pairs, which: np.ndarray) -> Pairs:
    return pairs[0][which], pairs[1][which]


def _edge_in_words(edges: list[float], number: int) -> str:
    start = "from 0" if edges[number] < 0 else f"above {edges[number]:.1f}"
    end = "" if number + 1 == len(edges) else f" to {edges[number + 1]:.1f}"
    return "0" if (start, end) == ("from 0", " to 0.0") else f"{start}{end}"
