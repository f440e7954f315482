"""Automatic again from here: the open case's images are registered off the main thread, beginning as they lie now."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PerfuSynthLib.background import Background
from PerfuSynthLib.problems import Problem

from .refine import refine
from .session_cases import kind_of
from .session_work import Work

_LANE = "automatic"


class Automatic:
    """Registers the open case.

    Parameters
    ----------
    work
        The case.
    background, changed
        Where the work is done; what is called when something may look different.

    Attributes
    ----------
    text, failed
        How it stands, in words, and whether that is a problem.
    """

    def __init__(self, work: Work, background: Background, changed: Callable[[], None]):
        self._work, self._background, self._changed = work, background, changed
        self.text, self.failed = "", False

    @property
    def running(self) -> bool:
        """Whether it is at work."""
        return self._background.busy(_LANE)

    def start(self) -> None:
        """Begin with the images as they lie now."""
        loaded, start = self._work.loaded, self._work.fixed_to_moving
        if loaded is None or self.running:
            return
        kind = kind_of(loaded.case)
        self._background.run(
            _LANE,
            lambda cancelled: refine(loaded.fixed, loaded.moving, start, cancelled, kind),
            self._found,
            self._not_found,
        )
        self._say("Registering ...")

    def stop(self) -> None:
        """Give it up; the transform stays as it is."""
        self._background.forget(_LANE)
        self._say("")

    def _found(self, matrix: np.ndarray) -> None:
        if self._work.scene is not None:
            self._work.scene.set_fixed_to_moving(matrix, "automatic registration")
        self._say("Registered automatically; look before you submit.")

    def _not_found(self, problem: Problem) -> None:
        self._say(f"{problem.what} {problem.what_to_do}", failed=True)

    def _say(self, text: str, failed: bool = False) -> None:
        self.text, self.failed = text, failed
        self._changed()
