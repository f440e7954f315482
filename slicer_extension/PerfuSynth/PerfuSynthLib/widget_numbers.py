"""Section Numbers of the panel: the table, whether it is final, and the edited region."""

from __future__ import annotations

from typing import Any

import qt
import slicer

from .session import Session

_COLUMNS = ("", "Value", "Interval")


class NumbersSection:
    """Joins the section's widgets with the session's numbers."""

    def __init__(self, ui: Any, session: Session):
        self._ui, self._reader = ui, session.reader
        table = ui.numbersTable
        table.setColumnCount(len(_COLUMNS))
        table.setHorizontalHeaderLabels(_COLUMNS)
        table.verticalHeader().setVisible(False)
        table.verticalHeader().setDefaultSectionSize(int(1.6 * table.fontMetrics().height()))
        table.horizontalHeader().setStretchLastSection(True)
        ui.editButton.connect("clicked()", self._edit)
        ui.originalButton.connect("clicked()", self._reader.back_to_original)

    def refresh(self) -> None:
        """Show the numbers as they are now."""
        ui, reader = self._ui, self._reader
        hidden = ui.numbersSection.collapsed
        words = reader.words
        ui.numbersSection.setEnabled(reader.reading is not None)
        ui.numbersStateLabel.setText(words.numbers_state)
        ui.numbersStateLabel.setStyleSheet("color: #9a5b00" if reader.provisional else "")
        ui.numbersStateLabel.setVisible(bool(words.numbers_state) and not hidden)
        ui.notesLabel.setText(words.notes)
        ui.notesLabel.setVisible(bool(words.notes) and not hidden)
        ui.originalButton.setEnabled(reader.edited)
        self._fill(words)

    def _fill(self, words: Any) -> None:
        table, rows = self._ui.numbersTable, words.rows
        table.horizontalHeaderItem(2).setText(words.interval_title)
        table.setColumnHidden(2, not any(row.interval for row in rows))
        if table.rowCount != len(rows):
            table.setRowCount(len(rows))
            for row in range(len(rows)):
                for column in range(len(_COLUMNS)):
                    table.setItem(row, column, qt.QTableWidgetItem())
        for index, row in enumerate(rows):
            for column, text in enumerate((row.label, row.value, row.interval)):
                item = table.item(index, column)
                item.setText(text)
                item.setToolTip(row.note)
                font = item.font()
                font.setBold(row.main)
                font.setItalic(row.provisional)
                item.setFont(font)
        table.resizeColumnsToContents()
        table.setFixedHeight(table.horizontalHeader().height + sum(map(table.rowHeight, range(len(rows)))) + 4)

    def _edit(self) -> None:
        self._reader.edit()
        slicer.util.selectModule("SegmentEditor")
