"""The bar of a map's colours in a view: numbers, unit, always as the map is windowed now."""

from __future__ import annotations

from typing import Any

import vtk

#: Place and size, shares of the view: at the right, below the letter of the patient's side.
_PLACE, _WIDTH, _HEIGHT = (0.84, 0.05), 0.14, 0.36
#: Share of the width that is colours.
_COLOURS = 0.2
#: Size of the text, pixels, and numbers beside the bar.
_TEXT, _NUMBERS = 12, 5
#: Room between text and colours, pixels.
_GAP = 6


class ColourBar:
    """A colour bar over a slice view.

    It is drawn by itself, not by Slicer's colour legends: those vanish when a scene is loaded again.

    Parameters
    ----------
    renderer
        The view's renderer.
    display
        The volume's display node: its colours, window and level are followed.
    unit
        What the numbers are.
    """

    def __init__(self, renderer: Any, display: Any, unit: str):
        self._renderer, self._display = renderer, display
        self._colours = vtk.vtkLookupTable()
        self._actor = vtk.vtkScalarBarActor()
        self._actor.SetLookupTable(self._colours)
        self._actor.SetTitle(unit)
        self._actor.SetNumberOfLabels(_NUMBERS)
        self._actor.SetLabelFormat("%.0f   ")  # the spaces keep the numbers off the colours
        self._actor.SetUnconstrainedFontSize(True)
        self._actor.SetTextPositionToPrecedeScalarBar()
        self._actor.GetPositionCoordinate().SetCoordinateSystemToNormalizedViewport()
        self._actor.SetPosition(*_PLACE)
        self._actor.SetWidth(_WIDTH)
        self._actor.SetHeight(_HEIGHT)
        self._actor.SetBarRatio(_COLOURS)
        self._actor.SetVerticalTitleSeparation(_GAP)
        for text in (self._actor.GetTitleTextProperty(), self._actor.GetLabelTextProperty()):
            text.SetFontSize(_TEXT)
            text.SetColor(1.0, 1.0, 1.0)
            text.SetShadow(1)
            text.SetItalic(0)
            text.SetBold(0)
        self._follow()
        renderer.AddViewProp(self._actor)
        self._observer = display.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: self._follow())

    def remove(self) -> None:
        """Take the bar away."""
        self._display.RemoveObserver(self._observer)
        self._renderer.RemoveViewProp(self._actor)

    def _follow(self) -> None:
        window, level = self._display.GetWindow(), self._display.GetLevel()
        table = self._display.GetColorNode().GetLookupTable()
        self._colours.DeepCopy(table)
        self._colours.SetTableRange(level - window / 2, level + window / 2)
        for entry in range(self._colours.GetNumberOfTableValues()):
            red, green, blue, _ = self._colours.GetTableValue(entry)
            self._colours.SetTableValue(entry, red, green, blue, 1.0)
