"""How good probabilities of an event are: Brier score, area under the ROC curve, and reliability."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from perfusynth.evaluation.model_figures.bootstrap import Estimate, estimate

#: Bins of the reliability table: finer where the decision is made (cases are left out above 0.2) [d].
EDGES = (0.0, 0.05, 0.2, 0.5, 0.8, 0.95, 1.0)
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Bin:
    """Pairs whose probability lies from ``low`` up to ``high``, its mean, and how many of them are wrong."""

    low: float
    high: float
    pairs: int
    mean_probability: float
    wrong: int

    @property
    def observed(self) -> tuple[float, float, float]:
        """Share that is wrong, and its Clopper-Pearson interval."""
        interval = stats.binomtest(self.wrong, self.pairs).proportion_ci(CONFIDENCE, method="exact")
        return self.wrong / self.pairs, float(interval.low), float(interval.high)


def brier(probabilities: Sequence[float], wrong: Sequence[bool]) -> Estimate:
    """Mean squared difference of probability and event, 0 to 1, less is better, with its interval over pairs."""
    return estimate(lambda p, y: ((p - y) ** 2).mean(axis=-1), probabilities, wrong)


def auc(probabilities: Sequence[float], wrong: Sequence[bool]) -> Estimate:
    """Share of (wrong, right) pairs of registrations in the right order, ties half, with its interval."""
    return estimate(_auc, probabilities, wrong)


def _auc(probabilities: np.ndarray, wrong: np.ndarray) -> np.ndarray:
    ranks = stats.rankdata(probabilities, axis=-1)
    positive = wrong.sum(axis=-1)
    negative = wrong.shape[-1] - positive
    above = (ranks * wrong).sum(axis=-1) - positive * (positive + 1) / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(above / (positive * negative))


def reliability(probabilities: Sequence[float], wrong: Sequence[bool]) -> list[Bin]:
    """Bins of `EDGES` that hold a pair."""
    p, y = np.asarray(probabilities, dtype=float), np.asarray(wrong, dtype=bool)
    which = np.clip(np.searchsorted(EDGES, p, side="right") - 1, 0, len(EDGES) - 2)
    return [
        Bin(EDGES[k], EDGES[k + 1], int((which == k).sum()), float(p[which == k].mean()), int(y[which == k].sum()))
        for k in range(len(EDGES) - 1)
        if (which == k).any()
    ]
