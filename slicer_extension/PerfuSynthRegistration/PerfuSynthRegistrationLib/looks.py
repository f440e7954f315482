"""What the views show of two images: faded, as checkerboard, with the moving image's edges or outlines, subtracted."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer
from PerfuSynthLib.grid_volume import GridVolume
from PerfuSynthLib.node_geometry import set_volume, volume_of
from vtk.util.numpy_support import vtk_to_numpy

from .look_blend import DIFFERENCE_STEPS, blend_grid, checkerboard, difference, difference_colours, shown_as_bytes
from .look_outline import BRAIN, SKULL
from .look_settings import (
    BRAIN_COLOUR,
    CHECKER_MM,
    CHECKERBOARD,
    DIFFERENCE,
    EDGE_COLOUR,
    EDGES,
    FADE,
    FADE_START,
    LOOKS,
    SKULL_COLOUR,
)
from .moved_volume import MovedVolume
from .prepare import Prepared, prepare
from .registration_layout import BOTH_VIEWS, FIXED_VIEWS, MOVING_VIEWS, Content, fill_view
from .scene_nodes import remove_node


class Looks:
    """The ways of looking at one pair of images; what a way needs is made when it is first chosen.

    Edges and outlines lie under the moving image's transform, so that they follow it by themselves; checkerboard and
    difference are computed anew by `follow`.

    Parameters
    ----------
    scene
        The MRML scene.
    fixed, moving
        Volume nodes; the moving one under ``transform``.
    transform
        Its transform node.
    prepared
        Edges and outlines; None: they are found when they are first looked at.
    same_unit
        Whether both images are in HU.
    """

    def __init__(
        self,
        scene: Any,
        fixed: Any,
        moving: Any,
        transform: Any,
        prepared: Prepared | None,
        same_unit: bool,
    ):
        self._scene, self._fixed, self._moving, self._transform = scene, fixed, moving, transform
        self._prepared, self._same_unit = prepared, same_unit
        self._nodes: dict[str, Any] = {}
        self._colours: list[Any] = []
        self._grid = blend_grid(volume_of(fixed))
        self._moved: MovedVolume | None = None
        self.look = FADE
        self.fade = FADE_START
        self.outline = False

    def choose(self, look: str, fixed_to_moving: np.ndarray) -> None:
        """Look in one of the ways `look_settings.LOOKS`."""
        if look not in LOOKS:
            raise ValueError(f"{look!r} is none of {', '.join(LOOKS)}")
        self.look = look
        self.follow(fixed_to_moving)
        self.fill()

    def follow(self, fixed_to_moving: np.ndarray) -> None:
        """Compute anew what does not follow the transform by itself, if it is what is shown."""
        if self.look not in (CHECKERBOARD, DIFFERENCE):
            return
        if self._moved is None:
            moving = volume_of(self._moving)
            self._moved = MovedVolume(moving, self._grid.affine, self._grid.array.shape, float(moving.array.min()))
        window = self._window(self._moving)
        alike = self.look == DIFFERENCE and self._same_unit  # else the windows' difference would be seen everywhere
        fixed = shown_as_bytes(self._grid.array, window if alike else self._window(self._fixed))
        moved = shown_as_bytes(self._moved.under(fixed_to_moving), window)
        if self.look == CHECKERBOARD:
            blended = checkerboard(fixed, moved, self._grid.spacing, CHECKER_MM)
        else:
            blended = difference(fixed, moved)
        self._put(self.look, blended)

    def fill(self) -> None:
        """Bring what is looked at into the views that exist."""
        both = {
            FADE: lambda: Content(self._fixed.GetID(), self._moving.GetID(), self.fade),
            EDGES: lambda: Content(self._fixed.GetID(), self._edges().GetID(), 1.0),
            CHECKERBOARD: lambda: Content(self._nodes[CHECKERBOARD].GetID()),
            DIFFERENCE: lambda: Content(self._nodes[DIFFERENCE].GetID()),
        }[self.look]()
        outline = self._outline().GetID() if self.outline else None
        for views, content in (
            (BOTH_VIEWS, both),
            (FIXED_VIEWS, Content(self._fixed.GetID())),
            (MOVING_VIEWS, Content(self._moving.GetID())),
        ):
            for view in views:
                fill_view(self._scene, view, content._replace(outline=outline))

    def remove(self) -> None:
        """Take everything that was made for looking out of the scene."""
        for node in self._nodes.values():
            remove_node(self._scene, node)
        for colours in self._colours:
            self._scene.RemoveNode(colours)
        self._nodes, self._colours = {}, []

    @staticmethod
    def _window(node: Any) -> tuple[float, float]:
        shown = node.GetDisplayNode()
        return shown.GetWindow(), shown.GetLevel()

    def _put(self, look: str, blended: np.ndarray) -> None:
        """Write a blend into its node, in place once the node has it: no memory is asked for at each step of a drag."""
        node = self._nodes.get(look)
        if node is not None:
            scalars = node.GetImageData().GetPointData().GetScalars()
            vtk_to_numpy(scalars)[:] = blended.ravel(order="F")
            scalars.Modified()
            node.GetImageData().Modified()
            return
        node = self._add("vtkMRMLScalarVolumeNode", look, GridVolume(blended, self._grid.affine))
        shown = node.GetDisplayNode()
        shown.SetAutoWindowLevel(0)
        shown.SetWindowLevel(DIFFERENCE_STEPS, DIFFERENCE_STEPS / 2)
        shown.SetInterpolate(look == DIFFERENCE)  # between two squares lie values that neither image has
        if look == DIFFERENCE:
            shown.SetAndObserveColorNodeID(self._table(difference_colours()).GetID())

    def _edges(self) -> Any:
        if EDGES not in self._nodes:
            node = self._add("vtkMRMLScalarVolumeNode", EDGES, self._ready().edges)
            node.SetAndObserveTransformNodeID(self._transform.GetID())
            shown = node.GetDisplayNode()
            shown.SetAutoWindowLevel(0)
            shown.SetWindowLevel(1, 0.5)
            shown.SetInterpolate(0)
            colours = np.array([(0, 0, 0, 0), (*EDGE_COLOUR, 1)])
            shown.SetAndObserveColorNodeID(self._table(colours).GetID())
        return self._nodes[EDGES]

    def _outline(self) -> Any:
        if "outline" not in self._nodes:
            node = self._add("vtkMRMLLabelMapVolumeNode", "outline", self._ready().outline)
            node.SetAndObserveTransformNodeID(self._transform.GetID())
            colours = np.zeros((max(SKULL, BRAIN) + 1, 4))
            colours[SKULL], colours[BRAIN] = (*SKULL_COLOUR, 1), (*BRAIN_COLOUR, 1)
            node.GetDisplayNode().SetAndObserveColorNodeID(self._table(colours).GetID())
        return self._nodes["outline"]

    def _ready(self) -> Prepared:
        if self._prepared is None:
            self._prepared = prepare(volume_of(self._moving))
        return self._prepared

    def _add(self, kind: str, name: str, volume: GridVolume) -> Any:
        node = self._scene.AddNewNodeByClass(kind, f"Registration {name}")
        node.SetSaveWithScene(False)
        node.SetHideFromEditors(True)
        set_volume(node, volume)
        node.CreateDefaultDisplayNodes()
        self._nodes[name] = node
        return node

    def _table(self, colours: np.ndarray) -> Any:
        node = slicer.vtkMRMLColorTableNode()
        node.SetName("Registration colours")
        node.SetTypeToUser()
        node.SetHideFromEditors(True)
        node.SetSaveWithScene(False)
        node.SetNumberOfColors(len(colours))
        for index, colour in enumerate(colours):
            node.SetColor(index, f"{index}", *(float(part) for part in colour))
        self._scene.AddNode(node)
        self._colours.append(node)
        return node
