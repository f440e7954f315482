"""Section Case of the panel: the next one, how far it is, what is known of it, and work that is still kept here."""

from __future__ import annotations

from typing import Any

from PerfuSynthLib.widget_questions import confirmed

from .session import RegistrationSession
from .unsent_work import UnsentWork
from .worklist_answers import Case, minute_of

_FIXED = {"ctp_mean": "mean of the CTP", "ctp": "CTP", "tmax": "Tmax (the case has no CTP)"}


class CaseSection:
    """Joins the section's widgets with the session's cases."""

    def __init__(self, ui: Any, session: RegistrationSession):
        self._ui, self._session = ui, session
        ui.nextButton.connect("clicked()", self._next)
        ui.takeUpButton.connect("clicked()", self._take_up)
        ui.giveUpButton.connect("clicked()", self._give_up)

    def refresh(self) -> None:
        """Show how the cases stand."""
        ui, session = self._ui, self._session
        hidden, cases = ui.caseSection.collapsed, session.cases
        why_not = session.why_no_next()
        ui.nextButton.setEnabled(not why_not)
        ui.nextButton.setText("Next case (here already)" if cases.is_ready else "Next case")
        ui.progressBar.setVisible(cases.loading and not hidden)
        ui.casesLabel.setText(self._how_it_stands(why_not))
        ui.casesLabel.setStyleSheet("color: #b00020" if cases.failed else "")
        case = session.work.case
        ui.caseLabel.setText(told(case) if case is not None else "")
        ui.caseLabel.setVisible(case is not None and not hidden)
        kept = session.kept
        ui.unsentLabel.setText(_told_kept(kept))
        ui.unsentLabel.setStyleSheet("color: #9a5b00")
        for widget in (ui.unsentLabel, ui.takeUpButton, ui.giveUpButton):
            widget.setVisible(bool(kept) and not hidden)
        ui.takeUpButton.setEnabled(not why_not)

    def _how_it_stands(self, why_not: str) -> str:
        cases = self._session.cases
        if cases.loading:
            return f"{cases.text} {cases.fetched_mb:.0f} MB" if cases.fetched_mb >= 1 else cases.text
        if cases.text:
            return cases.text
        return why_not or f"{cases.to_check} to check"

    def _next(self) -> None:
        if may_leave(self._session):
            self._session.next_case()

    def _take_up(self) -> None:
        if may_leave(self._session):
            self._session.take_up()

    def _give_up(self) -> None:
        kept = self._session.kept
        if kept and confirmed(f"Throw your unsent work on {kept[0].case} away? It cannot be brought back."):
            self._session.give_up()


def may_leave(session: RegistrationSession) -> bool:
    """Whether the open case may be left; asked where work on it is not with the server."""
    question = session.leave_question()
    return not question or confirmed(question)


def told(case: Case) -> str:
    """A case in two lines."""
    present = case.present
    sure = present.probability_over_2mm
    lines = [f"{case.name}: NCCT over {_FIXED.get(case.fixed_kind, case.fixed_kind)}"]
    if present.verdict:
        lines.append(f"Checked already: {present.verdict}, by {present.author or 'somebody'}.")
    elif sure is not None:
        lines.append(f"Automatic; off by more than 2 mm with a probability of {sure:.0%}.")
    else:
        lines.append(f"{present.method.capitalize() or 'Its registration'}; how sure it is was not estimated.")
    return "\n".join(lines)


def _told_kept(kept: list[UnsentWork]) -> str:
    if not kept:
        return ""
    more = f" (and {len(kept) - 1} more)" if len(kept) > 1 else ""
    return f"Unsent work on {kept[0].case}{more}, kept on this computer since {minute_of(kept[0].time)} UTC."
