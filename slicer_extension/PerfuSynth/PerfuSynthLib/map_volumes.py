"""Volume nodes of a result: the maps with name, unit, colours and window, the brain mask, the NCCT's window."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer

from .colour_tables import MapDisplay, displays_of, rgba_table
from .constants import STROKE_WINDOW
from .grid_volume import GridVolume
from .node_geometry import set_volume

#: Marks every volume that this extension made of a result, so that none is taken for a scan.
SYNTHETIC_ATTRIBUTE = "PerfuSynth.synthetic"
#: Colour nodes of this extension: the table's name follows.
_COLOUR_NODE = "PerfuSynth "
#: Entries of a table, and how far a colour may lie from its own after it was saved: half a byte.
_ENTRIES, _COLOUR_TOLERANCE = 256, 0.5 / 255
#: UCUM code and meaning of the maps' units as the scene keeps them.
_UCUM = {
    "s": ("s", "second"),
    "mL/100 g/min": ("ml/(100.g.min)", "mL/100 g/min"),
    "mL/100 g": ("ml/(100.g)", "mL/100 g"),
}


def display_of(name: str, normal_cbf: float | None = None) -> MapDisplay:
    """How a map of a result with this CBF of normal tissue is shown; one that is not known goes from 0 to 1 in grey."""
    return displays_of(normal_cbf).get(name) or MapDisplay(name, "", 0.0, 1.0, "grey")


def title_of(name: str) -> str:
    """A map's label with its unit: ``Tmax (s)``."""
    display = display_of(name)
    return f"{display.label} ({display.unit})" if display.unit else display.label


def node_name(name: str) -> str:
    """What a map's volume node is called: it says what the values are, and that nobody measured them."""
    return f"{title_of(name)} SYNTHETIC"


def add_map(scene: Any, name: str, volume: GridVolume, normal_cbf: float | None = None) -> Any:
    """A map as volume node: named, with its unit, coloured, transparent outside the brain (where it is 0).

    ``normal_cbf`` (mL/100 g/min, of the result's normal tissue) decides how far the colours of CBF reach.
    """
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", node_name(name))
    set_volume(node, volume)
    node.SetAttribute(SYNTHETIC_ATTRIBUTE, name)
    code, meaning = _UCUM.get(display_of(name).unit, ("1", "no units"))
    units = slicer.vtkCodedEntry()
    units.SetValueSchemeMeaning(code, "UCUM", meaning)
    node.SetVoxelValueUnits(units)
    shown = slicer.vtkMRMLScalarVolumeDisplayNode()
    shown.SetAutoWindowLevel(0)  # Slicer's default node would look for a window in all voxels first
    scene.AddNode(shown)
    node.SetAndObserveDisplayNodeID(shown.GetID())
    show_as_map(node, display_of(name, normal_cbf))
    return node


def show_as_map(node: Any, display: MapDisplay) -> None:
    """Give a map's node colours, window and transparent surroundings."""
    shown = node.GetDisplayNode()
    shown.SetAndObserveColorNodeID(colour_node(node.GetScene(), display.table).GetID())
    shown.SetAutoWindowLevel(0)
    shown.SetWindowLevel(*display.window_level)
    shown.SetInterpolate(0)  # between the brain's edge and the 0 outside lie values that no model gave


def colour_node(scene: Any, table: str) -> Any:
    """The scene's colour node of a table: made once, made anew where a scene brought a damaged one."""
    name = _COLOUR_NODE + table
    colours = rgba_table(table) / 255.0
    node = scene.GetFirstNode(name, "vtkMRMLColorTableNode")
    if node is None:
        node = slicer.vtkMRMLColorTableNode()
        node.SetName(name)
        node.SetTypeToUser()
        _fill(node, colours)
        scene.AddNode(node)
    elif not np.allclose(_colours_of(node), colours, atol=_COLOUR_TOLERANCE):
        _fill(node, colours)
    return node


def add_brain(scene: Any, brain: GridVolume) -> Any:
    """The brain mask as label map; volumes are measured within it, views do not show it."""
    node = scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "Brain mask SYNTHETIC")
    set_volume(node, GridVolume(brain.array.astype(np.uint8, copy=False), brain.affine))
    node.SetAttribute(SYNTHETIC_ATTRIBUTE, "brain")
    node.CreateDefaultDisplayNodes()
    return node


def add_ncct(scene: Any, ncct: GridVolume) -> Any:
    """The NCCT on the maps' grid, where the server had to resample it."""
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "NCCT (resampled)")
    set_volume(node, ncct)
    node.CreateDefaultDisplayNodes()
    return node


def show_stroke_window(node: Any) -> None:
    """Show an NCCT as one reads strokes, W/L 40/40."""
    if node.GetDisplayNode() is None:
        node.CreateDefaultDisplayNodes()
    shown = node.GetDisplayNode()
    shown.SetAutoWindowLevel(0)
    shown.SetWindowLevel(*STROKE_WINDOW)


def _fill(node: Any, colours: np.ndarray) -> None:
    was_modifying = node.StartModify()
    node.SetNumberOfColors(len(colours))
    for index, (red, green, blue, alpha) in enumerate(colours):
        node.SetColor(index, f"{index}", float(red), float(green), float(blue), float(alpha))
    node.EndModify(was_modifying)


def _colours_of(node: Any) -> np.ndarray:
    """RGBA of all entries, 0 to 1; -1 where the table is not as long as ours."""
    table = node.GetLookupTable()
    count = 0 if table is None else table.GetNumberOfTableValues()
    if count != _ENTRIES:
        return np.full((_ENTRIES, 4), -1.0)
    return np.array([table.GetTableValue(index) for index in range(count)])
