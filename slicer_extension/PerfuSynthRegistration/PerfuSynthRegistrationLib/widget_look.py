"""Section Look of the panel: fade, checkerboard, edges, difference, outlines, side by side, and how both agree."""

from __future__ import annotations

from typing import Any

import numpy as np
import qt
import slicer

from .look_settings import CHECKERBOARD, DIFFERENCE, EDGES, FADE
from .registration_layout import PLANES, SIDE_BY_SIDE
from .session import RegistrationSession


class LookSection:
    """Joins the section's widgets with the open case's views."""

    def __init__(self, ui: Any, session: RegistrationSession):
        self._ui, self._work = ui, session.work
        self._radios = {
            FADE: ui.fadeRadio,
            CHECKERBOARD: ui.checkerboardRadio,
            EDGES: ui.edgesRadio,
            DIFFERENCE: ui.differenceRadio,
        }
        for look, radio in self._radios.items():
            radio.connect("toggled(bool)", lambda on, look=look: self._choose(look, on))
        ui.fadeSlider.connect("valueChanged(double)", self._fade)
        for part in slicer.util.findChildren(ui.fadeSlider):
            if part.inherits("QSlider"):
                part.setFocusPolicy(qt.Qt.TabFocus)  # dragged with the mouse it leaves the keys to the NCCT
        ui.outlineBox.connect("toggled(bool)", self._outline)
        ui.sideBySideBox.connect("toggled(bool)", self._side_by_side)
        self._scene: Any = None
        self._measured: np.ndarray | None = None

    def refresh(self) -> None:
        """A new case is shown in the way that the last one was looked at."""
        ui, scene = self._ui, self._work.scene
        ui.lookSection.setEnabled(scene is not None)
        if scene is self._scene:
            return
        self._scene, self._measured = scene, None
        if scene is not None:
            self._side_by_side(ui.sideBySideBox.checked)
            self._outline(ui.outlineBox.checked)
            self._fade(ui.fadeSlider.value)
            for look, radio in self._radios.items():
                self._choose(look, radio.checked)

    def show_agreement(self) -> None:
        """The mutual information of what is seen; measured where the transform has changed."""
        scene = self._work.scene
        if scene is None:
            self._ui.nmiLabel.setText("")
            return
        matrix = scene.fixed_to_moving
        if self._measured is None or not np.array_equal(matrix, self._measured):
            before = self._work.agreement_before
            now = scene.nmi()
            self._measured = matrix
            change = f" ({now - before:+.4f} since the case was opened)" if before is not None else ""
            self._ui.nmiLabel.setText(f"Mutual information (NMI) {now:.4f}{change}; higher is better.")

    # --- what keys do

    def look(self, look: str) -> None:
        """Look another way."""
        self._radios[look].setChecked(True)

    def flip(self) -> None:
        """One image alone, then the other."""
        self._radios[FADE].setChecked(True)
        self._ui.fadeSlider.value = 0.0 if self._ui.fadeSlider.value > 50 else 100.0

    def toggle(self, box: Any) -> None:
        """Tick a box, or untick it."""
        box.setChecked(not box.checked)

    # --- inside

    def _choose(self, look: str, on: bool) -> None:
        if on and self._work.scene is not None and self._work.scene.look != look:
            self._work.scene.set_look(look)

    def _fade(self, percent: float) -> None:
        if self._work.scene is not None:
            self._work.scene.set_fade(percent / 100)

    def _outline(self, on: bool) -> None:
        if self._work.scene is not None and self._work.scene.outline != on:
            self._work.scene.set_outline(on)

    def _side_by_side(self, on: bool) -> None:
        if self._work.scene is not None:
            self._work.scene.present(SIDE_BY_SIDE if on else PLANES)
