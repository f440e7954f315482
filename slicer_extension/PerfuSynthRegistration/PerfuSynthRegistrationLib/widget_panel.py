"""The panel: all sections, the timer that brings answers in, the keys, and the warnings that stay in sight."""

from __future__ import annotations

from typing import Any

import qt
import slicer
from PerfuSynthLib.widget_connect import ConnectSection
from PerfuSynthLib.widget_panel import TICK_MS
from PerfuSynthLib.widget_shortcuts import Shortcuts

from .session import RegistrationSession
from .widget_case import CaseSection
from .widget_closing import ClosingQuestion
from .widget_correct import CorrectSection
from .widget_history import HistorySection
from .widget_keys import actions_of
from .widget_look import LookSection
from .widget_verdict import VerdictSection
from .widget_worklist import WorklistSection


class Panel:
    """Joins the widgets of ``PerfuSynthRegistration.ui`` with a session."""

    def __init__(self, ui: Any, session: RegistrationSession):
        self._ui, self._session = ui, session
        look, correct = LookSection(ui, session), CorrectSection(ui, session)
        self._case, self._look, self._correct = CaseSection(ui, session), look, correct
        self._sections = [
            ConnectSection(ui, session),
            self._case,
            look,
            correct,
            VerdictSection(ui, session),
            HistorySection(ui, session),
            WorklistSection(ui, session),
        ]
        for section in (ui.connectSection, ui.caseSection, ui.lookSection, ui.correctSection, ui.verdictSection):
            section.connect("contentsCollapsed(bool)", self.refresh)
        self._shortcuts = Shortcuts(actions_of(ui, look, correct))
        self._closing = ClosingQuestion(session)
        slicer.util.mainWindow().installEventFilter(self._closing)
        self._open = False
        self._shown = -1
        self._timer = qt.QTimer()
        self._timer.setInterval(TICK_MS)
        self._timer.connect("timeout()", self._tick)
        self._timer.start()
        self.refresh()

    def refresh(self, *_: Any) -> None:
        """Show the session's state everywhere."""
        session = self._session
        self._shown = session.revision
        warnings = session.warnings
        self._ui.warningsLabel.setText("\n".join(f"⚠ {warning}" for warning in warnings))
        self._ui.warningsLabel.setVisible(bool(warnings))
        for section in self._sections:
            section.refresh()
        self._shortcuts.set_enabled(self._open and session.work.scene is not None)

    def set_open(self, is_open: bool) -> None:
        """The module was entered or left; work goes on in both cases, the keys are alive in one."""
        self._open = is_open
        if is_open and self._session.work.scene is not None:
            self._session.work.scene.refresh_views()
        self.refresh()

    def close(self) -> None:
        """The module goes away."""
        self._timer.stop()
        self._shortcuts.remove()
        slicer.util.mainWindow().removeEventFilter(self._closing)

    def _tick(self) -> None:
        self._session.tick()
        self._shortcuts.follow_focus()
        if self._session.revision != self._shown:
            self.refresh()
        elif self._session.cases.loading:
            self._case.refresh()
        self._look.show_agreement()
        self._correct.show_marking()
