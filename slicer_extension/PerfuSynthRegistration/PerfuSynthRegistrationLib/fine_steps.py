"""Fine steps by keyboard: which key moves or turns the moving image which way, and by how much."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .rigid import shift_by, turn_about

#: A step of a key: mm, degrees; with Shift it is so many times as large. [d]
STEP_MM, STEP_DEG, SHIFT_FACTOR = 0.5, 0.5, 5.0


class FineStep(NamedTuple):
    """What a key does to the moving image.

    Attributes
    ----------
    key
        As Qt names it, without Shift.
    words
        For the list of keys and for *undo*.
    turns
        Whether it turns (about ``axis``, right-handed) or moves (along it).
    axis
        RAS unit vector.
    """

    key: str
    words: str
    turns: bool
    axis: tuple[int, int, int]

    def matrix(self, centre: np.ndarray, large: bool = False) -> np.ndarray:
        """Rigid matrix (RAS, mm) of one step; turns are about ``centre``; ``large``: with Shift."""
        factor = SHIFT_FACTOR if large else 1.0
        if self.turns:
            return turn_about(np.array(self.axis, float), factor * STEP_DEG, centre)
        return shift_by(factor * STEP_MM * np.array(self.axis, float))

    def told(self, large: bool = False) -> str:
        """What is written in *undo*: ``0.5 mm to the left``."""
        factor = SHIFT_FACTOR if large else 1.0
        return f"{factor * STEP_DEG:g}° {self.words}" if self.turns else f"{factor * STEP_MM:g} mm {self.words}"


#: All keys. The patient's left is on the screen's right: the right arrow moves to the screen's right.
STEPS: tuple[FineStep, ...] = (
    FineStep("Right", "to the patient's left (screen right)", False, (-1, 0, 0)),
    FineStep("Left", "to the patient's right (screen left)", False, (1, 0, 0)),
    FineStep("Up", "to the front", False, (0, 1, 0)),
    FineStep("Down", "to the back", False, (0, -1, 0)),
    FineStep("PgUp", "upwards (superior)", False, (0, 0, 1)),
    FineStep("PgDown", "downwards (inferior)", False, (0, 0, -1)),
    FineStep("Q", "anticlockwise in the axial view", True, (0, 0, -1)),
    FineStep("E", "clockwise in the axial view", True, (0, 0, 1)),
    FineStep("A", "anticlockwise in the coronal view", True, (0, 1, 0)),
    FineStep("D", "clockwise in the coronal view", True, (0, -1, 0)),
    FineStep("W", "nose up", True, (1, 0, 0)),
    FineStep("S", "nose down", True, (-1, 0, 0)),
)
_BY_KEY = {step.key: step for step in STEPS}


def step_of(key: str) -> FineStep:
    """The step of a key of `STEPS`."""
    return _BY_KEY[key]
