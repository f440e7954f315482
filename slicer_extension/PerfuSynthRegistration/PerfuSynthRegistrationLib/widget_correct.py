"""Section Correct of the panel: handles, undo, landmarks, automatic, and how far the NCCT was moved."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PerfuSynthLib.problems import Problem

from .fine_steps import SHIFT_FACTOR, STEP_DEG, STEP_MM
from .landmarks import FIXED, MINIMUM_PAIRS
from .rigid import Pose
from .session import RegistrationSession


class CorrectSection:
    """Joins the section's widgets with the open case's transform."""

    def __init__(self, ui: Any, session: RegistrationSession):
        self._ui, self._work, self._automatic = ui, session.work, session.automatic
        ui.handlesBox.connect("toggled(bool)", self._handles)
        ui.undoButton.connect("clicked()", self.undo)
        ui.redoButton.connect("clicked()", self.redo)
        ui.resetButton.connect("clicked()", lambda: self._do(lambda scene: scene.reset()))
        ui.automaticButton.connect("clicked()", self._start_automatic)
        ui.markButton.connect("toggled(bool)", self._mark)
        ui.fitButton.connect("clicked()", self._fit)
        ui.removeLandmarkButton.connect("clicked()", lambda: self._do(lambda scene: scene.landmarks.remove_last()))
        ui.clearLandmarksButton.connect("clicked()", lambda: self._do(lambda scene: scene.landmarks.clear()))
        ui.keysLabel.setText(
            f"Keys: arrows, <b>PgUp</b>, <b>PgDown</b> move by {STEP_MM:g} mm; <b>Q E</b> axial, <b>A D</b> coronal, "
            f"<b>W S</b> sagittal turn by {STEP_DEG:g}°; with <b>Shift</b> {SHIFT_FACTOR:g} times as far."
        )
        self._scene: Any = None
        self._problem = ""

    def refresh(self) -> None:
        """Show how the transform stands."""
        ui, scene = self._ui, self._work.scene
        ui.correctSection.setEnabled(scene is not None)
        if scene is not self._scene:
            self._scene, self._problem = scene, ""
            self._handles(ui.handlesBox.checked)
            if scene is not None:
                scene.landmarks.on_change = self.refresh
        if scene is None:
            for label in (ui.poseLabel, ui.landmarksLabel, ui.automaticLabel):
                label.setText("")
            return
        ui.poseLabel.setText(_told(scene.change))
        undo, redo = scene.undo_words, scene.redo_words
        ui.undoButton.setEnabled(undo is not None)
        ui.undoButton.setToolTip(f"Takes back: {undo} (key Z)" if undo else "Key Z")
        ui.redoButton.setEnabled(redo is not None)
        ui.redoButton.setToolTip(f"Does again: {redo} (key Y)" if redo else "Key Y")
        ui.resetButton.setEnabled(scene.corrected)
        ui.automaticButton.setText("Stop" if self._automatic.running else "Automatic from here")
        landmarks = scene.landmarks
        ui.fitButton.setEnabled(landmarks.pairs >= MINIMUM_PAIRS)
        ui.landmarksLabel.setText(self._told_landmarks())
        ui.landmarksLabel.setStyleSheet("color: #b00020" if self._problem else "")
        ui.automaticLabel.setText(self._automatic.text)
        ui.automaticLabel.setStyleSheet("color: #b00020" if self._automatic.failed else "")
        ui.automaticLabel.setVisible(bool(self._automatic.text) and not ui.correctSection.collapsed)

    def show_marking(self) -> None:
        """Whether clicks mark places: a right click or Escape in a view ends it, too."""
        scene, button = self._work.scene, self._ui.markButton
        marking = scene is not None and scene.landmarks.placing
        if button.checked != marking:
            button.blockSignals(True)
            button.setChecked(marking)
            button.blockSignals(False)
            self.refresh()

    # --- what keys do

    def step(self, key: str, large: bool) -> None:
        """A fine step of the keyboard."""
        self._do(lambda scene: scene.step(key, large))

    def undo(self) -> None:
        """Take the last step back."""
        self._do(lambda scene: scene.undo())

    def redo(self) -> None:
        """Do again what was taken back."""
        self._do(lambda scene: scene.redo())

    # --- inside

    def _do(self, what: Callable[[Any], Any]) -> None:
        self._problem = ""
        if self._work.scene is not None:
            what(self._work.scene)
            self.refresh()

    def _fit(self) -> None:
        try:
            self._do(lambda scene: scene.fit_landmarks())
        except Problem as problem:
            self._problem = f"{problem.what} {problem.what_to_do}"
            self.refresh()

    def _start_automatic(self) -> None:
        if self._automatic.running:
            self._automatic.stop()
        else:
            self._automatic.start()

    def _handles(self, on: bool) -> None:
        if self._work.scene is not None:
            self._work.scene.set_handles(on)

    def _mark(self, on: bool) -> None:
        if self._work.scene is not None:
            self._work.scene.landmarks.place(on)
            self.refresh()

    def _told_landmarks(self) -> str:
        if self._problem:
            return self._problem
        scene = self._work.scene
        landmarks, fre = scene.landmarks, scene.fre_mm
        where = "CTP" if landmarks.next_role == FIXED else "NCCT"
        marking = f" The next click marks a place in the {where}." if self._ui.markButton.checked else ""
        if fre is None:
            return f"No landmarks.{marking}"
        return f"{landmarks.pairs} landmark pairs, {fre:.1f} mm apart (FRE).{marking}"


def _told(moved: Pose) -> str:
    """How far the NCCT was moved since the case was opened."""
    if moved.distance_mm < 5e-3 and moved.angle_deg < 5e-3:
        return "The NCCT lies as it was."
    ways = (("left", "right"), ("back", "front"), ("down", "up"))
    told = [f"{abs(mm):.1f} {ways[axis][mm > 0]}" for axis, mm in enumerate(moved.shift_mm) if abs(mm) >= 0.05]
    shift = ", ".join(told)
    x, y, z = (round(degrees, 1) + 0.0 for degrees in moved.angles_deg)  # no -0.0
    return (
        f"NCCT moved by {moved.distance_mm:.1f} mm{f' ({shift})' if shift else ''} and turned by "
        f"{moved.angle_deg:.1f}° (sagittal {x:+.1f}, coronal {y:+.1f}, axial {z:+.1f})."
    )
