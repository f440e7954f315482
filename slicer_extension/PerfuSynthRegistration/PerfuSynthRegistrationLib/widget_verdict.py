"""Section Verdict of the panel: accept, corrected or fail with its reason, and the submission."""

from __future__ import annotations

from typing import Any

from PerfuSynthLib.widget_questions import confirmed

from .session import RegistrationSession
from .session_work import ACCEPT, CORRECTED, FAIL


class VerdictSection:
    """Joins the section's widgets with the open case's verdict and its submission."""

    def __init__(self, ui: Any, session: RegistrationSession):
        self._ui, self._session, self._work = ui, session, session.work
        self._radios = {ACCEPT: ui.acceptRadio, CORRECTED: ui.correctedRadio, FAIL: ui.failRadio}
        for verdict, radio in self._radios.items():
            radio.setAutoExclusive(False)  # none is chosen at first
            radio.connect("clicked()", lambda verdict=verdict: self._judge(verdict))
        ui.reasonEdit.connect("textEdited(QString)", self._work.explain)
        ui.submitButton.connect("clicked()", session.submission.submit)
        ui.goOnBox.connect("toggled(bool)", self._go_on)
        ui.submitOverButton.connect("clicked()", session.submission.submit_over)
        ui.takeTheirsButton.connect("clicked()", self._take_theirs)

    def refresh(self) -> None:
        """Show verdict and submission."""
        ui, work, submission = self._ui, self._work, self._session.submission
        hidden = ui.verdictSection.collapsed
        ui.verdictSection.setEnabled(work.case is not None)
        for verdict, radio in self._radios.items():
            radio.setChecked(verdict == work.verdict)
        if ui.reasonEdit.text != work.reason:
            ui.reasonEdit.setText(work.reason)
        why_not = submission.why_not()
        ui.submitButton.setEnabled(not why_not)
        ui.submitLabel.setText(submission.text or (why_not if work.case is not None else ""))
        ui.submitLabel.setStyleSheet("color: #b00020" if submission.failed else "")
        ui.submitLabel.setVisible(bool(ui.submitLabel.text) and not hidden)
        for button in (ui.submitOverButton, ui.takeTheirsButton):
            button.setVisible(submission.theirs is not None and not hidden)

    def _judge(self, verdict: str) -> None:
        self._work.judge(verdict)
        self.refresh()

    def _go_on(self, on: bool) -> None:
        self._session.go_on = on

    def _take_theirs(self) -> None:
        if not self._work.unsent or confirmed("Throw your own work on this case away and show the other annotator's?"):
            self._session.take_theirs()
