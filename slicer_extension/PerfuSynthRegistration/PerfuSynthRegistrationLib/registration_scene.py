"""A pair of images in the scene, to be judged and corrected: the moving NCCT under a transform over the fixed image."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import slicer
from PerfuSynthLib.grid_volume import GridVolume
from PerfuSynthLib.node_geometry import matrix_of, set_volume

from . import registration_layout as layout
from .look_settings import CTP, NCCT, ImageKind
from .looks import Looks
from .moved_image import MovedImage
from .prepare import Compared, Prepared, compare
from .registration_views import RegistrationViews
from .rigid import inverse, rigid_of
from .scene_nodes import remove_node

#: What the views' renderers are asked of where there are no views.
NO_VIEWS: Callable[[str], Any] = lambda name: None  # noqa: E731 - a default argument
#: How views are asked to be drawn anew where there are none.
NO_RENDER: Callable[[str], None] = lambda name: None  # noqa: E731 - a default argument


class RegistrationScene(MovedImage):
    """One case: made by `show`, taken away by `remove`. How it is moved and undone is `MovedImage`'s.

    Attributes
    ----------
    fixed_node, moving_node, transform_node
        Nodes of the scene; the moving one lies under the transform.
    """

    def __init__(
        self,
        scene: Any,
        nodes: tuple[Any, Any, Any],
        looks: Looks,
        views: RegistrationViews,
        compared: Compared,
    ):
        self.fixed_node, self.moving_node, transform_node = nodes
        self._scene, self._looks, self._handles = scene, looks, False
        self.views, self._nmi = views, compared.nmi
        super().__init__(scene, transform_node, compared.places)

    @classmethod
    def show(
        cls,
        scene: Any,
        fixed: GridVolume,
        moving: GridVolume,
        fixed_to_moving: np.ndarray,
        renderer_of: Callable[[str], Any] = NO_VIEWS,
        request_render: Callable[[str], None] = NO_RENDER,
        *,
        kind: ImageKind = CTP,
        prepared: Prepared | None = None,
        compared: Compared | None = None,
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
        request_render
            Called with a slice view's name when it is to be drawn anew, though nothing of the scene has changed.
        kind
            What ``fixed`` is: `look_settings.CTP` or `TMAX`; its window and what is compared.
        prepared
            What `prepare.prepare` made of ``moving``; without it the first look at edges or outlines takes seconds.
        compared
            What `prepare.compare` made of both images; without it that is done here.
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
        name = f"{NCCT.title} to {kind.title} {title}".strip()
        transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", name)
        transform.SetMatrixTransformToParent(matrix_of(inverse(matrix)))
        moving_node.SetAndObserveTransformNodeID(transform.GetID())
        looks = Looks(scene, fixed_node, moving_node, transform, prepared, kind.unit == NCCT.unit)
        compared = compared or compare(fixed, moving, kind)
        titles = (kind.title, NCCT.title)
        views = RegistrationViews(scene, compared.head, titles, title, renderer_of, request_render)
        shown = cls(scene, (fixed_node, moving_node, transform), looks, views, compared)
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

    @property
    def outline(self) -> bool:
        """Whether skull and brain of the moving image are outlined over the fixed one."""
        return self._looks.outline

    def set_outline(self, visible: bool) -> None:
        """Show or hide those outlines; they go with every look."""
        self._looks.outline = bool(visible)
        self._looks.fill()

    @property
    def handles(self) -> bool:
        """Whether the handles are shown."""
        return self._handles

    def set_handles(self, visible: bool) -> None:
        """Show or hide the handles to drag in the slice views (`drag_handles`)."""
        self._handles = bool(visible)
        self.views.show_handles(self.handles_of if visible else None)

    def refresh_views(self) -> None:
        """Views may have come since; lines, sides and handles belong on all of them."""
        self.views.annotate()
        self._looks.fill()

    def nmi(self) -> float:
        """Normalised mutual information now (1 unrelated, 2 the same), as the server's figure of that name."""
        return self._nmi.under(self.fixed_to_moving)

    # --- the end

    def let_go(self) -> None:
        """Stop looking after the scene; images and transform stay in it."""
        super().let_go()
        self.landmarks.let_go()
        self.views.let_go()

    def remove(self) -> None:
        """Take everything of this case out of the scene."""
        self.let_go()
        self._looks.remove()
        self.landmarks.remove()
        for node in (self.moving_node, self.fixed_node, self.transform_node):
            remove_node(self._scene, node)

    def _changed(self) -> None:
        self._looks.follow(self.fixed_to_moving)
        self.views.draw_handles()
        super()._changed()


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
