"""Percentile bootstrap over patients; every method is resampled alike, so that differences are paired."""

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np

from perfusynth.evaluation.information_ceiling.agreement import CONFIDENCE, RESAMPLINGS

#: A figure, its 95 % interval and of how many patients; plain JSON values, None where there is none.
Estimate = dict[str, float | int | None]
#: A figure of patients along the last axis of each column, ``(..., n)`` to ``(...)``; NaN where it is not defined.
Statistic = Callable[..., np.ndarray]
#: Digits after the point.
DIGITS = 4
#: Patients from which an interval is given [d].
INTERVAL_PATIENTS = 8


def estimate(statistic: Statistic, *columns: Sequence[float | bool] | np.ndarray) -> Estimate:
    """A statistic of columns of equal length ``(n,)``, and its interval over resampled patients."""
    data = [np.asarray(column, dtype=np.float64) for column in columns]
    n = len(data[0])
    value = float(statistic(*data)) if n else np.nan
    found: Estimate = {"value": _rounded(value), "low": None, "high": None, "n": n}
    if not np.isfinite(value) or n < INTERVAL_PATIENTS:
        return found
    index = _resampled(n)
    drawn = statistic(*(column[index] for column in data))
    low, high = np.quantile(drawn[np.isfinite(drawn)], [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return {**found, "low": _rounded(low), "high": _rounded(high)}


def mean_of(values: Sequence[float | bool] | np.ndarray) -> Estimate:
    """Mean over patients and its interval."""
    return estimate(lambda column: column.mean(axis=-1), values)


@lru_cache(maxsize=4)
def _resampled(n: int) -> np.ndarray:
    """Patients of every resampling, ``(RESAMPLINGS, n)``."""
    return np.random.default_rng(0).integers(n, size=(RESAMPLINGS, n), dtype=np.int32)


def _rounded(value: float) -> float | None:
    return round(float(value), DIGITS) if np.isfinite(value) else None
