"""Views to read a result in: NCCT, Tmax, CBF and overlay side by side, or a mosaic of slices; what each view shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from .node_geometry import matrix_of
from .scan_planes import ScanPlanes

#: Numbers of the layouts in the scene; Slicer leaves those from 500 on to extensions.
FOUR_VIEWS, MOSAIC = 6301, 6302
#: Names of the slice views.
NCCT_VIEW, TMAX_VIEW, CBF_VIEW, OVERLAY_VIEW = (f"PerfuSynth{name}" for name in ("NCCT", "Tmax", "CBF", "Overlay"))
READING_VIEWS: tuple[str, ...] = (NCCT_VIEW, TMAX_VIEW, CBF_VIEW, OVERLAY_VIEW)
#: Mosaic: rows and columns of views.
MOSAIC_ROWS, MOSAIC_COLUMNS = 3, 4
MOSAIC_VIEWS: tuple[str, ...] = tuple(f"PerfuSynthMosaic{i + 1}" for i in range(MOSAIC_ROWS * MOSAIC_COLUMNS))
ALL_VIEWS: tuple[str, ...] = READING_VIEWS + MOSAIC_VIEWS
#: What the views' bars are labelled with, and their colours.
_LABELS = {NCCT_VIEW: "CT", TMAX_VIEW: "Tmax", CBF_VIEW: "CBF", OVERLAY_VIEW: "CT+Tmax"}
_COLOUR = "#3C6E8F"
#: Views in one group scroll, zoom and pan together; the group of Slicer's own views is 0.
_READING_GROUP, _MOSAIC_GROUP = 63, 64
#: Room around the brain for the skull, and above and below also for text, mm. [d]
_MARGIN_MM = np.array([18.0, 30.0, 0.0])


class Content(NamedTuple):
    """Node ids of what a view shows, one over the other; ``opacity`` is the foreground's, 0 to 1."""

    background: str
    foreground: str | None = None
    opacity: float = 0.0


def add_layouts(layout: Any) -> None:
    """Make both layouts known to the scene's layout node."""
    rows = [READING_VIEWS[:2], READING_VIEWS[2:]]
    tiles = [MOSAIC_VIEWS[row * MOSAIC_COLUMNS : (row + 1) * MOSAIC_COLUMNS] for row in range(MOSAIC_ROWS)]
    for number, grid in ((FOUR_VIEWS, rows), (MOSAIC, tiles)):
        if layout.IsLayoutDescription(number):
            layout.SetLayoutDescription(number, _grid_xml(grid))
        else:
            layout.AddLayoutDescription(number, _grid_xml(grid))


def slice_node(scene: Any, view: str) -> Any:
    """The view's slice node; None before its layout was shown once."""
    return _named(scene, "vtkMRMLSliceNode", view)


def fill_view(scene: Any, view: str, content: Content) -> None:
    """Show volumes in a view; nothing happens where the view does not exist (yet)."""
    composite = _named(scene, "vtkMRMLSliceCompositeNode", view)
    if composite is None:
        return
    composite.SetBackgroundVolumeID(content.background)
    composite.SetForegroundVolumeID(content.foreground)
    composite.SetLabelVolumeID(None)
    composite.SetForegroundOpacity(content.opacity)
    in_mosaic = view in MOSAIC_VIEWS
    composite.SetLinkedControl(not in_mosaic)
    composite.SetHotLinkedControl(not in_mosaic)


def set_opacity(scene: Any, view: str, opacity: float) -> None:
    """Opacity of a view's foreground, 0 to 1."""
    composite = _named(scene, "vtkMRMLSliceCompositeNode", view)
    if composite is not None:
        composite.SetForegroundOpacity(opacity)


def place_view(node: Any, planes: ScanPlanes, height: float) -> None:
    """Turn a slice view to the scan's own axial planes and let the brain fill it.

    Parameters
    ----------
    node
        Slice node.
    planes
        Of the maps' grid.
    height
        Place along the planes' third axis that is shown, mm.
    """
    centre = planes.box.mean(axis=0)
    centre[2] = height
    matrix = np.eye(4)
    matrix[:3, :3] = planes.axes
    matrix[:3, 3] = planes.axes @ centre
    was_modifying = node.StartModify()
    node.GetSliceToRAS().DeepCopy(matrix_of(matrix))
    node.SetXYZOrigin(0, 0, 0)
    node.UpdateMatrices()
    fit_brain(node, planes)
    node.EndModify(was_modifying)


def fit_brain(node: Any, planes: ScanPlanes) -> None:
    """Zoom a slice view so that the brain with its surroundings fits; where the view looks stays as it is."""
    width, high, _ = node.GetDimensions()
    size = planes.box[1] - planes.box[0] + 2 * _MARGIN_MM
    pixel = max(size[0] / max(width, 1), size[1] / max(high, 1))
    node.SetFieldOfView(pixel * width, pixel * high, node.GetFieldOfView()[2])


def _grid_xml(rows: Sequence[Sequence[str]]) -> str:
    return _split("vertical", [_split("horizontal", [_view_xml(name) for name in row]) for row in rows])


def _split(kind: str, items: Sequence[str]) -> str:
    return f'<layout type="{kind}" split="true">' + "".join(f"<item>{item}</item>" for item in items) + "</layout>"


def _view_xml(name: str) -> str:
    properties: dict[str, str] = {
        "orientation": "Axial",
        "viewlabel": _LABELS.get(name) or name.replace("PerfuSynthMosaic", ""),
        "viewcolor": _COLOUR,
        "viewgroup": str(_MOSAIC_GROUP if name in MOSAIC_VIEWS else _READING_GROUP),
    }
    inner = "".join(f'<property name="{key}" action="default">{value}</property>' for key, value in properties.items())
    return f'<view class="vtkMRMLSliceNode" singletontag="{name}">{inner}</view>'


def _named(scene: Any, kind: str, view: str) -> Any:
    for index in range(scene.GetNumberOfNodesByClass(kind)):
        node = scene.GetNthNodeByClass(index, kind)
        if node.GetLayoutName() == view:
            return node
    return None
