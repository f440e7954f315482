"""The annotator's work from the worklist to the submission, free of Qt: what buttons call, what `tick` brings in."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

from PerfuSynthLib.background import Background
from PerfuSynthLib.problems import Problem
from PerfuSynthLib.server_settings import ServerBook
from PerfuSynthLib.session_connection import CONNECTED, ServerConnection

from .session_automatic import Automatic
from .session_cases import Cases, LoadedCase
from .session_submission import Submission
from .session_work import Work, show_in
from .unsent_work import UnsentStore, UnsentWork
from .worklist_check import check_worklist
from .worklist_client import WorklistClient

#: How long the end of the program waits until open cases are given back, s. [d]
_GIVE_BACK_S = 2.0


class Surroundings(NamedTuple):
    """What the session is given of the program that it runs in.

    Attributes
    ----------
    scene
        The MRML scene.
    book
        Where servers are remembered: the same ones as in the module PerfuSynth.
    unsent
        Keeps what is not with the server.
    renderer_of
        The renderer of a slice view by its name; None where the layout does not show it.
    request_render
        Draws a slice view anew, by its name, as soon as the program finds time.
    """

    scene: Any
    book: ServerBook
    unsent: UnsentStore
    renderer_of: Callable[[str], Any]
    request_render: Callable[[str], None]


class RegistrationSession:
    """Server, cases, the open case, its submission. All methods belong to the main thread.

    Attributes
    ----------
    revision
        Counts up when something may look different.
    go_on
        Whether the next case is opened once one is submitted.
    problem
        Why the last case could not be shown, or kept work not be thrown away.
    """

    def __init__(self, surroundings: Surroundings):
        self._around = surroundings
        self._background = Background()
        self.revision = 0
        self.go_on = True
        self.problem: Problem | None = None
        self._client_of: Any = None
        self.connection = ServerConnection(surroundings.book, self._background, self._changed, check_worklist)
        show = show_in(surroundings.scene, surroundings.renderer_of, surroundings.request_render)
        self.work = Work(show, surroundings.unsent, self._changed)
        self.cases = Cases(self._background, self._changed, self._loaded)
        self.submission = Submission(self.work, self._background, self._changed, self._submitted)
        self.automatic = Automatic(self.work, self._background, self._changed)

    def tick(self) -> None:
        """Bring in what threads and server have done since; called by a timer."""
        self._background.deliver()
        if self.connection.client not in (None, self._client_of):
            self._client_of = self.connection.client
            self._use(WorklistClient(self.connection.settings))
        self.cases.tick()
        self.work.tick()

    def close(self) -> None:
        """The program ends: work is kept, cases are given back."""
        self.work.end()
        self.cases.let_go()
        end = time.monotonic() + _GIVE_BACK_S
        while self.cases.giving_back and time.monotonic() < end:
            self._background.deliver()
            time.sleep(0.02)
        self._background.shutdown()

    @property
    def warnings(self) -> list[str]:
        """What must stay in sight."""
        told = [f"{problem.what} {problem.what_to_do}" for problem in (self.problem, self.work.problem) if problem]
        lost = self.cases.lost
        if lost and self.work.case is not None and lost == self.work.case.name:
            told.append("Another annotator was given this case meanwhile: who submits last is asked.")
        return told

    # --- cases

    def why_no_next(self) -> str:
        """Why no case can be opened now; empty when one can."""
        if self.connection.state != CONNECTED:
            return "Connect to a server first."
        if self.submission.sending:
            return "The case is being sent."
        return "A case is on its way." if self.cases.loading else ""

    def next_case(self) -> None:
        """Open the worst case that is left. What is not submitted of the open one is kept on this machine."""
        if not self.why_no_next():
            self._leave()
            self.cases.next()

    def open_case(self, name: str) -> None:
        """Open a chosen case."""
        if not self.why_no_next():
            self._leave()
            self.cases.open(name)

    def leave_question(self) -> str:
        """What the user is asked before a case with unsent work is left; empty where there is none."""
        if not self.work.unsent or self.work.case is None:
            return ""
        self.work.keep_now()  # whether it can be kept is known only then
        kept = "It is kept on this computer and offered again."
        if self.work.problem is not None:
            kept = f"IT WILL BE LOST: {self.work.problem.what} Submit it first, or make room on the disk."
        return f"Your work on {self.work.case.name} has not been submitted.\n\nLeave it all the same? {kept}"

    def scene_closes(self) -> None:
        """The scene is emptied: the case goes with it and back to the others, its work is kept."""
        self._leave()
        self.cases.start_over()

    # --- work that is kept

    @property
    def kept(self) -> list[UnsentWork]:
        """Work on cases of this server, other than the open one, that has not reached it."""
        if self.connection.state != CONNECTED:
            return []
        open_case = self.work.case.name if self.work.case is not None else ""
        return [work for work in self._around.unsent.of(self.connection.address) if work.case != open_case]

    def take_up(self) -> None:
        """Open the case of the oldest kept work, as that left it."""
        kept = self.kept
        if kept and not self.why_no_next():
            self.open_case(kept[0].case)

    def give_up(self) -> None:
        """Throw the oldest kept work away."""
        self.problem = None
        for work in self.kept[:1]:
            try:
                self._around.unsent.forget(work.address, work.case)
            except Problem as problem:
                self.problem = problem
        self._changed()

    def take_theirs(self) -> None:
        """Throw the open case's work away, and show the case as another annotator has changed it."""
        theirs, loaded = self.submission.theirs, self.work.loaded
        if theirs is not None and loaded is not None:
            self.automatic.stop()
            self.work.drop()
            self._show(loaded._replace(case=theirs), None)

    # --- inside

    def _use(self, client: WorklistClient) -> None:
        """The open case stays open; it is submitted with the token that is valid now, if it is from this server."""
        loaded = self.work.loaded
        stays = loaded is not None and loaded.client.settings.address == client.settings.address
        if loaded is not None and stays:
            self.work.loaded = loaded._replace(client=client)
        self.cases.use(client, loaded.case.name if loaded is not None and stays else "")

    def _leave(self) -> None:
        self.automatic.stop()
        self.submission.forget()
        self.work.end()

    def _loaded(self, loaded: LoadedCase) -> None:
        mine = (work for work in self.kept if work.case == loaded.case.name)
        self._show(loaded, next(mine, None))

    def _show(self, loaded: LoadedCase, kept: UnsentWork | None) -> None:
        self.submission.forget()
        try:
            self.work.begin(loaded, kept)
            self.problem = None
        except Problem as problem:
            self.problem = problem
        if kept is not None and kept.revision != loaded.case.revision:
            self.submission.meanwhile(loaded.case)
        self._changed()

    def _submitted(self) -> None:
        self.cases.leave(skip=False)
        self.cases.refresh()
        if self.go_on:
            self.next_case()

    def _changed(self) -> None:
        self.revision += 1
