"""The views of one case: which planes they show, where they look, what stands over them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import vtk
from PerfuSynthLib.grid_volume import GridVolume
from PerfuSynthLib.reading_layout import slice_node
from PerfuSynthLib.scan_planes import planes_of
from PerfuSynthLib.slice_annotations import ViewAnnotation

from . import registration_layout as layout
from .drag_handles import DragHandles

#: Makes handles of a view's renderer, its slice node, and how the view is drawn anew.
MakeHandles = Callable[[Any, Any, Callable[[], None]], DragHandles]


class RegistrationViews:
    """Planes, places and lines of text of one case.

    Parameters
    ----------
    scene
        The MRML scene.
    head
        Mask on the fixed image's grid: views lie in its planes, and around it.
    titles
        What the fixed and the moving image are called.
    case
        Line on top of every view; "" for none.
    renderer_of
        The renderer of a slice view by name; None where the layout does not show it.
    request_render
        Called with a view's name when it is to be drawn anew, though nothing of the scene has changed.
    """

    def __init__(
        self,
        scene: Any,
        head: GridVolume,
        titles: tuple[str, str],
        case: str,
        renderer_of: Callable[[str], Any],
        request_render: Callable[[str], None],
    ):
        self._scene, self._case, self._renderer_of = scene, case, renderer_of
        self._request_render = request_render
        self._planes = planes_of(head)
        self._middle = self._planes.axes @ self._planes.box.mean(axis=0)
        fixed, moving = titles
        self._feet = {
            **dict.fromkeys(layout.BOTH_VIEWS, f"{fixed} and {moving}"),
            **dict.fromkeys(layout.FIXED_VIEWS, fixed),
            **dict.fromkeys(layout.MOVING_VIEWS, moving),
        }
        self._placed: set[str] = set()
        self._sizes: dict[str, tuple[int, int, int]] = {}
        self._watches: list[tuple[Any, int]] = []
        self._over: dict[str, ViewAnnotation] = {}
        self._renderers: dict[str, Any] = {}
        self._make_handles: MakeHandles | None = None
        self._handles: dict[str, DragHandles] = {}

    def arrange(self, number: int) -> None:
        """Show a layout (`registration_layout.PLANES`, `SIDE_BY_SIDE`); views new to this case begin at its middle."""
        node = self._scene.GetFirstNodeByClass("vtkMRMLLayoutNode")
        if node is not None:
            layout.add_layouts(node)
            node.SetViewArrangement(number)
        self.annotate()
        for view in layout.ALL_VIEWS:
            self._place(view)

    def annotate(self) -> None:
        """Write sides and names over every view that is there now; views come and go with the layout."""
        for view in layout.ALL_VIEWS:
            renderer, node = self._renderer_of(view), slice_node(self._scene, view)
            if view in self._over and self._renderers[view] is not renderer:
                self._over.pop(view).remove()
                self._drop_handles(view)
            if renderer is not None and node is not None and view not in self._over:
                self._renderers[view] = renderer
                self._over[view] = ViewAnnotation(renderer, node, [self._case], [self._feet[view]])
            wanted = self._make_handles is not None and view in self._over and view not in layout.FIXED_VIEWS
            if wanted and view not in self._handles and renderer.GetRenderWindow().GetInteractor() is not None:
                self._handles[view] = self._make_handles(renderer, node, partial(self._request_render, view))

    def show_handles(self, make: MakeHandles | None) -> None:
        """Put handles over all views that show the moving image; or none."""
        for view in list(self._handles):
            self._drop_handles(view)
        self._make_handles = make
        self.annotate()

    def draw_handles(self) -> None:
        """The moving image was moved: its handles follow."""
        for handles in self._handles.values():
            handles.draw()

    def let_go(self) -> None:
        """Take text and handles off the views; what is in the scene stays."""
        self._make_handles = None
        for view in list(self._handles):
            self._drop_handles(view)
        for drawn in self._over.values():
            drawn.remove()
        for node, watch in self._watches:
            node.RemoveObserver(watch)
        self._over, self._watches, self._sizes = {}, [], {}

    def _drop_handles(self, view: str) -> None:
        if view in self._handles:
            self._handles.pop(view).remove()

    def _place(self, view: str) -> None:
        node = slice_node(self._scene, view)
        if node is None:
            return
        if view not in self._placed:
            layout.place(self._scene, view, self._planes, self._middle)
            self._placed.add(view)
        if view not in self._sizes:
            self._sizes[view] = node.GetDimensions()
            watch = node.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda node, _: self._resized(view, node))
            self._watches.append((node, watch))

    def _resized(self, view: str, node: Any) -> None:
        """A view that gets its size on the screen after it was placed, or is made large, is filled by the head."""
        size = node.GetDimensions()
        if view in self._sizes and size != self._sizes[view]:
            self._sizes[view] = size
            layout.fit(self._scene, view, self._planes)
