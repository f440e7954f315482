"""Section Study of the panel: which NCCT, from the scene or from the server."""

from __future__ import annotations

from typing import Any

from .session import Session


class StudySection:
    """Joins the section's widgets with the session's choice."""

    def __init__(self, ui: Any, session: Session):
        self._ui, self._session = ui, session
        self._studies: list[str] = []
        ui.volumeSelector.connect("currentNodeChanged(vtkMRMLNode*)", self._choose)
        ui.studyBox.connect("currentIndexChanged(int)", self._choose)
        ui.volumeRadio.connect("toggled(bool)", self._choose)
        ui.openStudyButton.connect("clicked()", self._open)

    def refresh(self) -> None:
        """Show the studies and what is known of the chosen one."""
        ui, session = self._ui, self._session
        if session.connection.studies != self._studies:
            self._studies = list(session.connection.studies)
            ui.studyBox.blockSignals(True)
            ui.studyBox.clear()
            ui.studyBox.addItems(self._studies)
            ui.studyBox.blockSignals(False)
            self._choose()
        from_server = ui.studyRadio.checked
        ui.studyRadio.setEnabled(bool(self._studies))
        ui.studyBox.setEnabled(from_server)
        ui.openStudyButton.setEnabled(from_server and session.choice.can_open)
        ui.volumeSelector.setEnabled(not from_server)
        ui.studyLabel.setText(session.choice.text)
        ui.studyLabel.setStyleSheet("color: #b00020" if session.choice.problem else "")
        ui.studyLabel.setVisible(bool(session.choice.text) and not ui.studySection.collapsed)

    def _choose(self, *_: Any) -> None:
        ui = self._ui
        if ui.studyRadio.checked:
            self._session.choice.choose_study(ui.studyBox.currentText)
        else:
            self._session.choice.choose_volume(ui.volumeSelector.currentNode())

    def _open(self) -> None:
        self._session.choice.open_study()
