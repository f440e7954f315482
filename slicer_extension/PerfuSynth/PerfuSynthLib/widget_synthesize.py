"""Section Synthesize of the panel: the model, one button to start and to cancel, and all orders of the session."""

from __future__ import annotations

from typing import Any

import qt

from .session import Session
from .widget_questions import confirmed, may_send_to_server

_COLUMNS = ("Scan", "State", "Time")


class SynthesizeSection:
    """Joins the section's widgets with the session's orders."""

    def __init__(self, ui: Any, session: Session):
        self._ui, self._session = ui, session
        self._tasks: list[str] = []
        ui.applyButton.connect("clicked()", self._apply)
        ui.cardButton.connect("clicked()", self._show_card)
        ui.cancelOrderButton.connect("clicked()", self._cancel_chosen)
        ui.overrideButton.connect("clicked()", self._override)
        ui.taskBox.connect("currentIndexChanged(int)", self._choose_task)
        ui.ordersTable.connect("cellDoubleClicked(int,int)", self._show_order)
        ui.ordersTable.connect("itemSelectionChanged()", self._refresh_cancel)
        ui.ordersTable.setColumnCount(len(_COLUMNS))
        ui.ordersTable.setHorizontalHeaderLabels(_COLUMNS)
        ui.ordersTable.verticalHeader().setVisible(False)
        ui.ordersTable.horizontalHeader().setStretchLastSection(True)

    def refresh(self) -> None:
        """Show how the orders stand."""
        ui, session = self._ui, self._session
        if list(session.connection.tasks) != self._tasks:
            self._tasks = list(session.connection.tasks)
            ui.taskBox.blockSignals(True)
            ui.taskBox.clear()
            ui.taskBox.addItems([session.connection.describe(task) for task in self._tasks])
            ui.taskBox.blockSignals(False)
            self._choose_task()
        hidden = ui.synthesizeSection.collapsed
        order = session.orders.of(session.choice.key)
        why_not = session.why_not_now()
        ui.applyButton.setText("Cancel" if order else "Synthesize Tmax and CBF")
        ui.applyButton.setEnabled(bool(order) or not why_not)
        ui.applyButton.setToolTip("Stops the work here and on the server." if order else why_not or self._promise())
        ui.cardButton.setEnabled(bool(self._tasks))
        ui.progressBar.setVisible(bool(order) and not hidden)
        ui.progressBar.setMaximum(0 if order and order.percent is None else 100)
        ui.progressBar.setValue(0 if order is None or order.percent is None else int(order.percent))
        told = order or (session.orders.newest(session.choice.key) if not why_not else None)
        ui.stageLabel.setText(f"{told.text} · {_clock(told.elapsed_s)}" if told else why_not)
        ui.taskBox.setToolTip(ui.taskBox.currentText)
        ui.stageLabel.setVisible(bool(ui.stageLabel.text) and not hidden)
        ui.orderProblemLabel.setText(session.orders.problem_text)
        ui.orderProblemLabel.setStyleSheet("color: #b00020")
        ui.orderProblemLabel.setVisible(bool(session.orders.problem_text) and not hidden)
        ui.overrideButton.setVisible(bool(session.override_question()) and order is None and not hidden)
        self._fill_table(hidden)

    def _promise(self) -> str:
        return "Sends the CT to the server and shows the maps when they are there. Slicer stays usable."

    def _fill_table(self, hidden: bool) -> None:
        table, orders = self._ui.ordersTable, self._session.orders.all
        table.setVisible(len(orders) > 1 and not hidden)
        table.setRowCount(len(orders))
        for row, order in enumerate(orders):
            for column, text in enumerate((order.name, order.text, _clock(order.elapsed_s))):
                item = table.item(row, column)
                if item is None:
                    item = qt.QTableWidgetItem()
                    table.setItem(row, column, item)
                item.setText(text)
        self._refresh_cancel()

    def _chosen(self) -> Any:
        row = self._ui.ordersTable.currentRow()
        orders = self._session.orders.all
        return orders[row] if 0 <= row < len(orders) else None

    def _refresh_cancel(self) -> None:
        order = self._chosen()
        hidden = len(self._session.orders.all) < 2 or self._ui.synthesizeSection.collapsed
        self._ui.cancelOrderButton.setVisible(not hidden)
        self._ui.cancelOrderButton.setEnabled(bool(order and order.active))

    def _choose_task(self, *_: Any) -> None:
        index = self._ui.taskBox.currentIndex
        self._session.task = self._tasks[index] if 0 <= index < len(self._tasks) else ""

    def _apply(self) -> None:
        session = self._session
        order = session.orders.of(session.choice.key)
        if order:
            session.orders.cancel(order)
        elif self._may_send():
            session.synthesize()

    def _override(self) -> None:
        if confirmed(self._session.override_question()) and self._may_send():
            self._session.override()

    def _may_send(self) -> bool:
        """Whether the user wants this CT sent there: asked once per server, and where the CT looks unlike one."""
        doubts = self._session.doubts_question()
        if doubts and not confirmed(doubts):
            return False
        return not self._session.needs_consent() or may_send_to_server(self._session)

    def _cancel_chosen(self) -> None:
        order = self._chosen()
        if order:
            self._session.orders.cancel(order)

    def _show_order(self, row: int, _: int) -> None:
        self._session.show_order(self._session.orders.all[row])

    def _show_card(self) -> None:
        self._session.fetch_card(_CardWindow.show_text)


class _CardWindow:
    """The model's card in a window of its own, which does not stop the work."""

    window: Any = None

    @classmethod
    def show_text(cls, title: str, text: str) -> None:
        if cls.window is None:
            cls.window = qt.QTextBrowser()
            cls.window.setWindowFlags(qt.Qt.Window)
            cls.window.resize(760, 800)
            cls.window.setOpenLinks(False)
        cls.window.setWindowTitle(title)
        cls.window.setMarkdown(text)
        cls.window.show()


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
