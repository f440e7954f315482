"""A pair of images in the scene, to be judged and corrected: the moving NCCT under a transform over the fixed image.

Directions: ``fixed_to_moving`` is 4x4, RAS mm, x_moving = M x_fixed. The transform node above the NCCT holds its
inverse (moving to fixed), because Slicer's transforms say where a node's own points are seen.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import slicer
import vtk
from PerfuSynthLib.grid_volume import GridVolume
from PerfuSynthLib.node_geometry import array_of, matrix_of, set_volume, volume_of

from . import registration_layout as layout
from .fine_steps import step_of
from .landmarks import Landmarks
from .look_settings import CTP, NCCT, ImageKind
from .looks import Looks
from .nmi import LiveNmi
from .registration_views import RegistrationViews
from .rigid import Pose, inverse, largest_way_mm, pose_of, rigid_of
from .transform_handles import add_handles, is_dragged, show_handles
from .transform_text import transform_bytes
from .undo import UndoHistory

#: What the views' renderers are asked of where there are no views.
NO_VIEWS: Callable[[str], Any] = lambda name: None  # noqa: E731 - a default argument
#: Transforms that differ by less than this at the head's edge are the same, mm: rounding of a drag and back. [d]
SAME_MM = 1e-3


class RegistrationScene:
    """One case: made by `show`, taken away by `remove`. It belongs to the main thread.

    Attributes
    ----------
    fixed_node, moving_node, transform_node
        Nodes of the scene; the moving one lies under the transform.
    landmarks
        Pairs of points (`landmarks.Landmarks`).
    on_change
        Called without arguments after the transform changed, by whatever way: step, drag, undo, Transforms module.
    """

    def __init__(
        self,
        scene: Any,
        nodes: tuple[Any, Any, Any],
        kind: ImageKind,
        brain: np.ndarray | None,
        title: str,
        renderer_of: Callable[[str], Any],
    ):
        self._scene = scene
        self.fixed_node, self.moving_node, self.transform_node = nodes
        self.on_change: Callable[[], None] = lambda: None
        self._writing = False
        fixed, moving = volume_of(self.fixed_node), volume_of(self.moving_node)
        head = fixed.array > kind.head_above
        self._head = _places(fixed, head)
        self._history = UndoHistory(self._seen())
        self._nmi = LiveNmi(fixed, moving, head, kind.compared, NCCT.compared)
        self._looks = Looks(scene, self.fixed_node, self.moving_node, self.transform_node, brain)
        self.landmarks = Landmarks(scene, self.transform_node)
        self.views = RegistrationViews(
            scene, GridVolume(head, fixed.affine), (kind.title, NCCT.title), title, renderer_of
        )
        add_handles(self.transform_node, _apply(self._history.matrix, self.centre))
        show_handles(self.transform_node, False)
        self._observers = [
            (
                self.transform_node,
                self.transform_node.AddObserver(
                    slicer.vtkMRMLTransformableNode.TransformModifiedEvent, self._transform_moved
                ),
            ),
            (
                self.transform_node.GetDisplayNode(),
                self.transform_node.GetDisplayNode().AddObserver(vtk.vtkCommand.ModifiedEvent, self._handle_let_go),
            ),
        ]

    @classmethod
    def show(
        cls,
        scene: Any,
        fixed: GridVolume,
        moving: GridVolume,
        fixed_to_moving: np.ndarray,
        renderer_of: Callable[[str], Any] = NO_VIEWS,
        *,
        kind: ImageKind = CTP,
        brain: np.ndarray | None = None,
        title: str = "",
    ) -> RegistrationScene:
        """Put a pair of images into the scene and show it in three linked planes.

        Parameters
        ----------
        scene
            The MRML scene.
        fixed
            3-D: the CTP's temporal mean or baseline (HU), or a map of its grid.
        moving
            The NCCT, HU.
        fixed_to_moving
            Where the correction begins: 4x4, RAS, mm.
        renderer_of
            The renderer of a slice view by name; None where the layout does not show it.
        kind
            What ``fixed`` is: `look_settings.CTP` or `TMAX`; its window and what is compared.
        brain
            Brain mask on the moving image's grid, for its outline; without one it is found inside the skull.
        title
            Line on top of the views: the case's id.

        Raises
        ------
        Problem
            Code ``bad_transform``: the matrix is not rigid.
        """
        matrix = rigid_of(fixed_to_moving)
        fixed_node = _add_volume(scene, f"{kind.title} {title}".strip(), fixed, kind)
        moving_node = _add_volume(scene, f"{NCCT.title} {title}".strip(), moving, NCCT)
        transform = scene.AddNewNodeByClass(
            "vtkMRMLLinearTransformNode", f"{NCCT.title} to {kind.title} {title}".strip()
        )
        transform.SetMatrixTransformToParent(matrix_of(inverse(matrix)))
        moving_node.SetAndObserveTransformNodeID(transform.GetID())
        shown = cls(scene, (fixed_node, moving_node, transform), kind, brain, title, renderer_of)
        shown.present()
        return shown

    # --- looking

    def present(self, number: int = layout.PLANES) -> None:
        """Show a layout, `registration_layout.PLANES` or `SIDE_BY_SIDE`, with this case in it."""
        self.views.arrange(number)
        self._looks.fill()

    @property
    def look(self) -> str:
        """How both images are seen: `look_settings.FADE`, `CHECKERBOARD`, `EDGES` or `DIFFERENCE`."""
        return self._looks.look

    def set_look(self, look: str) -> None:
        """Look another way."""
        self._looks.choose(look, self.fixed_to_moving)

    @property
    def fade(self) -> float:
        """Share of the moving image when fading: 0 fixed alone, 1 moving alone."""
        return self._looks.fade

    def set_fade(self, share: float) -> None:
        """Fade between fixed (0) and moving (1); seen when the look is `FADE`."""
        self._looks.fade = float(np.clip(share, 0, 1))
        self._looks.fill()

    def set_checker_mm(self, side: float) -> None:
        """Side of the checkerboard's squares, mm."""
        self._looks.checker_mm = float(side)
        self._looks.follow(self.fixed_to_moving)

    @property
    def outline(self) -> bool:
        """Whether skull and brain of the moving image are outlined over the fixed one."""
        return self._looks.outline

    def set_outline(self, visible: bool) -> None:
        """Show or hide those outlines; they go with every look."""
        self._looks.outline = bool(visible)
        self._looks.fill()

    def look_at(self, ras: np.ndarray) -> None:
        """Bring all views to a point (RAS, mm, of the fixed frame)."""
        self.views.look_at(np.asarray(ras, float))

    def refresh_views(self) -> None:
        """Views may have come since; lines and sides belong on all of them."""
        self.views.annotate()
        self._looks.fill()

    def nmi(self) -> float:
        """Normalised mutual information now (1 unrelated, 2 the same); some 20 ms."""
        return self._nmi.under(self.fixed_to_moving)

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

    def set_handles(self, visible: bool) -> None:
        """Show or hide the handles to drag in the slice views."""
        show_handles(self.transform_node, visible)

    def step(self, key: str, large: bool = False) -> None:
        """A fine step: ``key`` of `fine_steps.STEPS`, ``large`` with Shift. It moves the NCCT as seen on the screen."""
        step = step_of(key)
        moved = step.matrix(self.centre, large)
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

    @property
    def beginning(self) -> np.ndarray:
        """The ``fixed_to_moving`` that the case was shown with."""
        return self._history.beginning

    @property
    def corrected(self) -> bool:
        """Whether the transform is another one than at the beginning."""
        return self.largest_change_mm > SAME_MM

    # --- numbers

    @property
    def centre(self) -> np.ndarray:
        """The head's centre in the fixed frame (RAS, mm): steps turn about it."""
        return self._head.mean(axis=0)

    @property
    def pose(self) -> Pose:
        """How the NCCT is moved from where its scanner put it: mm and degrees."""
        return pose_of(inverse(self.fixed_to_moving), _apply(self.fixed_to_moving, self.centre))

    @property
    def change(self) -> Pose:
        """How the NCCT is moved from where the case began: mm and degrees."""
        return pose_of(inverse(self.fixed_to_moving) @ self.beginning, self.centre)

    @property
    def largest_change_mm(self) -> float:
        """The longest way that a point of the head went since the beginning, mm."""
        return largest_way_mm(inverse(self.fixed_to_moving) @ self.beginning, self._head)

    def transform_bytes(self) -> bytes:
        """The ``.tfm`` to submit: fixed to moving, LPS."""
        return transform_bytes(self.fixed_to_moving, self.centre)

    # --- the end

    def let_go(self) -> None:
        """Stop looking after the scene; images and transform stay in it."""
        for node, observer in self._observers:
            node.RemoveObserver(observer)
        self._observers = []
        self.views.let_go()

    def remove(self) -> None:
        """Take everything of this case out of the scene."""
        self.let_go()
        self._looks.remove()
        self.landmarks.remove()
        for node in (self.moving_node, self.fixed_node, self.transform_node):
            self._scene.RemoveNode(node)

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

    def _transform_moved(self, *_: Any) -> None:
        """Somebody else moved it: a handle, the Transforms module."""
        if self._writing:
            return
        if not is_dragged(self.transform_node):
            self._history.do(self.fixed_to_moving, "moved by hand")
        self._changed()

    def _handle_let_go(self, *_: Any) -> None:
        """A whole drag is one step of *undo*."""
        if self._observers and not is_dragged(self.transform_node):
            self._history.do(self.fixed_to_moving, "drag")

    def _changed(self) -> None:
        self._looks.follow(self.fixed_to_moving)
        self.on_change()


def _add_volume(scene: Any, name: str, volume: GridVolume, kind: ImageKind) -> Any:
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    set_volume(node, volume)
    shown = slicer.vtkMRMLScalarVolumeDisplayNode()
    shown.SetAutoWindowLevel(0)  # Slicer's default node would look for a window in all voxels first
    shown.SetAndObserveColorNodeID("vtkMRMLColorTableNodeGrey")
    shown.SetWindowLevel(*kind.window)
    scene.AddNode(shown)
    node.SetAndObserveDisplayNodeID(shown.GetID())
    return node


def _places(volume: GridVolume, inside: np.ndarray, most: int = 2000) -> np.ndarray:
    """RAS (n, 3; mm) of at most so many voxels of a mask, evenly among them; of the grid's where it is empty."""
    found = np.argwhere(inside if inside.any() else np.ones_like(inside))
    found = found[:: max(1, len(found) // most)]
    return found @ volume.affine[:3, :3].T + volume.affine[:3, 3]


def _apply(matrix: np.ndarray, point: np.ndarray) -> np.ndarray:
    return matrix[:3, :3] @ point + matrix[:3, 3]
