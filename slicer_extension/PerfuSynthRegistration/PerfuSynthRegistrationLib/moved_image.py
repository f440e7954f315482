"""The moving image under its transform: moved by steps, handles and fits, undone, told in mm and degrees.

Directions: ``fixed_to_moving`` is 4x4, RAS mm, x_moving = M x_fixed. The transform node above the NCCT holds its
inverse (moving to fixed), because Slicer's transforms say where a node's own points are seen.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import slicer
import vtk
from PerfuSynthLib.node_geometry import array_of, matrix_of
from PerfuSynthLib.problems import Problem

from .drag_handles import MOVE, DragHandles
from .fine_steps import step_of
from .landmarks import Landmarks
from .rigid import Pose, inverse, largest_way_mm, pose_of, rigid_of
from .transform_text import transform_bytes
from .undo import UndoHistory

#: Transforms that differ by less than this at the head's edge are the same, mm: rounding of a drag and back. [d]
SAME_MM = 1e-3
#: Events of another module within this time of each other are one movement, s: a slider sends dozens. [d]
_ONE_MOVEMENT_S = 0.5


class MovedImage:
    """The moving image of one case. It belongs to the main thread.

    Parameters
    ----------
    scene
        The MRML scene.
    transform_node
        Linear transform node above the moving image, rigid.
    head
        Places all over the fixed image's head (n, 3; RAS, mm).

    Attributes
    ----------
    transform_node
        As given.
    landmarks
        Pairs of points (`landmarks.Landmarks`).
    on_change
        Called without arguments after the transform or what can be undone changed, by whatever way: step, drag, undo,
        another module.
    """

    def __init__(self, scene: Any, transform_node: Any, head: np.ndarray):
        self.on_change: Callable[[], None] = lambda: None
        self.transform_node = transform_node
        self._head = head
        self._writing, self._moved_at = False, float("-inf")
        self._history = UndoHistory(self._seen())
        self._centre_in_moving = _apply(self._history.matrix, self.centre)
        self.landmarks = Landmarks(scene, transform_node)
        self._observer = transform_node.AddObserver(
            slicer.vtkMRMLTransformableNode.TransformModifiedEvent, self._moved_elsewhere
        )

    # --- the transform

    @property
    def fixed_to_moving(self) -> np.ndarray:
        """What is seen, rigid, 4x4, RAS, mm."""
        return self._seen()

    def set_fixed_to_moving(self, matrix: np.ndarray, words: str) -> None:
        """Take a transform from elsewhere (automatic, an earlier version); ``words`` say in *undo* what it was.

        Raises
        ------
        Problem
            Code ``bad_transform``.
        """
        self._do(rigid_of(matrix), words)

    def step(self, key: str, large: bool = False) -> None:
        """A fine step: ``key`` of `fine_steps.STEPS`, ``large`` with Shift. It moves the NCCT as seen on the screen."""
        step = step_of(key)
        moved = step.matrix(self.centre_seen, large)
        self._do(self.fixed_to_moving @ inverse(moved), step.told(large))

    def fit_landmarks(self) -> float:
        """Bring the landmark pairs together; returns the FRE, mm.

        Raises
        ------
        Problem
            As `landmarks.fit_rigid`.
        """
        matrix = self.landmarks.fit()
        self._do(matrix, f"fit of {self.landmarks.pairs} landmark pairs")
        return float(self.landmarks.fre_mm(matrix) or 0.0)

    @property
    def fre_mm(self) -> float | None:
        """Root mean square distance of the landmark pairs as they are seen now, mm; None without pairs."""
        return self.landmarks.fre_mm(self.fixed_to_moving)

    def handles_of(self, renderer: Any, node: Any, request_render: Callable[[], None]) -> DragHandles:
        """Handles that drag this image in a view, of its renderer and slice node, and how it is drawn anew."""
        return DragHandles(
            renderer,
            node,
            lambda: self.centre_seen,
            self._dragged,
            self._drag_ended,
            lambda: self.landmarks.clicks_place,
            request_render,
        )

    # --- back and forth

    @property
    def undo_words(self) -> str | None:
        """What `undo` would take back; None: nothing."""
        return self._history.undo_words

    @property
    def redo_words(self) -> str | None:
        """What `redo` would do again; None: nothing."""
        return self._history.redo_words

    def undo(self) -> None:
        """Take the last step back."""
        self._write(self._history.undo())

    def redo(self) -> None:
        """Do again what was taken back."""
        self._write(self._history.redo())

    def reset(self) -> None:
        """Back to where the case began; that, too, can be undone."""
        self._do(self._history.beginning, "reset")

    def begin_at(self, matrix: np.ndarray) -> None:
        """The case begins elsewhere now: `reset` and `change` aim at another registration of it. Errors: `rigid_of`."""
        self._history.begin_at(rigid_of(matrix))

    @property
    def beginning(self) -> np.ndarray:
        """The ``fixed_to_moving`` that the case began with: the server's."""
        return self._history.beginning

    @property
    def corrected(self) -> bool:
        """Whether the transform is another one than at the beginning."""
        return self.largest_change_mm > SAME_MM

    # --- numbers

    @property
    def centre(self) -> np.ndarray:
        """The fixed image's head's centre, RAS, mm."""
        return self._head.mean(axis=0)

    @property
    def centre_seen(self) -> np.ndarray:
        """Where that place of the moving head, which lay there at the beginning, is seen now: turns go about it."""
        return _apply(inverse(self.fixed_to_moving), self._centre_in_moving)

    @property
    def change(self) -> Pose:
        """How the NCCT is moved from where the case began: mm (of the head's centre) and degrees."""
        return pose_of(inverse(self.fixed_to_moving) @ self.beginning, self.centre)

    @property
    def largest_change_mm(self) -> float:
        """The longest way that a point of the head went since the beginning, mm."""
        return largest_way_mm(inverse(self.fixed_to_moving) @ self.beginning, self._head)

    def transform_bytes(self) -> bytes:
        """The ``.tfm`` to submit: fixed to moving, LPS."""
        return transform_bytes(self.fixed_to_moving, self.centre)

    def let_go(self) -> None:
        """Stop looking after the transform."""
        self.transform_node.RemoveObserver(self._observer)

    # --- inside

    def _seen(self) -> np.ndarray:
        matrix = vtk.vtkMatrix4x4()
        self.transform_node.GetMatrixTransformToParent(matrix)
        return inverse(rigid_of(array_of(matrix)))

    def _do(self, matrix: np.ndarray, words: str) -> None:
        if self._history.do(matrix, words):
            self._write(matrix)

    def _write(self, matrix: np.ndarray) -> None:
        was, self._writing = self._writing, True
        try:
            self.transform_node.SetMatrixTransformToParent(matrix_of(inverse(matrix)))
        finally:
            self._writing = was
        self._changed()

    def _moved_elsewhere(self, *_: Any) -> None:
        """The Transforms module or another tool moved it: kept if it is rigid, else taken back."""
        if self._writing:
            return
        try:
            matrix = self._seen()
        except Problem:
            self._write(self._history.matrix)
            return
        now = time.monotonic()
        self._history.do(matrix, "moved in another module", goes_on=now - self._moved_at < _ONE_MOVEMENT_S)
        self._moved_at = now
        self._changed()

    def _dragged(self, moved: np.ndarray) -> None:
        self._write(self._history.matrix @ inverse(moved))

    def _drag_ended(self, kind: str) -> None:
        """A whole drag is one step of *undo*."""
        matrix = self.fixed_to_moving
        way = pose_of(
            inverse(matrix) @ self._history.matrix, _apply(inverse(self._history.matrix), self._centre_in_moving)
        )
        told = f"{way.distance_mm:.1f} mm" if kind == MOVE else f"{way.angle_deg:.1f}°"
        self._history.do(matrix, f"drag by {told}")
        self.on_change()

    def _changed(self) -> None:
        self.on_change()


def _apply(matrix: np.ndarray, point: np.ndarray) -> np.ndarray:
    return matrix[:3, :3] @ point + matrix[:3, 3]
