"""Section Connect of the panel: address, token, CA file, the test button and what it found."""

from __future__ import annotations

from typing import Any

from .session import Session

_COLOURS = {"connected": "#1a7f37", "failed": "#b00020"}


class ConnectSection:
    """Joins the section's widgets with the session's connection."""

    def __init__(self, ui: Any, session: Session):
        self._ui, self._connection = ui, session.connection
        ui.addressEdit.setText(self._connection.address)
        ui.tokenEdit.setText(self._connection.token)
        ui.rememberTokenBox.setChecked(self._connection.remember_token)
        ui.caFileEdit.currentPath = self._connection.ca_file
        ui.testButton.connect("clicked()", self._check)
        for line in (ui.addressEdit, ui.tokenEdit):
            line.connect("returnPressed()", self._check)
        self._was = ""

    def refresh(self) -> None:
        """Show how the connection stands; once connected, the section makes room for the others."""
        ui, connection = self._ui, self._connection
        ui.connectionLabel.setText(connection.text)
        ui.connectionLabel.setStyleSheet(f"color: {_COLOURS.get(connection.state, 'palette(text)')}")
        ui.connectionLabel.setVisible(bool(connection.text) and not ui.connectSection.collapsed)
        ui.testButton.setEnabled(connection.state != "checking")
        ui.connectSection.text = {
            "none": "Connect",
            "connected": f"Connected to {connection.address.split('://')[-1]}",
        }.get(connection.state, f"Connect: {connection.state}")
        if connection.state != self._was:
            self._was = connection.state
            if connection.state == "connected":
                ui.connectSection.collapsed = True

    def _check(self) -> None:
        ui = self._ui
        self._connection.check(
            ui.addressEdit.text.strip(), ui.caFileEdit.currentPath.strip(), ui.tokenEdit.text.strip(),
            ui.rememberTokenBox.checked,
        )  # fmt: skip
