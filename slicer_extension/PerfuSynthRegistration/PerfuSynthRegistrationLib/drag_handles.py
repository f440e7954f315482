"""Handles over a slice view: dragged within its ring the moving image moves in the plane, dragged on the ring it turns.

Drawn and grabbed by the same numbers in every version of Slicer; what lies outside the ring stays Slicer's own (window
and level, pan), and so does everything with Shift or Ctrl held.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import vtk
from PerfuSynthLib.node_geometry import array_of

from .rigid import shift_by, turn_about

#: Radius of the ring, share of the view's shorter side, and how near to it the pointer grabs it, pixels. [d]
RING, GRAB_PIXELS = 0.36, 9.0
#: Half the length of the cross at the centre, pixels. [d]
_CROSS_PIXELS = 10.0
#: Colours at rest and while dragged: neither text nor outlines have them. [d]
_REST, _DRAGGED = (0.45, 0.95, 0.45), (1.0, 1.0, 1.0)
_WIDTH, _OPACITY, _CORNERS = 1.5, 0.8, 96
#: Before Slicer's own tools, which get what is not taken here.
_FIRST = 10.0
#: What a drag does.
MOVE, TURN = "move", "turn"


class DragHandles:
    """The handles of one view.

    Parameters
    ----------
    renderer
        The view's renderer, in a window with an interactor.
    node
        The view's slice node.
    centre_of
        Where the moving image's centre is seen now (RAS, mm).
    on_drag
        Called at every move of the pointer with the rigid matrix (RAS, mm) of the whole drag so far.
    on_end
        Called with what it was (`MOVE`, `TURN`) when the button is let go.
    are_off
        Whether clicks belong to something else now: landmarks are marked inside the ring, too.
    request_render
        Called when the handles look different: the view is to be drawn anew.
    """

    def __init__(
        self,
        renderer: Any,
        node: Any,
        centre_of: Callable[[], np.ndarray],
        on_drag: Callable[[np.ndarray], None],
        on_end: Callable[[str], None],
        are_off: Callable[[], bool] = lambda: False,
        request_render: Callable[[], None] = lambda: None,
    ):
        self._renderer, self._node, self._centre_of = renderer, node, centre_of
        self._on_drag, self._on_end = on_drag, on_end
        self._are_off, self._request_render = are_off, request_render
        self._kind: str | None = None
        self._from, self._about = np.zeros(2), np.zeros(3)
        self._actor, self._points = _ring_actor()
        renderer.AddViewProp(self._actor)
        self._interactor = renderer.GetRenderWindow().GetInteractor()
        self._watches = [(node, node.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: self.draw()))]
        for event, answer in (
            (vtk.vtkCommand.LeftButtonPressEvent, self._pressed),
            (vtk.vtkCommand.MouseMoveEvent, self._moved),
            (vtk.vtkCommand.LeftButtonReleaseEvent, self._released),
        ):
            self._watch(event, answer)
        self.draw()

    def draw(self) -> None:
        """Put ring and cross where the centre is seen now."""
        across, up = self._seen_at()
        angle = np.linspace(0, 2 * np.pi, _CORNERS, endpoint=False)
        ring = np.stack([across + self._radius * np.cos(angle), up + self._radius * np.sin(angle)], axis=1)
        cross = np.array([(-1, 0), (1, 0), (0, -1), (0, 1)]) * _CROSS_PIXELS + (across, up)
        for index, (x, y) in enumerate(np.concatenate([ring, cross])):
            self._points.SetPoint(index, x, y, 0)
        self._points.Modified()
        self._request_render()

    def grabbed(self, x: float, y: float) -> str | None:
        """What a drag from a pixel (from the lower left) would do; None outside the handles."""
        distance = float(np.hypot(*(np.array([x, y]) - self._seen_at())))
        if abs(distance - self._radius) <= GRAB_PIXELS:
            return TURN
        return MOVE if distance < self._radius else None

    def remove(self) -> None:
        """Take the handles away."""
        for watched, tag in self._watches:
            watched.RemoveObserver(tag)
        self._watches = []
        self._renderer.RemoveViewProp(self._actor)
        self._request_render()

    # --- what the pointer does

    def _watch(self, event: int, answer: Callable[[], bool]) -> None:
        """Ask ``answer`` at an event; where it says yes nobody else is told of the event."""
        tags: list[int] = []

        def told(*_: Any) -> None:
            if answer():
                self._interactor.GetCommand(tags[0]).SetAbortFlag(1)

        tags.append(self._interactor.AddObserver(event, told, _FIRST))
        self._watches.append((self._interactor, tags[0]))

    def _pressed(self) -> bool:
        if self._interactor.GetShiftKey() or self._interactor.GetControlKey() or self._are_off():
            return False
        self._from = np.array(self._interactor.GetEventPosition(), float)
        self._kind = self.grabbed(*self._from)
        if self._kind is not None:
            self._about = self._centre_of()
            self._centre_at = self._seen_at()
            self._actor.GetProperty().SetColor(*_DRAGGED)
            self._request_render()
        return self._kind is not None

    def _moved(self) -> bool:
        if self._kind is None:
            return False
        at = np.array(self._interactor.GetEventPosition(), float)
        self._on_drag(self._shift(at) if self._kind == MOVE else self._turn(at))
        return True

    def _released(self) -> bool:
        kind, self._kind = self._kind, None
        if kind is None:
            return False
        self._actor.GetProperty().SetColor(*_REST)
        self._on_end(kind)
        self.draw()
        return True

    def _shift(self, at: np.ndarray) -> np.ndarray:
        to_ras = array_of(self._node.GetXYToRAS())
        return shift_by(to_ras[:3, :2] @ (at - self._from))

    def _turn(self, at: np.ndarray) -> np.ndarray:
        """Anticlockwise on the screen is right-handed about the axis that comes out of it."""
        before, now = self._from - self._centre_at, at - self._centre_at
        degrees = np.degrees(np.arctan2(before[0] * now[1] - before[1] * now[0], before @ now))
        axes = array_of(self._node.GetSliceToRAS())[:3, :2]
        return turn_about(np.cross(axes[:, 0], axes[:, 1]), float(degrees), self._about)

    # --- where it is seen

    @property
    def _radius(self) -> float:
        width, high, _ = self._node.GetDimensions()
        return RING * min(width, high)

    def _seen_at(self) -> np.ndarray:
        """Pixel (from the lower left) of the centre."""
        to_view = np.linalg.inv(array_of(self._node.GetXYToRAS()))
        return to_view[:2, :3] @ self._centre_of() + to_view[:2, 3]


def _ring_actor() -> tuple[Any, Any]:
    points, lines = vtk.vtkPoints(), vtk.vtkCellArray()
    points.SetNumberOfPoints(_CORNERS + 4)
    for corner in range(_CORNERS):
        _add_line(lines, corner, (corner + 1) % _CORNERS)
    _add_line(lines, _CORNERS, _CORNERS + 1)
    _add_line(lines, _CORNERS + 2, _CORNERS + 3)
    shape = vtk.vtkPolyData()
    shape.SetPoints(points)
    shape.SetLines(lines)
    mapper = vtk.vtkPolyDataMapper2D()
    mapper.SetInputData(shape)
    actor = vtk.vtkActor2D()
    actor.SetMapper(mapper)
    actor.GetProperty().SetColor(*_REST)
    actor.GetProperty().SetLineWidth(_WIDTH)
    actor.GetProperty().SetOpacity(_OPACITY)
    return actor, points


def _add_line(lines: Any, first: int, second: int) -> None:
    lines.InsertNextCell(2)
    lines.InsertCellPoint(first)
    lines.InsertCellPoint(second)
