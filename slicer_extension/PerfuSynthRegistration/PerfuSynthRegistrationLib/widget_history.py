"""Section History of the panel: all registrations of the open case, who made them and when."""

from __future__ import annotations

from typing import Any

import qt

from .session import RegistrationSession
from .session_work import who
from .worklist_answers import Case, Version, minute_of

#: Rows that a table shows at once; the rest is scrolled to. [d]
_MOST_ROWS = 8
_COLUMNS = ("Who", "When (UTC)", "Verdict", "Reason")


class HistorySection:
    """Joins the section's widgets with the open case's versions."""

    def __init__(self, ui: Any, session: RegistrationSession):
        self._ui, self._work = ui, session.work
        begin_table(ui.historyTable, _COLUMNS)
        ui.historyTable.connect("cellDoubleClicked(int,int)", lambda row, _: self._show(row))
        ui.showVersionButton.connect("clicked()", lambda: self._show(ui.historyTable.currentRow()))
        self._case: Case | None = None

    def refresh(self) -> None:
        """Show the versions, the newest first."""
        case = self._work.case
        self._ui.historySection.setEnabled(case is not None)
        if case is not self._case:
            self._case = case
            fill_table(self._ui.historyTable, [_row(version) for version in self._versions()])

    def _versions(self) -> list[Version]:
        return [] if self._case is None else [self._case.present, *reversed(self._case.earlier)]

    def _show(self, row: int) -> None:
        versions = self._versions()
        if 0 <= row < len(versions):
            self._work.show_version(versions[row], f"version of {who(versions[row])}")


def _row(version: Version) -> tuple[str, ...]:
    sure = version.probability_over_2mm
    verdict = version.verdict or (f"P(> 2 mm) {sure:.2f}" if sure is not None else "")
    return who(version), minute_of(version.time), verdict, version.reason


def begin_table(table: Any, columns: tuple[str, ...]) -> None:
    """Columns of a table that is only read."""
    table.verticalHeader().setDefaultSectionSize(int(1.6 * table.fontMetrics().height()))
    table.setColumnCount(len(columns))
    table.setHorizontalHeaderLabels(columns)
    table.verticalHeader().setVisible(False)
    table.horizontalHeader().setStretchLastSection(True)
    fill_table(table, [])


def fill_table(table: Any, rows: list[tuple[str, ...]]) -> None:
    """Texts into a table's cells; the table is as high as it needs to be, up to a limit."""
    table.setRowCount(len(rows))
    for index, row in enumerate(rows):
        for column, text in enumerate(row):
            item = table.item(index, column)
            if item is None:
                item = qt.QTableWidgetItem()
                table.setItem(index, column, item)
            item.setText(text)
            item.setToolTip(text)
    table.resizeColumnsToContents()
    shown = max(1, min(len(rows), _MOST_ROWS))
    table.setFixedHeight(table.horizontalHeader().height + shown * table.verticalHeader().defaultSectionSize + 4)
