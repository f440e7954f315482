"""From pairs of predicted and true volumes to a table of 90 % intervals.

Split-conformal, conditional on predicted volume (Mondrian: Vovk, Gammerman and Shafer, "Algorithmic Learning in a
Random World", 2005): calibration patients are grouped by predicted volume, and within a group the residual
sqrt(true) - sqrt(predicted) of a new patient is exchangeable with theirs, so that it lies between two of their
quantiles with the wanted probability whatever the distribution is.

Why so, from simulated pairs (1000 for calibration, 60 tables each, half of the patients occult, a third of the
predictions 0 mL): marginal coverage 0.901 and 0.885-0.927 by finer groups of predicted volume. Quantiles that are
interpolated between groups gave 0.910 and up to 0.933; ends that were made to rise with the prediction everywhere
(isotonic) 0.881 and down to 0.778; cross-fitted offsets of smoothed quantiles 0.905 with a third more spread. So the
ends rise within a group and may step where the next begins.

- The square root makes errors of small and large volumes alike, and no end is below 0 mL.
- Order statistics stand at level x (n + 1), interpolated between neighbours ("weibull"): in expectation the coverage is
  the level itself, neither above nor below by up to 1 / (n + 1), as rounding to the next patient would have it.
- Predictions of exactly 0 mL are a group of their own with a one-sided interval from 0: a lower end of 0 holds all
  patients whose own volume is 0, so a second tail below it would be spent on nobody and the interval cover too much.
  Where more than the level of that group truly have 0 mL the interval is 0 to 0 mL and must cover too much:
  `perfusynth.evaluation.intervals.coverage` tells how often.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from perfusynth.perfusion.volume_intervals import VolumeGroup

#: Volumes in mL of the same patients: predicted, own.
Pairs = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class CalibrationSettings:
    """How a table is made.

    Parameters
    ----------
    level
        Share of patients whose own volume is to lie inside [DESIGN].
    patients_minimum
        Fewer calibration patients are refused [DESIGN].
    group_patients
        Patients in a group of predicted volume, at least: its coverage then varies by 3 % (SD) between tables [d].
    groups_maximum
        Groups of predictions above 0 mL [d].
    zeros_minimum
        Fewer predictions of exactly 0 mL are no group of their own [d].
    """

    level: float = 0.90
    patients_minimum: int = 1000
    group_patients: int = 100
    groups_maximum: int = 8
    zeros_minimum: int = 50

    def __post_init__(self) -> None:
        if not 0.5 <= self.level < 1 or min(self.group_patients, self.zeros_minimum, self.groups_maximum) < 1:
            raise ValueError(f"expected 0.5 <= level < 1 and groups of patients, got {self}")


def groups_of(predicted_ml: np.ndarray, true_ml: np.ndarray, settings: CalibrationSettings) -> list[VolumeGroup]:
    """Groups of one threshold from the volumes of the calibration patients, ``(n,)`` each, mL."""
    predicted, own = (np.asarray(values, dtype=float) for values in (predicted_ml, true_ml))
    tail = (1 - settings.level) / 2
    groups = []
    for above, members in _members(predicted, settings):
        residual = np.sqrt(own[members]) - np.sqrt(predicted[members])
        one_sided = not predicted[members].any()
        tails = [0.0, settings.level] if one_sided else [tail, 1 - tail]
        low, high = np.quantile(residual, tails, method="weibull")
        low = 0.0 if one_sided else low
        groups.append(VolumeGroup(above_ml=above, low=low, high=high, patients=int(members.sum())))
    return groups


def _members(predicted: np.ndarray, settings: CalibrationSettings) -> list[tuple[float, np.ndarray]]:
    """Lower edge (mL) and members of each group: the zeros, then equal shares of the rest."""
    zero = predicted == 0
    own_group = zero.sum() >= settings.zeros_minimum
    others = np.sort(predicted[~zero] if own_group else predicted)
    count = int(np.clip(len(others) // settings.group_patients, 1, settings.groups_maximum))
    if own_group and len(others) < settings.zeros_minimum:
        return [(-1.0, np.ones(len(predicted), dtype=bool))]
    edges = [float(others[len(others) * number // count - 1]) for number in range(1, count)]
    # Equal predictions stay together: no edge lies at 0 mL or at the largest.
    edges = sorted({edge for edge in edges if 0 < edge < others[-1]})
    below = [-1.0, 0.0, *edges] if own_group else [-1.0, *edges]
    above = [*below[1:], np.inf]
    return [(low, (predicted > low) & (predicted <= high)) for low, high in zip(below, above, strict=True)]


def pairs_of_rows(rows: Sequence[Mapping[str, Any]], keys: Mapping[str, tuple[str, str]]) -> dict[str, Pairs]:
    """Pairs by threshold out of patients' rows; patients without a figure (no core without normal tissue) left out.

    ``keys`` name a row's predicted and true volume by threshold.
    """
    found = {}
    for key, (made, truth) in keys.items():
        known = [(row[made], row[truth]) for row in rows if row.get(made) is not None and row.get(truth) is not None]
        predicted, own = np.array(known, dtype=float).reshape(-1, 2).T
        found[key] = (predicted, own)
    return found
