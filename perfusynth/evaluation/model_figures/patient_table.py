"""Rows of several methods on the same patients, as columns that can be compared."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

Row = Mapping[str, Any]


class PatientTable:
    """Rows by method and case; only cases that every method has a row of count.

    Parameters
    ----------
    rows
        One of each case and method; ``case``, ``method`` and ``kind`` among their keys.
    """

    def __init__(self, rows: Sequence[Row]):
        self._rows: dict[str, dict[str, Row]] = {}
        for row in rows:
            self._rows.setdefault(row["method"], {})[row["case"]] = row
        of_all = set.intersection(*(set(found) for found in self._rows.values())) if self._rows else set()
        # In the order of the first rows: files of several processes are in no order.
        self.cases = sorted(of_all, key=lambda case: (len(case), case))

    @property
    def methods(self) -> list[str]:
        """Names, in the order of their first rows."""
        return list(self._rows)

    def kind(self, method: str) -> str:
        """``model``, ``baseline`` or ``ceiling``."""
        return next(iter(self._rows[method].values()))["kind"]

    def identity(self, method: str) -> str:
        """Hash of the method's weights or fit."""
        return next(iter(self._rows[method].values()))["identity"]

    def rows(self, method: str, where: Callable[[Row], bool] = lambda row: True) -> list[Row]:
        """A method's rows of the cases for which ``where`` holds, in the order of `cases`."""
        found = (self._rows[method][case] for case in self.cases)
        return [row for row in found if where(row)]

    def columns(
        self, method: str, *names: str, where: Callable[[Row], bool] = lambda row: True
    ) -> tuple[np.ndarray, ...]:
        """Figures of a method, float ``(n,)`` each, of the patients who have all of them."""
        known = [row for row in self.rows(method, where) if all(row.get(name) is not None for name in names)]
        return tuple(np.array([row[name] for row in known], dtype=np.float64) for name in names)

    def pairs(
        self, one: str, other: str, figure: Callable[[Row], float | None], where: Callable[[Row], bool]
    ) -> tuple[np.ndarray, np.ndarray]:
        """The same figure of two methods on the patients who have it from both."""
        both = [
            (figure(self._rows[one][case]), figure(self._rows[other][case]))
            for case in self.cases
            if where(self._rows[one][case])
        ]
        known = np.array([pair for pair in both if None not in pair], dtype=np.float64).reshape(-1, 2)
        return known[:, 0], known[:, 1]


def has_deficit(row: Row) -> bool:
    """Whether there is a deficit to find."""
    return bool(row["deficit"])


def no_deficit(row: Row) -> bool:
    """Whether nothing was drawn that a reader should find."""
    return not row["deficit"]


def has_sign(row: Row) -> bool | None:
    """Whether clot or core is visible (`case.json` ``sign``); None where nobody knows."""
    if row.get("sign_clot") is None or row.get("sign_core") is None:
        return None
    return bool(row["sign_clot"] or row["sign_core"])
