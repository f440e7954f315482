"""The case that is worked on: its transform in the scene, the verdict, and what of it is not with the server yet."""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from PerfuSynthLib.problems import Problem

from .registration_scene import RegistrationScene
from .rigid import inverse, largest_way_mm
from .session_cases import LoadedCase, kind_of
from .unsent_work import UnsentStore, UnsentWork
from .worklist_answers import Case, Version

#: Verdicts, as the server knows them.
ACCEPT, CORRECTED, FAIL = "accept", "corrected", "fail"
#: How long work rests before it is kept on this machine, s: a crash of the program costs no more than this. [d]
KEEP_REST_S = 1.0
#: A place of the head that lies elsewhere by more than this was moved, mm: the server takes 0.05 for unchanged. [d]
MOVED_MM = 0.01
#: Where that is looked at, around the head's centre, mm. [d]
_AROUND_MM = 100.0 * np.vstack([np.zeros(3), np.eye(3), -np.eye(3)])


class Work:
    """One case at a time; all methods belong to the main thread.

    Parameters
    ----------
    show
        Brings a case into the scene and gives what it can be moved with.
    store
        Keeps what is not with the server.
    changed
        Called when something may look different.

    Attributes
    ----------
    scene
        The images in their views; None before a case was opened.
    case
        The case as the work on it began.
    verdict, reason
        As far as they are given.
    revision
        State of the case on which the work began.
    agreement_before
        Mutual information of the images as the case was opened; None before.
    problem
        Why work could not be kept on this machine, or not be removed from it.
    """

    def __init__(
        self, show: Callable[[LoadedCase], RegistrationScene], store: UnsentStore, changed: Callable[[], None]
    ):
        self._show, self._store, self._changed = show, store, changed
        self.problem: Problem | None = None
        self._forget()

    def _forget(self) -> None:
        self.loaded: LoadedCase | None = None
        self.scene: RegistrationScene | None = None
        self.case: Case | None = None
        self.verdict, self.reason, self.revision = "", "", ""
        self.agreement_before: float | None = None
        self._touched_at: float | None = None

    # --- coming and going

    def begin(self, loaded: LoadedCase, kept: UnsentWork | None = None) -> None:
        """Show a case; with what was kept of earlier work on it, as that left it."""
        self.end()
        self.scene = self._show(loaded)
        self.loaded, self.case, self.revision = loaded, loaded.case, loaded.case.revision
        self.agreement_before = self.scene.nmi()
        self.scene.on_change = self.touched
        if kept is not None:
            self.verdict, self.reason, self.revision = kept.verdict, kept.reason, kept.revision
            self.scene.set_fixed_to_moving(kept.fixed_to_moving, "what was kept")
        self._changed()

    def end(self) -> None:
        """The case leaves the scene; what is not with the server stays kept."""
        self.keep_now()
        if self.scene is not None:
            self.scene.remove()
        self._forget()
        self._changed()

    # --- what is done to it

    def touched(self) -> None:
        """The transform was moved."""
        self._touched_at = time.monotonic()
        if self.verdict == ACCEPT and self.moved:
            self.verdict = CORRECTED  # it is not accepted as the server has it any more
        self._changed()

    def judge(self, verdict: str) -> None:
        """Give a verdict."""
        if self.case is not None and verdict != self.verdict:
            self.verdict = verdict
            self._touched_at = time.monotonic()
            self._changed()

    def explain(self, reason: str) -> None:
        """Give the reason."""
        if self.case is not None and reason != self.reason:
            self.reason = reason
            self._touched_at = time.monotonic()
            self._changed()

    def show_version(self, version: Version, words: str) -> None:
        """Lay the moving image as a version of the history did."""
        if self.scene is not None:
            self.scene.set_fixed_to_moving(version.fixed_to_moving, words)

    def rebase(self, case: Case) -> None:
        """Go on with the same transform on a newer state of the case."""
        if self.loaded is not None:
            self.case, self.loaded, self.revision = case, self.loaded._replace(case=case), case.revision
            if self.scene is not None:
                self.scene.begin_at(case.present.fixed_to_moving)
            if self.verdict == ACCEPT and self.moved:
                self.verdict = CORRECTED  # what was accepted is not what the server has now
            self._touched_at = time.monotonic()
            self._changed()

    # --- how it stands

    @property
    def fixed_to_moving(self) -> np.ndarray:
        """The transform now, 4x4, RAS mm."""
        return np.eye(4) if self.scene is None else self.scene.fixed_to_moving

    @property
    def moved(self) -> bool:
        """Whether the transform is another one than the server's."""
        if self.scene is None or self.case is None:
            return False
        way = inverse(self.scene.fixed_to_moving) @ self.case.present.fixed_to_moving
        return largest_way_mm(way, self.scene.centre + _AROUND_MM) > MOVED_MM

    @property
    def submitted(self) -> bool:
        """Whether the server has it as it is now."""
        if self.case is None or not self.verdict or self.moved:
            return False
        present = self.case.present
        return (self.verdict, self.reason.strip()) == (present.verdict, present.reason)

    @property
    def unsent(self) -> bool:
        """Whether there is work that the server does not have."""
        return self.case is not None and not self.submitted and bool(self.moved or self.verdict or self.reason.strip())

    def why_not_submit(self) -> str:
        """What is missing for a submission; empty when it can start."""
        if self.case is None:
            return "Open a case first."
        if self.submitted:
            return "The server has it."
        if not self.verdict:
            return "Give a verdict."
        if self.verdict == ACCEPT and self.moved:
            return "The NCCT was moved: choose Corrected, or reset it."
        if self.verdict == CORRECTED and not self.moved and self.case.present.verdict != CORRECTED:
            return "Nothing was moved: choose Accept, or correct it."
        if self.verdict == FAIL and not self.reason.strip():
            return "Say why it fails."
        return ""

    # --- on this machine

    def tick(self) -> None:
        """Keep the work, once the hand rests."""
        if self._touched_at is not None and time.monotonic() - self._touched_at > KEEP_REST_S:
            self.keep_now()

    def keep_now(self) -> None:
        """Keep what is not with the server; forget what is."""
        if self.case is None or self.loaded is None or self._touched_at is None:
            return
        self._touched_at = None
        try:
            self._keep(self.loaded.client.settings.address, self.case.name)
            self.problem = None
        except Problem as problem:
            self.problem = problem
            self._touched_at = time.monotonic()  # tried again after the next rest
        self._changed()

    def _keep(self, address: str, name: str) -> None:
        if not self.unsent:
            self._store.forget(address, name)
            return
        now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
        matrix = self.fixed_to_moving
        self._store.keep(UnsentWork(address, name, self.revision, matrix, self.verdict, self.reason, now))

    def drop(self) -> None:
        """Throw the work away: the case leaves the scene, nothing of it is kept."""
        self._touched_at = None
        if self.case is not None and self.loaded is not None:
            try:
                self._store.forget(self.loaded.client.settings.address, self.case.name)
            except Problem as problem:
                self.problem = problem
        self.end()


def who(version: Version) -> str:
    """Who made a version, in words."""
    return version.author or {"known": "known", "automatic": "automatic"}.get(version.method, "somebody")


def show_in(
    scene: Any, renderer_of: Callable[[str], Any], request_render: Callable[[str], None]
) -> Callable[[LoadedCase], RegistrationScene]:
    """How `Work` shows a case in the program's scene."""

    def show(loaded: LoadedCase) -> RegistrationScene:
        case = loaded.case
        matrix = case.present.fixed_to_moving
        return RegistrationScene.show(
            scene,
            loaded.fixed,
            loaded.moving,
            matrix,
            renderer_of,
            request_render,
            kind=kind_of(case),
            title=case.name,
            prepared=loaded.prepared,
            compared=loaded.compared,
        )

    return show
