"""Section Read of the panel: threshold, outline and fill, core, layout, and what lies under the cursor."""

from __future__ import annotations

from typing import Any

from .session import Session
from .widget_shortcuts import shortcuts_text

#: What the keys , and . move the threshold by, s. [d]
_STEP_S = 0.5
#: Opacity that the key X fills the region with, %. [d]
_HALF_FILL = 40.0


class ReadSection:
    """Joins the section's widgets with the session's reader."""

    def __init__(self, ui: Any, session: Session):
        self._ui, self._reader = ui, session.reader
        self._thresholds = {
            4.0: ui.threshold4Button,
            6.0: ui.threshold6Button,
            8.0: ui.threshold8Button,
            10.0: ui.threshold10Button,
        }
        for seconds, button in self._thresholds.items():
            button.connect("clicked()", lambda seconds=seconds: self.set_threshold(seconds))
        ui.thresholdSlider.connect("valueChanged(double)", self._reader.set_threshold)
        ui.fillSlider.connect("valueChanged(double)", lambda percent: self._reader.set_fill(percent / 100))
        ui.mapOpacitySlider.connect("valueChanged(double)", lambda percent: self._reader.set_map_opacity(percent / 100))
        ui.coreBox.connect("toggled(bool)", self._reader.set_core_visible)
        ui.mosaicRadio.connect("toggled(bool)", self._reader.set_mosaic)
        ui.shortcutsLabel.setText(shortcuts_text())

    def refresh(self) -> None:
        """Show the reader's state; also after a scene was loaded."""
        ui, reader = self._ui, self._reader
        ui.readSection.setEnabled(reader.reading is not None)
        if reader.reading is None:
            return
        widgets = (ui.thresholdSlider, ui.fillSlider, ui.mapOpacitySlider, ui.coreBox, ui.mosaicRadio)
        for widget in widgets:
            widget.blockSignals(True)
        if abs(ui.thresholdSlider.value - reader.threshold_s) > 1e-6:
            ui.thresholdSlider.value = reader.threshold_s
        ui.fillSlider.value = reader.fill * 100
        ui.mapOpacitySlider.value = reader.map_opacity * 100
        ui.coreBox.setChecked(reader.core_visible)
        ui.mosaicRadio.setChecked(reader.mosaic)
        for widget in widgets:
            widget.blockSignals(False)
        for seconds, button in self._thresholds.items():
            button.setChecked(abs(seconds - reader.threshold_s) < 1e-6)

    def show_probe(self) -> None:
        """What lies under the cursor; called at every move, so it touches one label only."""
        self._ui.probeLabel.setText(self._reader.probe_text)

    def set_threshold(self, seconds: float) -> None:
        """Through the slider, which keeps within its range."""
        self._ui.thresholdSlider.value = seconds
        self.refresh()

    def step_threshold(self, steps: int) -> None:
        """Move the threshold by some steps of the keyboard."""
        self.set_threshold(self._reader.threshold_s + steps * _STEP_S)

    def toggle_fill(self) -> None:
        """Outline alone, or half filled."""
        self._ui.fillSlider.value = 0.0 if self._ui.fillSlider.value else _HALF_FILL

    def toggle_core(self) -> None:
        """Core estimate shown or not."""
        self._ui.coreBox.setChecked(not self._ui.coreBox.checked)

    def toggle_mosaic(self) -> None:
        """Four views, or many slices of one."""
        (self._ui.fourViewsRadio if self._ui.mosaicRadio.checked else self._ui.mosaicRadio).setChecked(True)

    def toggle_map(self) -> None:
        """The map over the CT away and back: what lies beneath it?"""
        slider = self._ui.mapOpacitySlider
        slider.value, self._map_before = (self._map_before, 0.0) if not slider.value else (0.0, slider.value)

    _map_before = 50.0
