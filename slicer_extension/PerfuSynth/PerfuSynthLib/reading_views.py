"""Puts a reading into its views: which volumes, how they are turned and linked, text and colour bars over them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import vtk

from . import reading_layout as layout
from .colour_bar import ColourBar
from .facts import Facts
from .grid_volume import GridVolume
from .map_volumes import display_of, title_of
from .scan_planes import planes_of
from .slice_annotations import ViewAnnotation

#: Maps whose colour bar a view bears.
_BARS = {layout.TMAX_VIEW: "tmax", layout.OVERLAY_VIEW: "tmax", layout.CBF_VIEW: "cbf"}


class ReadingViews:
    """The views of one reading.

    Parameters
    ----------
    scene
        The MRML scene.
    ncct, tmax, cbf
        Volume nodes.
    brain
        Mask on the maps' grid: views are placed around it.
    facts
        Banner and model.
    renderer_of
        The renderer of a slice view by name; None where the layout does not show it.
    """

    def __init__(
        self,
        scene: Any,
        ncct: Any,
        tmax: Any,
        cbf: Any,
        brain: GridVolume,
        facts: Facts,
        renderer_of: Callable[[str], Any],
    ):
        self._scene, self._facts, self._renderer_of = scene, facts, renderer_of
        self._ncct, self._maps = ncct, {"tmax": tmax, "cbf": cbf}
        self._planes = planes_of(brain)
        self._affine = brain.affine
        self._placed: set[str] = set()
        self._sizes: dict[str, tuple[int, int, int]] = {}
        self._watches: list[tuple[Any, int]] = []
        self._over: dict[str, list[ViewAnnotation | ColourBar]] = {}
        self._renderers: dict[str, Any] = {}

    def arrange(self, number: int, opacity: float, region: np.ndarray) -> None:
        """Show a layout (`reading_layout.FOUR_VIEWS`, `MOSAIC`) with this reading in it.

        A view that is new to this reading begins at the slice that holds most of ``region`` (bool, the maps' grid).
        """
        node = self._scene.GetFirstNodeByClass("vtkMRMLLayoutNode")
        if node is not None:
            layout.add_layouts(node)
            node.SetViewArrangement(number)
        self.annotate()
        tmax, cbf = self._maps["tmax"].GetID(), self._maps["cbf"].GetID()
        contents = {
            layout.NCCT_VIEW: layout.Content(self._ncct.GetID()),
            layout.TMAX_VIEW: layout.Content(tmax),
            layout.CBF_VIEW: layout.Content(cbf),
        }
        overlay = layout.Content(self._ncct.GetID(), tmax, opacity)
        for view in layout.ALL_VIEWS:
            layout.fill_view(self._scene, view, contents.get(view, overlay))
        self._place(region)

    def keep_places(self) -> None:
        """Leave the views that exist where they are: a loaded scene has placed them."""
        self._placed = {view for view in layout.ALL_VIEWS if layout.slice_node(self._scene, view) is not None}

    def annotate(self) -> None:
        """Write banner, sides and model over every view that is there now; views come and go with the layout."""
        for view in layout.ALL_VIEWS:
            renderer = self._renderer_of(view)
            node = layout.slice_node(self._scene, view)
            if view in self._over and self._renderers[view] is not renderer:
                self._clear(view)
            if renderer is not None and node is not None and view not in self._over:
                self._renderers[view] = renderer
                self._over[view] = [ViewAnnotation(renderer, node, self._facts.notices, self._foot(view))]
                if view in _BARS:
                    name = _BARS[view]
                    self._over[view].append(
                        ColourBar(renderer, self._maps[name].GetDisplayNode(), display_of(name).unit)
                    )

    def set_opacity(self, opacity: float) -> None:
        """Opacity of Tmax over the NCCT, 0 to 1."""
        for view in (layout.OVERLAY_VIEW, *layout.MOSAIC_VIEWS):
            layout.set_opacity(self._scene, view, opacity)

    def let_go(self) -> None:
        """Take the text off the views; what is in the scene stays."""
        for view in list(self._over):
            self._clear(view)
        for node, watch in self._watches:
            node.RemoveObserver(watch)
        self._watches, self._sizes = [], {}

    def _clear(self, view: str) -> None:
        for drawn in self._over.pop(view):
            drawn.remove()

    def _place(self, region: np.ndarray) -> None:
        heights = self._planes.spread(len(layout.MOSAIC_VIEWS))
        tiles = {view: heights[number] for number, view in enumerate(layout.MOSAIC_VIEWS)}
        start = self._planes.fullest(GridVolume(region, self._affine))
        for view in layout.ALL_VIEWS:
            node = layout.slice_node(self._scene, view)
            if node is not None and view not in self._placed:
                layout.place_view(node, self._planes, tiles.get(view, start))
                self._placed.add(view)
            if node is not None and view not in self._sizes:
                self._sizes[view] = node.GetDimensions()
                watch = node.AddObserver(
                    vtk.vtkCommand.ModifiedEvent, lambda node, _, view=view: self._resized(view, node)
                )
                self._watches.append((node, watch))

    def _resized(self, view: str, node: Any) -> None:
        """A view that gets its size on the screen after it was placed, or is made large, is filled by the brain."""
        size = node.GetDimensions()
        if size != self._sizes[view]:
            self._sizes[view] = size
            layout.fit_brain(node, self._planes)

    def _foot(self, view: str) -> list[str]:
        if view in layout.MOSAIC_VIEWS:
            return []
        shown = {
            layout.NCCT_VIEW: "CT",
            layout.TMAX_VIEW: title_of("tmax"),
            layout.CBF_VIEW: title_of("cbf"),
            layout.OVERLAY_VIEW: f"CT and {title_of('tmax')}",
        }
        return [shown[view], self._facts.made_by]
