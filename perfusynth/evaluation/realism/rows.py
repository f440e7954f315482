"""A row of the acceptance table, and the patients that rows select."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from perfusynth.evaluation.realism.estimates import Estimate

#: One patient's figures by name; a figure that a patient does not have is absent or None.
Patient = Mapping[str, Any]


def ill(patient: Patient) -> bool:
    """Has an acute occlusion."""
    return patient["site"] != "none"


def everyone(patient: Patient) -> bool:
    """No selection."""
    return True


def proximal(patient: Patient) -> bool:
    """ICA or M1 occlusion."""
    return patient["site"] in ("ICA", "M1")


def within(low_h: float, high_h: float, also: Callable[[Patient], bool] = ill) -> Callable[[Patient], bool]:
    """Imaged after ``low_h`` and up to ``high_h``."""
    return lambda patient: also(patient) and low_h < patient["onset_h"] <= high_h


def chronic(patient: Patient) -> bool:
    """A chronic ICA occlusion that mimics a stroke on Tmax."""
    return bool(patient["chronic_ica"])


@dataclass(frozen=True)
class Row:
    """One statistic of the acceptance table.

    Parameters
    ----------
    statistic, published, source
        For readers: what is computed, what was published, by whom (key; "†": from memory).
    low, high
        The estimates that are accepted, tolerance included, in ``unit``.
    columns, where, estimate
        ``estimate(*columns)`` over the patients that ``where`` selects and that have all ``columns``.
    scale
        From the estimate to ``unit`` (100 for a share given in %).
    counts
        How many patients the estimate rests on, where not all that were selected.
    explanation
        Why an estimate outside the range is not a fault of the patients; empty where there is no such reason.
    """

    key: str
    group: str
    statistic: str
    published: str
    source: str
    low: float
    high: float
    unit: str
    columns: tuple[str, ...]
    estimate: Estimate
    where: Callable[[Patient], bool] = everyone
    scale: float = 1.0
    counts: Callable[..., int] | None = None
    explanation: str = ""

    def select(self, patients: Sequence[Patient]) -> list[np.ndarray]:
        """The columns of the selected patients."""
        chosen = [p for p in patients if self.where(p) and all(p.get(name) is not None for name in self.columns)]
        return [np.array([p[name] for p in chosen]) for name in self.columns]
