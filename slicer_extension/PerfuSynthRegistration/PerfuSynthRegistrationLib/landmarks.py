"""Landmark pairs: the same place marked in both images; the rigid fit through them and how far it misses each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import slicer
import vtk
from PerfuSynthLib.node_geometry import array_of
from PerfuSynthLib.problems import Problem

from .rigid import rigid_of
from .scene_nodes import remove_node

#: Pairs that a rigid fit needs at least.
MINIMUM_PAIRS = 3
#: Points must span a plane: their second-largest spread is at least this, mm. [d]
MINIMUM_SPREAD_MM = 5.0
#: Roles of the points' markups.
FIXED, MOVING = "fixed", "moving"
#: Names and colours of the points. [d]
_NAMES = {FIXED: "CTP", MOVING: "NCCT"}
_COLOURS = {FIXED: (0.2, 0.9, 0.3), MOVING: (1.0, 0.6, 0.1)}


def fit_rigid(fixed: np.ndarray, moving: np.ndarray) -> np.ndarray:
    """Rigid fixed to moving (4x4, mm) that brings pairs of points (n, 3) together, least squares (Horn 1987, by VTK).

    Raises
    ------
    Problem
        Code ``few_landmarks`` or ``landmarks_on_a_line``.
    """
    if len(fixed) < MINIMUM_PAIRS:
        raise Problem(
            "few_landmarks",
            f"There are {len(fixed)} landmark pairs; a fit needs {MINIMUM_PAIRS}.",
            "Mark more places that you find in both images.",
        )
    for points in (fixed, moving):
        spread = np.linalg.svd(points - points.mean(axis=0), compute_uv=False) / np.sqrt(len(points))
        if spread[1] < MINIMUM_SPREAD_MM:
            raise Problem(
                "landmarks_on_a_line",
                "The landmarks lie on one line or in one place: the turn about it is open.",
                "Mark places that lie apart in all directions.",
            )
    transform = vtk.vtkLandmarkTransform()
    transform.SetModeToRigidBody()
    transform.SetSourceLandmarks(_points(fixed))
    transform.SetTargetLandmarks(_points(moving))
    transform.Update()
    return rigid_of(array_of(transform.GetMatrix()))


class Landmarks:
    """Landmark pairs of one case, as markups in the scene: the moving image's lie under its transform.

    Parameters
    ----------
    scene
        The MRML scene.
    transform
        The moving image's transform node.

    Attributes
    ----------
    nodes
        Markups node by role, `FIXED` and `MOVING`.
    on_change
        Called without arguments when points came, went or moved.
    """

    def __init__(self, scene: Any, transform: Any):
        self._scene = scene
        self.on_change: Callable[[], None] = lambda: None
        self.nodes: dict[str, Any] = {}
        for role in (FIXED, MOVING):
            node = scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", f"{_NAMES[role]} landmarks")
            node.SetMarkupLabelFormat(f"{_NAMES[role]} %d")
            node.SetSaveWithScene(False)
            node.CreateDefaultDisplayNodes()
            shown = node.GetDisplayNode()
            shown.SetColor(*_COLOURS[role])
            shown.SetSelectedColor(*_COLOURS[role])
            self.nodes[role] = node
        self.nodes[MOVING].SetAndObserveTransformNodeID(transform.GetID())
        kinds = slicer.vtkMRMLMarkupsNode
        events = (kinds.PointPositionDefinedEvent, kinds.PointModifiedEvent, kinds.PointRemovedEvent)
        self._watches = [
            (node, node.AddObserver(event, self._changed)) for node in self.nodes.values() for event in events
        ]
        _, interaction = self._mouse_nodes()
        if interaction is not None:
            event = interaction.InteractionModeChangedEvent
            self._watches.append((interaction, interaction.AddObserver(event, self._mouse_changed)))
        self._mouse_before: tuple[int, str | None, str | None] | None = None

    def place(self, on: bool = True) -> None:
        """The next clicks in the views mark places: in the fixed image, in the moving one, in turn; or no more.

        The user ends it with the right button or Escape, too (`placing`). Afterwards the mouse is what it was before.
        """
        selection, interaction = self._mouse_nodes()
        if not on:
            if self.placing:
                interaction.SetCurrentInteractionMode(interaction.ViewTransform)
            self._give_mouse_back()
            return
        if self._mouse_before is None:
            self._mouse_before = (
                interaction.GetPlaceModePersistence(),
                selection.GetActivePlaceNodeClassName(),
                selection.GetActivePlaceNodeID(),
            )
        selection.SetReferenceActivePlaceNodeClassName("vtkMRMLMarkupsFiducialNode")
        selection.SetActivePlaceNodeID(self.nodes[self.next_role].GetID())
        interaction.SetPlaceModePersistence(1)
        interaction.SetCurrentInteractionMode(interaction.Place)

    @property
    def placing(self) -> bool:
        """Whether the next click in a view marks a place of this case."""
        return self.clicks_place and self._is_active()

    @property
    def clicks_place(self) -> bool:
        """Whether the next click in a view marks a place of anything."""
        _, interaction = self._mouse_nodes()
        return interaction is not None and interaction.GetCurrentInteractionMode() == interaction.Place

    def add(self, role: str, ras: np.ndarray) -> None:
        """Mark a place (RAS, mm, as seen in the views) in the `FIXED` or the `MOVING` image."""
        self.nodes[role].AddControlPointWorld(vtk.vtkVector3d(*(float(mm) for mm in ras)))

    def points(self, role: str) -> np.ndarray:
        """Places (n, 3; RAS, mm) in the image's own frame, in the order of marking."""
        node = self.nodes[role]
        count = node.GetNumberOfControlPoints()
        defined = node.PositionDefined  # the point under the cursor, while placing, is none yet
        found = [
            node.GetNthControlPointPosition(index)
            for index in range(count)
            if node.GetNthControlPointPositionStatus(index) == defined
        ]
        return np.array(found, float).reshape(-1, 3)

    @property
    def pairs(self) -> int:
        """How many places are marked in both images."""
        return min(len(self.points(FIXED)), len(self.points(MOVING)))

    @property
    def next_role(self) -> str:
        """The image in which the next point belongs, marking in turn: fixed, moving, fixed, ..."""
        return MOVING if len(self.points(FIXED)) > len(self.points(MOVING)) else FIXED

    def fit(self) -> np.ndarray:
        """The rigid fixed to moving that fits the pairs best; errors as `fit_rigid`."""
        count = self.pairs
        return fit_rigid(self.points(FIXED)[:count], self.points(MOVING)[:count])

    def errors_mm(self, fixed_to_moving: np.ndarray) -> np.ndarray:
        """How far each pair is apart under a transform, mm; the fiducial registration error of each, after the fit."""
        count = self.pairs
        seen = self.points(FIXED)[:count] @ fixed_to_moving[:3, :3].T + fixed_to_moving[:3, 3]
        return np.linalg.norm(seen - self.points(MOVING)[:count], axis=1)

    def fre_mm(self, fixed_to_moving: np.ndarray) -> float | None:
        """Root mean square of `errors_mm`; None without pairs."""
        errors = self.errors_mm(fixed_to_moving)
        return float(np.sqrt((errors**2).mean())) if len(errors) else None

    def remove_last(self) -> None:
        """Take the newest point away."""
        role = FIXED if self.next_role == MOVING else MOVING
        count = self.nodes[role].GetNumberOfControlPoints()
        if count:
            self.nodes[role].RemoveNthControlPoint(count - 1)

    def clear(self) -> None:
        """Take all points away."""
        for node in self.nodes.values():
            node.RemoveAllControlPoints()

    def let_go(self) -> None:
        """Stop looking after the points, and placing them."""
        self.place(False)
        for node, watch in self._watches:
            node.RemoveObserver(watch)
        self._watches = []

    def _mouse_nodes(self) -> tuple[Any, Any]:
        kinds = ("vtkMRMLSelectionNode", "vtkMRMLInteractionNode")
        return tuple(self._scene.GetFirstNodeByClass(kind) for kind in kinds)

    def _is_active(self) -> bool:
        selection, _ = self._mouse_nodes()
        active = selection.GetActivePlaceNodeID() if selection is not None else None
        return active in [node.GetID() for node in self.nodes.values()]

    def _mouse_changed(self, *_: Any) -> None:
        if not self.clicks_place:
            self._give_mouse_back()

    def _give_mouse_back(self) -> None:
        """What clicks did before places were marked; a choice that was made since, in another module, stays."""
        selection, interaction = self._mouse_nodes()
        before, self._mouse_before = self._mouse_before, None
        if before is None or interaction is None or selection is None:
            return
        persistence, kind, node = before
        interaction.SetPlaceModePersistence(persistence)
        if self._is_active():
            selection.SetReferenceActivePlaceNodeClassName(kind)
            selection.SetActivePlaceNodeID(node)

    def _changed(self, *_: Any) -> None:
        if self.placing:  # marking in turn: the next click belongs in the other image
            selection, _ = self._mouse_nodes()
            selection.SetActivePlaceNodeID(self.nodes[self.next_role].GetID())
        self.on_change()

    def remove(self) -> None:
        """Take the markups out of the scene."""
        for node in self.nodes.values():
            remove_node(self._scene, node)


def _points(places: np.ndarray) -> Any:
    points = vtk.vtkPoints()
    points.SetDataTypeToDouble()
    for place in places:
        points.InsertNextPoint(*(float(mm) for mm in place))
    return points
