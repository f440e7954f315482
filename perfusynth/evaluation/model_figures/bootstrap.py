"""Percentile bootstrap over patients; every method is resampled alike, so that differences are paired."""

from collections.abc import Callable, Sequence

import numpy as np

from perfusynth.evaluation.information_ceiling.agreement import CONFIDENCE, RESAMPLINGS, mean_with_interval

#: A figure, its 95 % interval and of how many patients; plain JSON values, None where there is none.
Estimate = dict[str, float | int | None]
#: Digits after the point.
DIGITS = 4
#: Patients from which an interval is given [d].
INTERVAL_PATIENTS = 8


def mean_of(values: Sequence[float | bool] | np.ndarray) -> Estimate:
    """Mean over patients and its interval."""
    found = mean_with_interval(np.asarray(values, dtype=np.float64))
    known = len(values) >= INTERVAL_PATIENTS
    low, high = (found[end] if known else None for end in ("low", "high"))
    return {"value": found["mean"], "low": low, "high": high, "n": len(values)}


def estimate(
    statistic: Callable[..., float | None], *columns: Sequence[float | bool] | np.ndarray, seed: int = 0
) -> Estimate:
    """A statistic of columns of equal length, and its interval over resampled patients.

    Parameters
    ----------
    statistic
        Takes the columns (float arrays ``(n,)``) of some patients and gives a number, or None where it has none.
    """
    data = [np.asarray(column, dtype=np.float64) for column in columns]
    n = len(data[0])
    value = statistic(*data) if n else None
    found: Estimate = {"value": _rounded(value), "low": None, "high": None, "n": n}
    if value is None or n < INTERVAL_PATIENTS:
        return found
    rng = np.random.default_rng(seed)
    drawn = (statistic(*(column[index] for column in data)) for index in rng.integers(n, size=(RESAMPLINGS, n)))
    known = [number for number in drawn if number is not None]
    low, high = np.quantile(known, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return {**found, "low": _rounded(low), "high": _rounded(high)}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(float(value), DIGITS)
