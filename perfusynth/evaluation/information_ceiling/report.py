"""Figures over patients: the ceiling U, the prior, strata, agreement of volumes, intervals, sides."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict

import numpy as np

from perfusynth.evaluation.information_ceiling.agreement import icc, mean_with_interval
from perfusynth.evaluation.information_ceiling.ceiling import (
    DEFICIT_ML,
    FALSE_POSITIVE_ML,
    FALSE_POSITIVE_SHARE,
    PatientCeiling,
)
from perfusynth.evaluation.information_ceiling.posterior import MINIMUM_EFFECTIVE_TWINS


def _known(values: Iterable[float | None]) -> np.ndarray:
    return np.array([value for value in values if value is not None], dtype=float)


def _stratum(rows: Sequence[PatientCeiling]) -> dict:
    """Figures of some patients with a deficit."""
    return {
        "patients": len(rows),
        "dice": mean_with_interval(_known(row.dice for row in rows)),
        "expected_dice": mean_with_interval(_known(row.expected_dice for row in rows)),
        "dice_prior": mean_with_interval(_known(row.dice_prior for row in rows)),
        "dice_told_site_and_side": mean_with_interval(_known(row.dice_told for row in rows)),
        "side_right": mean_with_interval(_known(row.side_right for row in rows)),
        "dice_where_side_right": mean_with_interval(_known(row.dice for row in rows if row.side_right == 1)),
        "dice_where_side_wrong": mean_with_interval(_known(row.dice for row in rows if row.side_right == 0)),
        "truth_ml_median": float(np.median([row.truth_ml for row in rows])) if rows else None,
    }


def deficit_threshold(rows: Sequence[PatientCeiling]) -> float:
    """Probability of a deficit from which a set is shown, so that few patients without one are given a region."""
    found = [row.deficit_probability for row in rows if not row.ill and row.marked_ml >= FALSE_POSITIVE_ML]
    allowed = int(FALSE_POSITIVE_SHARE * sum(not row.ill for row in rows))
    return float(np.nextafter(sorted(found, reverse=True)[allowed], 1.0)) if len(found) > allowed else 0.0


def report_of(rows: Sequence[PatientCeiling]) -> dict:
    """All figures, plain JSON values."""
    ill, well = [row for row in rows if row.ill], [row for row in rows if not row.ill]
    threshold = deficit_threshold(rows)
    truth, volume = (np.array([getattr(row, name) for row in rows]) for name in ("truth_ml", "volume_ml"))
    covered = np.array([row.low_ml <= row.truth_ml <= row.high_ml for row in rows], dtype=float)
    is_ill = np.array([row.ill for row in rows], dtype=bool)
    strata = {
        "sign": [row for row in ill if row.sign],
        "occult": [row for row in ill if not row.sign],
        "clot visible": [row for row in ill if row.sign_clot],
        "core visible": [row for row in ill if row.sign_core],
        "core alone visible": [row for row in ill if row.sign_core and not row.sign_clot],
        **{f"site {site}": [row for row in ill if row.site == site] for site in sorted({row.site for row in ill})},
    }
    shown = [row.dice if row.deficit_probability >= threshold else 0.0 for row in ill]
    return {
        "patients": len(rows),
        "patients_with_deficit": len(ill),
        "deficit_ml": DEFICIT_ML,
        "U": mean_with_interval(_known(row.dice for row in ill)),
        "U_core": mean_with_interval(_known(row.dice_core for row in ill)),
        "prior": mean_with_interval(_known(row.dice_prior for row in ill)),
        "prior_both_sides": mean_with_interval(_known(row.dice_both_sides for row in ill)),
        "told_site_and_side": mean_with_interval(_known(row.dice_told for row in ill)),
        "U_with_few_false_positives": {
            **mean_with_interval(_known(shown)),
            "deficit_probability_from": threshold,
            "without_deficit_given_15_ml": float(
                np.mean([r.deficit_probability >= threshold and r.marked_ml >= FALSE_POSITIVE_ML for r in well])
            )
            if well
            else None,
        },
        "expected_U": mean_with_interval(_known(row.expected_dice for row in ill)),
        "volume": {
            "icc_all": icc(np.column_stack([truth, volume])),
            "icc_deficit": icc(np.column_stack([truth, volume])[is_ill]),
            "interval_width_ml_all": float(np.mean([row.high_ml - row.low_ml for row in rows])),
            "interval_width_ml_deficit": float(np.mean([row.high_ml - row.low_ml for row in ill])) if ill else None,
            "coverage_all": float(covered.mean()),
            "coverage_deficit": float(covered[is_ill].mean()) if ill else None,
        },
        "deficit_probability": {
            "deficit": mean_with_interval(_known(row.deficit_probability for row in ill)),
            "none": mean_with_interval(_known(row.deficit_probability for row in well)),
            "auc": _auc([r.deficit_probability for r in ill], [r.deficit_probability for r in well]),
        },
        "sign_share_of_deficits": float(np.mean([row.sign for row in ill])) if ill else None,
        "strata": {name: _stratum(part) for name, part in strata.items()},
        "twins": {
            "effective_median": float(np.median([row.effective_twins for row in rows])),
            "tempered_share": float(np.mean([row.inflation > 1 for row in rows])),
            "inflation_where_tempered": float(np.mean([r.inflation for r in rows if r.inflation > 1] or [1.0])),
            "minimum_effective": MINIMUM_EFFECTIVE_TWINS,
        },
    }


def _auc(positive: Sequence[float], negative: Sequence[float]) -> float | None:
    """Share of pairs in the right order, ties half."""
    if not positive or not negative:
        return None
    one, other = np.asarray(positive)[:, None], np.asarray(negative)[None]
    return float(((one > other) + 0.5 * (one == other)).mean())


def as_rows(rows: Sequence[PatientCeiling]) -> list[dict]:
    """Each patient as plain JSON values."""
    return [{**asdict(row), "side_right": row.side_right} for row in rows]
