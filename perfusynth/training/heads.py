"""One patient on the model grid, as training and tuning see him, wherever he came from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np


@dataclass(frozen=True, eq=False)
class Head:
    """A patient's images on the model grid, in nearest-RAS order.

    Parameters
    ----------
    name
        Names the patient: a seed, a case folder. Two heads with one name are one patient.
    volumes
        Inputs and maps by name, float32 ``(x, y, slabs)`` in their units (``ncct`` [HU], ``tmax`` [s], ``cbf``
        [mL/100 g/min], ...); maps are 0 where they do not exist. ``core`` (share of infarct, 0 to 1) is there where
        it is known.
    brain
        bool, same shape.
    valid
        bool, same shape: where the maps exist (a perfusion study may cover less than the head).
    """

    name: str
    volumes: Mapping[str, np.ndarray]
    brain: np.ndarray
    valid: np.ndarray


class HeadSource(Protocol):
    """Patients by number, in an order that is written down; several processes may ask at once."""

    @property
    def names(self) -> list[str]:
        """The patients' names, in order."""
        ...

    def __call__(self, index: int) -> Head:
        """The patient of that number."""
        ...
