"""What stands in every view's pixels: the banner, the patient's sides, what is shown, the model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import vtk

#: Largest text, and the smallest that can still be read, pixels. [d]
_LARGEST, _SMALLEST = 15, 7
#: The sides' letters are larger by this factor: they must not be overlooked. [d]
_SIDES_LARGER = 1.5
#: Width of a letter, share of its height: the banner's longest line must fit into the view. [d]
_LETTER_WIDTH = 0.58
#: Colour of all text: on CT and on maps alike nothing else has it. [d]
TEXT_COLOUR = (1.0, 0.92, 0.35)
#: Distance of lines, share of their height: small text stays in separate lines. [d]
_LINE_SPACING = 1.2
#: Letters of the ways into a patient along R, A, S.
_LETTERS = (("R", "L"), ("A", "P"), ("S", "I"))
#: Where text stands, shares of the view: place, and which point of the text lies there.
_TOP, _BOTTOM = (0.5, 0.985, "Centered", "Top"), (0.5, 0.015, "Centered", "Bottom")
_LEFT, _RIGHT = (0.008, 0.5, "Left", "Centered"), (0.992, 0.5, "Right", "Centered")


class ViewAnnotation:
    """Text over a slice view, kept right when the view turns.

    Parameters
    ----------
    renderer
        The view's renderer.
    node
        The view's slice node.
    banner
        Lines on top: those that every screen must bear.
    foot
        Lines at the bottom: what the view shows, and who made it.
    """

    def __init__(self, renderer: Any, node: Any, banner: Sequence[str], foot: Sequence[str]):
        self._renderer = renderer
        self._node = node
        self._lines = [_text(_TOP, banner), _text(_BOTTOM, foot)]
        self._left, self._right = _text(_LEFT, []), _text(_RIGHT, [])
        self._longest = max(len(line) for line in [*banner, *foot])
        self._fit()
        for actor in self._actors:
            renderer.AddViewProp(actor)
        self._observer = node.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: self._fit())

    def remove(self) -> None:
        """Take the text away."""
        self._node.RemoveObserver(self._observer)
        for actor in self._actors:
            self._renderer.RemoveViewProp(actor)

    @property
    def _actors(self) -> list[Any]:
        return [*self._lines, self._left, self._right]

    def _fit(self) -> None:
        width = self._node.GetDimensions()[0]
        size = int(min(_LARGEST, max(_SMALLEST, width / (_LETTER_WIDTH * self._longest))))
        for actor in self._lines:
            actor.GetTextProperty().SetFontSize(size)
        matrix = self._node.GetSliceToRAS()
        to_the_right = np.array([matrix.GetElement(row, 0) for row in range(3)])
        for actor, direction in ((self._left, -to_the_right), (self._right, to_the_right)):
            actor.GetTextProperty().SetFontSize(int(_SIDES_LARGER * size))
            actor.SetInput(letter_of(direction))


def _text(place: tuple[float, float, str, str], lines: Sequence[str]) -> Any:
    across, up, justified, aligned = place
    actor = vtk.vtkTextActor()
    actor.SetInput("\n".join(lines))
    actor.GetPositionCoordinate().SetCoordinateSystemToNormalizedViewport()
    actor.SetPosition(across, up)
    letters = actor.GetTextProperty()
    getattr(letters, f"SetJustificationTo{justified}")()
    getattr(letters, f"SetVerticalJustificationTo{aligned}")()
    letters.SetColor(*TEXT_COLOUR)
    letters.SetBold(1)
    letters.SetShadow(1)
    letters.SetLineSpacing(_LINE_SPACING)
    return actor


def letter_of(direction: np.ndarray) -> str:
    """The letter of the patient's side that a direction (RAS) points to most."""
    axis = int(np.abs(direction).argmax())
    return _LETTERS[axis][0 if direction[axis] > 0 else 1]
