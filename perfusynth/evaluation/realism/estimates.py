"""Statistics over patients, and their 95 % intervals by resampling patients."""

from collections.abc import Callable

import numpy as np
from scipy import stats

#: Resamples of a bootstrap, and the seed that makes the table repeatable.
RESAMPLES, BOOTSTRAP_SEED = 1000, 20260
#: Two-sided level of every interval.
LEVEL = 0.95

Estimate = Callable[..., float]


def share(flags: np.ndarray) -> float:
    """Share 0-1 of patients with a property."""
    return float(np.mean(flags))


def mean(values: np.ndarray) -> float:
    """Mean over patients."""
    return float(np.mean(values))


def median(values: np.ndarray) -> float:
    """Median over patients."""
    return float(np.median(values))


def area_under_curve(ill: np.ndarray, well: np.ndarray) -> float:
    """Probability that an ill patient's score exceeds a well one's, ties counting half (Mann-Whitney)."""
    ranks = stats.rankdata(np.concatenate([ill, well]))
    excess = ranks[: len(ill)].sum() - len(ill) * (len(ill) + 1) / 2
    return float(excess / (len(ill) * len(well)))


def sensitivity_at_specificity(ill: np.ndarray, well: np.ndarray, specificity: float) -> float:
    """Share of ``ill`` scores above the quantile that leaves ``specificity`` of the ``well`` ones below it."""
    return share(ill > np.quantile(well, specificity))


def share_interval(flags: np.ndarray) -> tuple[float, float]:
    """Wilson interval of a share: honest also where all patients have the property, or none."""
    found = stats.binomtest(int(np.sum(flags)), len(flags)).proportion_ci(LEVEL, method="wilson")
    return float(found.low), float(found.high)


def interval(estimate: Estimate, columns: list[np.ndarray]) -> tuple[float, float]:
    """Percentile interval of ``estimate(*columns)`` over resampled patients; shares: Wilson's."""
    if estimate is share:
        return share_interval(columns[0])
    rng = np.random.default_rng(BOOTSTRAP_SEED)
    count = len(columns[0])
    found = []
    for _ in range(RESAMPLES):
        at = rng.integers(count, size=count)
        found.append(estimate(*(column[at] for column in columns)))
    tail = 50 * (1 - LEVEL)
    low, high = np.nanpercentile(found, [tail, 100 - tail])
    return float(low), float(high)
