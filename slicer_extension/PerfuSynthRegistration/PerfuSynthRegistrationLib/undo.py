"""What was done to a transform, step by step: back, forth, and how it began."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

#: Steps that are kept; the oldest are forgotten, the beginning never. [d]
MOST_STEPS = 500


class Step(NamedTuple):
    """A transform after something was done (4x4), and what was done, in words for the user; "" at the beginning."""

    matrix: np.ndarray
    words: str


class UndoHistory:
    """States of one transform.

    Parameters
    ----------
    beginning
        4x4; what `reset` goes back to.
    """

    def __init__(self, beginning: np.ndarray):
        self._beginning = Step(np.array(beginning, float), "")
        self._steps = [self._beginning]
        self._now = 0

    @property
    def matrix(self) -> np.ndarray:
        """The transform now."""
        return self._steps[self._now].matrix

    @property
    def beginning(self) -> np.ndarray:
        """The transform before anything was done."""
        return self._beginning.matrix

    def begin_at(self, matrix: np.ndarray) -> None:
        """`reset` goes back to another transform from now on; what was done can still be undone."""
        self._beginning = Step(np.array(matrix, float), "")

    def do(self, matrix: np.ndarray, words: str, goes_on: bool = False) -> bool:
        """Note a new state; what was undone before cannot be redone any more. Returns whether it is new at all.

        With ``goes_on`` it takes the place of the last state, if that bears the same words: one movement, many events.
        """
        if np.array_equal(matrix, self.matrix):
            return False
        del self._steps[self._now + 1 :]
        if goes_on and self.undo_words == words:
            self._steps.pop()
        self._steps.append(Step(np.array(matrix, float), words))
        del self._steps[: max(0, len(self._steps) - MOST_STEPS)]
        self._now = len(self._steps) - 1
        return True

    @property
    def undo_words(self) -> str | None:
        """What `undo` would take back; None where there is nothing."""
        return self._steps[self._now].words if self._now > 0 else None

    @property
    def redo_words(self) -> str | None:
        """What `redo` would do again; None where there is nothing."""
        return self._steps[self._now + 1].words if self._now + 1 < len(self._steps) else None

    def undo(self) -> np.ndarray:
        """Go back one step, if there is one; returns the transform then."""
        self._now = max(0, self._now - 1)
        return self.matrix

    def redo(self) -> np.ndarray:
        """Go forth one step, if there is one; returns the transform then."""
        self._now = min(len(self._steps) - 1, self._now + 1)
        return self.matrix
