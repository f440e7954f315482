"""The question before the program is closed with unsent work."""

from __future__ import annotations

from typing import Any

import qt
from PerfuSynthLib.widget_questions import confirmed

from .session import RegistrationSession


class ClosingQuestion(qt.QWidget):
    """Watches the program's window being closed; a widget, as Slicer's Python hears events in these."""

    def __init__(self, session: RegistrationSession):
        qt.QWidget.__init__(self)
        self._session = session

    def eventFilter(self, watched: Any, event: Any) -> bool:
        """Qt's own hook: whether the event ends here."""
        if event.type() != qt.QEvent.Close:
            return False
        question = self._session.leave_question()
        if not question or confirmed(f"{question}\n\nYes closes the program."):
            return False
        event.ignore()
        return True
