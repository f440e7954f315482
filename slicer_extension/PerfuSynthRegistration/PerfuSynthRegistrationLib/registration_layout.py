"""Views to judge a registration in: three linked planes of both images, or fixed and moving side by side."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from PerfuSynthLib.reading_layout import fit_brain, place_view, slice_node
from PerfuSynthLib.scan_planes import ScanPlanes

#: Numbers of the layouts in the scene; Slicer leaves those from 500 on to extensions.
PLANES, SIDE_BY_SIDE = 6311, 6312
#: Orientations, as Slicer calls them.
AXIAL, CORONAL, SAGITTAL = "Axial", "Coronal", "Sagittal"
ORIENTATIONS: tuple[str, ...] = (AXIAL, CORONAL, SAGITTAL)
#: Names of the slice views: both images, the fixed alone, the moving alone.
BOTH_VIEWS: tuple[str, ...] = tuple(f"PerfuSynthRegistration{name}" for name in ORIENTATIONS)
FIXED_VIEWS: tuple[str, ...] = tuple(f"PerfuSynthFixed{name}" for name in ORIENTATIONS)
MOVING_VIEWS: tuple[str, ...] = tuple(f"PerfuSynthMoving{name}" for name in ORIENTATIONS)
ALL_VIEWS: tuple[str, ...] = BOTH_VIEWS + FIXED_VIEWS + MOVING_VIEWS
#: Views in one group scroll, zoom and pan together; PerfuSynth's own have 63 and 64.
_GROUP = 65
_COLOUR = "#3C6E8F"
#: Columns of the scan's axes (left, anterior, superior) that run to the screen's right, up and to the next slice, and
#: the sign of the first, as in Slicer's own presets: in sagittal views the nose points to the left.
_TURNED = {AXIAL: ((0, 1, 2), 1.0), CORONAL: ((0, 2, 1), 1.0), SAGITTAL: ((1, 2, 0), -1.0)}


class Content(NamedTuple):
    """Node ids of what a view shows: background, foreground over it with its opacity (0 to 1), outlines over both."""

    background: str
    foreground: str | None = None
    opacity: float = 0.0
    outline: str | None = None


def orientation_of(view: str) -> str:
    """`AXIAL`, `CORONAL` or `SAGITTAL`, of a view of `ALL_VIEWS`."""
    return next(name for name in ORIENTATIONS if view.endswith(name))


def turned_planes(planes: ScanPlanes, orientation: str) -> ScanPlanes:
    """A scan's axial planes turned to another orientation; the slices are those of the axial planes' grid or 1 mm."""
    columns, sign = _TURNED[orientation]
    axes, box = planes.axes[:, columns].copy(), planes.box[:, columns].copy()
    axes[:, 0] *= sign
    if sign < 0:
        box[:, 0] = -box[::-1, 0]
    slices = planes.slices if orientation == AXIAL else np.arange(np.floor(box[0, 2]), np.ceil(box[1, 2]) + 1)
    return ScanPlanes(axes, box, slices)


def add_layouts(layout: Any) -> None:
    """Make both layouts known to the scene's layout node."""
    axial, *others = (_item(view) for view in BOTH_VIEWS)
    planes = f'<layout type="horizontal" split="true">{axial}<item>{_box("vertical", "".join(others))}</item></layout>'
    rows = "".join(
        f"<item>{_box('horizontal', ''.join(_item(view) for view in views))}</item>"
        for views in (FIXED_VIEWS, MOVING_VIEWS)
    )
    for number, description in ((PLANES, planes), (SIDE_BY_SIDE, _box("vertical", rows))):
        if layout.IsLayoutDescription(number):
            layout.SetLayoutDescription(number, description)
        else:
            layout.AddLayoutDescription(number, description)


def fill_view(scene: Any, view: str, content: Content) -> None:
    """Show volumes in a view; nothing happens where the view does not exist (yet)."""
    composite, node = composite_of(scene, view), slice_node(scene, view)
    if composite is None or node is None:
        return
    node.SetUseLabelOutline(True)
    was_modifying = composite.StartModify()
    composite.SetBackgroundVolumeID(content.background)
    composite.SetForegroundVolumeID(content.foreground)
    composite.SetLabelVolumeID(content.outline)
    composite.SetForegroundOpacity(content.opacity)
    composite.SetLabelOpacity(1.0)
    composite.SetLinkedControl(True)
    composite.SetHotLinkedControl(True)
    composite.EndModify(was_modifying)


def place(scene: Any, view: str, planes: ScanPlanes, ras: np.ndarray) -> None:
    """Turn a view to its orientation of the scan's planes, through a point (RAS, mm), the head filling it."""
    node = slice_node(scene, view)
    if node is None:
        return
    turned = turned_planes(planes, orientation_of(view))
    node.SetOrientation(orientation_of(view))  # its name; the axes follow
    place_view(node, turned, turned.nearest(float(turned.axes[:, 2] @ ras)))


def fit(scene: Any, view: str, planes: ScanPlanes) -> None:
    """Zoom a view so that the head fits; where it looks stays as it is."""
    node = slice_node(scene, view)
    if node is not None:
        fit_brain(node, turned_planes(planes, orientation_of(view)))


def composite_of(scene: Any, view: str) -> Any:
    """The view's composite node; None before its layout was shown once."""
    nodes = (
        scene.GetNthNodeByClass(index, "vtkMRMLSliceCompositeNode")
        for index in range(scene.GetNumberOfNodesByClass("vtkMRMLSliceCompositeNode"))
    )
    return next((node for node in nodes if node.GetLayoutName() == view), None)


def _box(direction: str, items: str) -> str:
    return f'<layout type="{direction}">{items}</layout>'


def _item(view: str) -> str:
    orientation = orientation_of(view)
    prefix = "" if view in BOTH_VIEWS else "CTP " if view in FIXED_VIEWS else "NCCT "
    properties = {
        "orientation": orientation,
        "viewlabel": f"{prefix}{orientation[0]}",
        "viewcolor": _COLOUR,
        "viewgroup": f"{_GROUP}",
    }
    inside = "".join(
        f'<property name="{name}" action="default">{value}</property>' for name, value in properties.items()
    )
    return f'<item><view class="vtkMRMLSliceNode" singletontag="{view}">{inside}</view></item>'
