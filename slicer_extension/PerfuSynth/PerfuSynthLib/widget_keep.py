"""Section Keep of the panel: report page, maps as files, the edited region back to the server."""

from __future__ import annotations

from typing import Any

import qt
import slicer

from .session import Session
from .widget_questions import may_send_to_server


class KeepSection:
    """Joins the section's widgets with what the session can keep."""

    def __init__(self, ui: Any, session: Session):
        self._ui, self._session, self._keeper = ui, session, session.keeper
        ui.reportButton.connect("clicked()", self._report)
        ui.mapsButton.connect("clicked()", self._maps)
        ui.sendLabelButton.connect("clicked()", self._send)

    def refresh(self) -> None:
        """Show what can be kept, and how the last keeping went."""
        ui, keeper = self._ui, self._keeper
        ui.keepSection.setEnabled(keeper.ready)
        why_not = keeper.why_no_label()
        ui.sendLabelButton.setEnabled(not why_not)
        ui.sendLabelButton.setToolTip(why_not or "Stored as a label beside the study's image; nothing is overwritten.")
        ui.keepLabel.setText(keeper.text or "Saving the scene keeps maps, regions and thresholds.")
        ui.keepLabel.setStyleSheet("color: #b00020" if keeper.failed else "")

    def _send(self) -> None:
        if may_send_to_server(self._session):
            self._keeper.send_label()

    def _report(self) -> None:
        path = qt.QFileDialog.getSaveFileName(
            slicer.util.mainWindow(), "Report page", self._keeper.suggested_report_name(), "Web page (*.html)"
        )
        if path:
            self._keeper.write_report(path)

    def _maps(self) -> None:
        folder = qt.QFileDialog.getExistingDirectory(slicer.util.mainWindow(), "Folder for the maps")
        if folder:
            self._keeper.write_maps(folder)
