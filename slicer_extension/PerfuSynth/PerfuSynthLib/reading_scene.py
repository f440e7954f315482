"""A result in the scene, to be read: maps, regions that follow the threshold, views, and the state to come back to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from . import scene_state as state_roles
from .facts import Facts, reading_of
from .map_volumes import SYNTHETIC_ATTRIBUTE, add_brain, add_map, add_ncct, display_of, show_as_map, show_stroke_window
from .node_geometry import volume_of
from .probe import Probe, ProbeReading
from .reading_layout import FOUR_VIEWS
from .reading_regions import ReadingRegions
from .reading_views import ReadingViews
from .region_segments import RegionSegments, add_segmentation
from .result_package import CBF, TMAX, SynthesisResult
from .scene_state import SceneState

#: What the views' renderers are asked of where there are no views.
NO_VIEWS: Callable[[str], Any] = lambda name: None  # noqa: E731 - a default argument


class Reading:
    """One result that is read: new by `show`, out of a loaded scene by `restore`. It belongs to the main thread.

    Attributes
    ----------
    facts
        What the server's measurements say.
    state
        Settings and nodes, kept in the scene.
    tmax, cbf, brain
        The maps and the brain's mask, on one grid; not to be written.
    regions
        Hypoperfusion and core; its ``on_edit`` tells of edits.
    views
        Where it is seen.
    """

    def __init__(self, state: SceneState, facts: Facts, renderer_of: Callable[[str], Any]):
        self.facts = facts
        self.state = state
        tmax, cbf = state.node_of(state_roles.TMAX), state.node_of(state_roles.CBF)
        self.tmax, self.cbf = volume_of(tmax), volume_of(cbf)
        self.brain = volume_of(state.node_of(state_roles.BRAIN))
        segments = RegionSegments(state.node_of(state_roles.REGIONS), self.tmax.array.shape, self.tmax.affine)
        self.regions = ReadingRegions(segments, state, facts, self.tmax, self.cbf, self.brain)
        self.views = ReadingViews(state.node.GetScene(), self.ncct_node, tmax, cbf, self.brain, facts, renderer_of)
        self._probe = Probe(volume_of(self.ncct_node), self.tmax, self.cbf, self.brain, facts.midplane)

    @classmethod
    def show(
        cls,
        scene: Any,
        ncct_node: Any,
        result: SynthesisResult,
        facts: Facts,
        renderer_of: Callable[[str], Any] = NO_VIEWS,
    ) -> Reading:
        """Put a result into the scene and show it.

        Parameters
        ----------
        scene
            The MRML scene.
        ncct_node
            The NCCT that was sent, without a transform (`node_geometry.hardened_copy`); the result's own is shown in
            its place where the server had to resample.
        result, facts
            What the server gave, and what `facts.reading_of` made of its measurements.
        renderer_of
            The renderer of a slice view by name; None where the layout does not show it.
        """
        ncct = ncct_node if result.ncct is None else add_ncct(scene, result.ncct)
        show_stroke_window(ncct)
        tmax = add_map(scene, TMAX, result.maps[TMAX])
        nodes = {
            state_roles.NCCT: ncct,
            state_roles.TMAX: tmax,
            state_roles.CBF: add_map(scene, CBF, result.maps[CBF], facts.normal_cbf),
            state_roles.BRAIN: add_brain(scene, result.brain),
        }
        nodes[state_roles.REGIONS] = add_segmentation(scene, tmax)
        reading = cls(SceneState.add(scene, result.measurements, nodes), facts, renderer_of)
        reading.regions.begin()
        reading.present()
        return reading

    @classmethod
    def restore(cls, state: SceneState, renderer_of: Callable[[str], Any] = NO_VIEWS) -> Reading:
        """Come back to a reading that a scene brought (`scene_state.states_in`).

        Raises
        ------
        Problem
            ``incomplete_scene``, ``newer_scene``; or as `facts.reading_of`.
        """
        state.check()
        for role in (TMAX, CBF):
            node = state.node_of(role)
            window = node.GetDisplayNode().GetWindow(), node.GetDisplayNode().GetLevel()
            show_as_map(node, display_of(role))
            node.GetDisplayNode().SetWindowLevel(*window)
        reading = cls(state, reading_of(state.measurements), renderer_of)
        reading.regions.take_over()
        reading.views.keep_places()
        reading.present()
        return reading

    def present(self, layout: int | None = None) -> None:
        """Bring this reading into the views (`reading_layout.FOUR_VIEWS`, `MOSAIC`; the last one by default)."""
        number = layout or self.state["layout"] or FOUR_VIEWS
        self.state["layout"] = number
        scene = self.state.node.GetScene()
        for index in range(scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode")):
            node = scene.GetNthNodeByClass(index, "vtkMRMLSegmentationNode")
            if node.GetAttribute(SYNTHETIC_ATTRIBUTE):
                node.GetDisplayNode().SetVisibility(node is self.state.node_of(state_roles.REGIONS))
        self.views.arrange(number, self.state["map_opacity"], self.regions.computed())

    def set_threshold(self, threshold_s: float, region: np.ndarray | None = None) -> float:
        """Show Tmax > ``threshold_s`` at once, without clean-up; returns its volume, mL (`ReadingRegions`)."""
        return self.regions.set_threshold(threshold_s, region)

    def put_cleaned(self, region: np.ndarray, core: np.ndarray | None = None) -> None:
        """Show the region of the current threshold, and the core, after clean-up."""
        self.regions.put_cleaned(region, core)

    def set_fill(self, opacity: float) -> None:
        """Fill the regions with this opacity, 0 (outline only) to 1."""
        self.regions.set_fill(opacity)

    def set_core_visible(self, visible: bool) -> None:
        """Show or hide the core estimate."""
        self.regions.set_core_visible(visible)

    def edited_segment(self) -> np.ndarray | None:
        """The hypoperfusion as somebody edited it, bool on the maps' grid; None where it is as computed."""
        return self.regions.edited()

    def set_map_opacity(self, opacity: float) -> None:
        """Opacity of Tmax over the NCCT, 0 to 1."""
        self.state["map_opacity"] = float(opacity)
        self.views.set_opacity(opacity)

    def probe(self, ras: np.ndarray) -> ProbeReading:
        """HU, Tmax and CBF at a point (RAS, mm) and at its mirror image."""
        return self._probe.at(np.asarray(ras, float))

    @property
    def ncct_node(self) -> Any:
        """The NCCT's volume node."""
        return self.state.node_of(state_roles.NCCT)

    def let_go(self) -> None:
        """Stop looking after the scene; volumes and regions stay in it."""
        self.regions.let_go()
        self.views.let_go()
