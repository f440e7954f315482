"""A desktop on which a person looks at a registration and moves it with the mouse."""

from __future__ import annotations

import numpy as np
import slicer
import vtk
from offscreen import Desktop, View
from PerfuSynthRegistrationLib.look_settings import ImageKind
from PerfuSynthRegistrationLib.registration_scene import RegistrationScene

#: Draws landmarks, and makes them where one clicks.
_MARKUPS = "vtkMRMLMarkupsDisplayableManager"


class Desk(Desktop):
    """A desktop with the Markups module, and slice views whose mouse works as in the desktop program."""

    def __init__(self, size: tuple[int, int] = (400, 400)):
        factory = slicer.vtkMRMLSliceViewDisplayableManagerFactory.GetInstance()
        if not factory.IsDisplayableManagerRegistered(_MARKUPS):
            factory.RegisterDisplayableManager(_MARKUPS)
        super().__init__(size)
        self._markups = slicer.vtkSlicerMarkupsLogic()
        self._markups.SetMRMLApplicationLogic(self.application)
        self._markups.SetMRMLScene(self.scene)
        self.application.SetModuleLogic("Markups", self._markups)
        self._mice: dict[str, Mouse] = {}

    def mouse(self, view_name: str) -> Mouse:
        """The mouse over a view of the layout."""
        if view_name not in self._mice:
            self._mice[view_name] = Mouse(self.views()[view_name])
        return self._mice[view_name]

    def look_at(self, ras) -> None:
        """Bring every view's slice to a place (RAS, mm)."""
        for view in self.views().values():
            view.node.JumpSliceByOffsetting(*(float(mm) for mm in ras))

    def show(self, pair, start=None, **more) -> RegistrationScene:
        """A pair of images on this desktop, at a start or at the truth."""
        start = pair.fixed_to_moving if start is None else start
        return RegistrationScene.show(self.scene, pair.fixed, pair.moving, start, self.renderer, **more)

    def close(self) -> None:
        super().close()
        self._mice = {}
        self.factory.UnRegisterDisplayableManager(_MARKUPS)  # other desktops have no Markups module


class Mouse:
    """The mouse over one view; pixels count from the lower left."""

    def __init__(self, view: View):
        self._view = view
        self._style = slicer.vtkMRMLSliceViewInteractorStyle()  # Slicer's own tools: window, pan, placing points
        self._style.SetSliceLogic(view.logic)
        self._style.SetDisplayableManagers(view.managers)
        view.interactor.SetInteractorStyle(vtk.vtkInteractorStyleUser())
        self._style.SetInteractor(view.interactor)

    def move(self, at, shift: bool = False) -> None:
        self._event("MouseMoveEvent", at, shift)

    def press(self, at, shift: bool = False) -> None:
        self._event("LeftButtonPressEvent", at, shift)

    def release(self, at, shift: bool = False) -> None:
        self._event("LeftButtonReleaseEvent", at, shift)

    def drag(self, start, end, steps: int = 6, shift: bool = False) -> None:
        """Press, move in steps, let go."""
        start, end = np.array(start), np.array(end)
        self.move(start, shift)
        self.press(start, shift)
        for step in range(1, steps + 1):
            self.move(np.round(start + (end - start) * step / steps), shift)
        self.release(end, shift)

    def click(self, at) -> None:
        self.move(at)
        self.press(at)
        self.release(at)

    def _event(self, name: str, at, shift: bool) -> None:
        interactor = self._view.interactor
        interactor.SetEventInformation(int(at[0]), int(at[1]), 0, int(shift), "\0", 0, None)
        interactor.InvokeEvent(name)


def pixel_of(view: View, ras) -> np.ndarray:
    """Where a place (RAS, mm) is seen: pixels from the lower left, not rounded."""
    to_view = vtk.vtkMatrix4x4()
    vtk.vtkMatrix4x4.Invert(view.node.GetXYToRAS(), to_view)
    return np.array(to_view.MultiplyPoint((*ras, 1.0))[:2])


def bright_spot(view: View, around, reach: float = 40.0) -> np.ndarray:
    """Middle (pixels from the lower left) of what is nearly white near a pixel, the text above it left out."""
    grey = view.pixels()[::-1].astype(float)
    white = (grey.min(axis=2) > 200) & (np.ptp(grey, axis=2) < 20)
    rows, columns = np.nonzero(white)
    near = np.hypot(columns - around[0], rows - around[1]) < reach
    assert near.any(), "nothing bright there"
    return np.array([columns[near].mean(), rows[near].mean()])


def grey(pixels: np.ndarray, view: View, ras) -> np.ndarray:
    """Mean colour of 3 x 3 pixels at a place (RAS, mm)."""
    column, row = np.round(pixel_of(view, ras)).astype(int)
    return pixels[::-1][row - 1 : row + 2, column - 1 : column + 2].astype(float).mean(axis=(0, 1))


def shade(value: float, kind: ImageKind) -> float:
    """Grey of a value in the window of its kind, 0 to 255."""
    window, level = kind.window
    return float(np.clip((value - level) / window + 0.5, 0, 1) * 255)
