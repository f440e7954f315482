"""Section Worklist of the panel: all cases of the server, the worst first, and who has them."""

from __future__ import annotations

from typing import Any

from .session import RegistrationSession
from .widget_case import may_leave
from .widget_history import begin_table, fill_table
from .worklist_answers import DONE, TO_CHECK, Row

_COLUMNS = ("Case", "P(> 2 mm)", "State", "With")
_STATES = {TO_CHECK: "to check", "known": "known"}


class WorklistSection:
    """Joins the section's widgets with the session's worklist."""

    def __init__(self, ui: Any, session: RegistrationSession):
        self._ui, self._session = ui, session
        begin_table(ui.worklistTable, _COLUMNS)
        ui.worklistTable.connect("cellDoubleClicked(int,int)", lambda row, _: self._open(row))
        ui.openCaseButton.connect("clicked()", lambda: self._open(ui.worklistTable.currentRow()))
        ui.refreshButton.connect("clicked()", session.cases.refresh)
        self._rows: list[Row] | None = None

    def refresh(self) -> None:
        """Show the worklist."""
        ui, cases = self._ui, self._session.cases
        if cases.rows is not self._rows:
            self._rows = cases.rows
            fill_table(ui.worklistTable, [_cells(row) for row in cases.rows])
        done = sum(row.state == DONE for row in cases.rows)
        ui.worklistLabel.setText(f"{cases.to_check} to check, {done} done." if cases.rows else "")
        ui.openCaseButton.setEnabled(not self._session.why_no_next())

    def _open(self, row: int) -> None:
        rows = self._rows or []
        if 0 <= row < len(rows) and not self._session.why_no_next() and may_leave(self._session):
            self._session.open_case(rows[row].case)


def _cells(row: Row) -> tuple[str, ...]:
    sure = "" if row.probability_over_2mm is None else f"{row.probability_over_2mm:.2f}"
    if row.verdict:
        state = f"{row.verdict} by {row.author}" if row.author else row.verdict
    else:
        state = row.problem or _STATES.get(row.state, row.state)
    return row.case, sure, state, row.with_whom
