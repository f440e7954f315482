"""The panel: all sections, the timer that brings answers in, and the warnings that stay in sight."""

from __future__ import annotations

from typing import Any

import qt

from .session import Session
from .widget_connect import ConnectSection
from .widget_keep import KeepSection
from .widget_numbers import NumbersSection
from .widget_read import ReadSection
from .widget_shortcuts import Shortcuts, actions_of
from .widget_study import StudySection
from .widget_synthesize import SynthesizeSection

#: How often answers of threads are looked for, ms: shorter than a person notices, long enough to cost nothing.
TICK_MS = 30


class Panel:
    """Joins the widgets of ``PerfuSynth.ui`` with a session."""

    def __init__(self, ui: Any, session: Session):
        self._ui, self._session = ui, session
        self._read = ReadSection(ui, session)
        self._sections = [
            ConnectSection(ui, session),
            StudySection(ui, session),
            SynthesizeSection(ui, session),
            self._read,
            NumbersSection(ui, session),
            KeepSection(ui, session),
        ]
        self._foldable = (ui.connectSection, ui.studySection, ui.synthesizeSection, ui.numbersSection)
        for section in self._foldable:
            section.connect("contentsCollapsed(bool)", self.refresh)
        self._shortcuts = Shortcuts(actions_of(self._read))
        self._open = False
        self._shown = -1
        self._timer = qt.QTimer()
        self._timer.setInterval(TICK_MS)
        self._timer.connect("timeout()", self._tick)
        self._timer.start()
        self.refresh()

    def refresh(self, *_: Any) -> None:
        """Show the session's state everywhere."""
        ui, reader = self._ui, self._session.reader
        words = reader.words
        self._shown = self._session.revision
        ui.bannerLabel.setText("\n".join(words.banner))
        ui.warningsLabel.setText("\n".join(f"⚠ {warning}" for warning in words.warnings))
        ui.warningsLabel.setVisible(bool(words.warnings))
        for section in self._sections:
            section.refresh()
        self._shortcuts.set_enabled(self._open and reader.reading is not None)

    def show_probe(self) -> None:
        """What lies under the cursor has changed."""
        self._read.show_probe()

    def set_open(self, is_open: bool) -> None:
        """The module was entered or left; work goes on in both cases, the keys are alive in one."""
        self._open = is_open
        self._session.set_in_front(is_open)
        self._session.reader.refresh_views()
        self.refresh()

    def close(self) -> None:
        """The module goes away."""
        self._timer.stop()
        self._shortcuts.remove()

    def _tick(self) -> None:
        self._session.tick()
        self._shortcuts.follow_focus()
        if self._session.revision != self._shown:
            self.refresh()
