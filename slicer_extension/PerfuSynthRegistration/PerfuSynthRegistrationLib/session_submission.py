"""A submission: sent off the main thread; what the server refuses or does not answer stays with the annotator."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PerfuSynthLib.background import Background
from PerfuSynthLib.connection_problems import ConnectionLost
from PerfuSynthLib.problems import Problem

from .session_work import Work, who
from .worklist_answers import Case, Version, minute_of
from .worklist_client import CHANGED

_LANE = "submission"


class Submission:
    """Sends the open case's registration.

    Parameters
    ----------
    work
        What is sent.
    background, changed
        Where it is sent; what is called when something may look different.
    on_done
        Called once the server has it.

    Attributes
    ----------
    text, failed
        How it stands, in words, and whether that is a problem.
    theirs
        The case as somebody else has changed it meanwhile; None where nobody has.
    """

    def __init__(self, work: Work, background: Background, changed: Callable[[], None], on_done: Callable[[], None]):
        self._work, self._background, self._changed, self._on_done = work, background, changed, on_done
        self.text, self.failed = "", False
        self.theirs: Case | None = None

    @property
    def sending(self) -> bool:
        """Whether an answer is still to come."""
        return self._background.busy(_LANE)

    def why_not(self) -> str:
        """Why nothing can be sent; empty when it can."""
        if self.sending:
            return "It is being sent."
        if self.theirs is not None:
            return "Another annotator has changed the case: choose one of the two below."
        return self._work.why_not_submit()

    def forget(self) -> None:
        """Another case is open."""
        self._background.forget(_LANE)
        self.theirs = None
        self._say("")

    def submit(self) -> None:
        """Send the registration as it is now."""
        work = self._work
        if self.why_not() or work.loaded is None or work.case is None or work.scene is None:
            return
        client, case, revision = work.loaded.client, work.case, work.revision
        verdict, reason = work.verdict, work.reason.strip()
        try:
            tfm = work.scene.transform_bytes()
        except Problem as problem:
            self._say(f"{problem.what} {problem.what_to_do}", failed=True)
            return
        work.keep_now()
        self._say("Sending ...")

        def send(_: Callable[[], bool]) -> tuple[bool, Case]:
            """Whether the server has it, or somebody else has changed the case; and the case as it is now."""
            try:
                client.submit(case.moving_image, tfm, verdict, reason, revision)
            except Problem as problem:
                if problem.code != CHANGED:
                    raise
                return False, client.case(case.name)
            return True, client.case(case.name)

        self._background.run(_LANE, send, self._answered, self._not_sent)
        self._changed()

    def meanwhile(self, theirs: Case) -> None:
        """Somebody else has changed the case since the work on it began."""
        self.theirs = theirs
        self._say(_told(theirs.present, self._work.fixed_to_moving), failed=True)

    def submit_over(self) -> None:
        """Put this registration in the place of the other annotator's, which stays in the history."""
        if self.theirs is None:
            return
        self._work.rebase(self.theirs)
        self.theirs = None
        why_not = self._work.why_not_submit()
        if why_not:
            self._say(why_not if self._work.moved else f"Theirs lies as yours does. {why_not}")
        else:
            self.submit()

    def _answered(self, answer: tuple[bool, Case]) -> None:
        accepted, case = answer
        if not accepted:
            self.meanwhile(case)
            return
        self._work.rebase(case)
        self._work.keep_now()
        if self._work.submitted:
            self._say("The server has it.")
            self._on_done()
        else:
            self._say("The server has it as it was when you pressed Submit; you have gone on since.")

    def _not_sent(self, problem: Problem) -> None:
        kept = " It is kept on this computer; submit again." if self._work.problem is None else ""
        what_to_do = kept if isinstance(problem, ConnectionLost) else f" {problem.what_to_do}{kept}"
        self._say(f"Not submitted: {problem.what}{what_to_do}", failed=True)

    def _say(self, text: str, failed: bool = False) -> None:
        self.text, self.failed = text, failed
        self._changed()


def _told(theirs: Version, mine: np.ndarray) -> str:
    """What another annotator has made of the case meanwhile."""
    apart = float(np.linalg.norm((mine @ np.linalg.inv(theirs.fixed_to_moving))[:3, 3]))
    when = minute_of(theirs.time)
    return (
        f"Not submitted: {who(theirs)} has submitted this case meanwhile ({theirs.verdict or theirs.method}"
        f"{f', {when} UTC' if when else ''}; {apart:.1f} mm from yours at the origin). Nothing of yours is lost."
    )
