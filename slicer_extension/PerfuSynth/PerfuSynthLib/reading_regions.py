"""Hypoperfusion and core of a reading: they follow the threshold until a reader edits them; edits are never lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import slicer

from .facts import Facts
from .grid_volume import GridVolume
from .region_segments import CORE, EDITED, HYPOPERFUSION, ORIGINAL, RegionSegments
from .scene_state import SceneState


class ReadingRegions:
    """The segments of one reading.

    Parameters
    ----------
    segments
        The segmentation, new or out of a loaded scene.
    state
        Where threshold, fill and edits are written down.
    facts
        Settings of the measurements.
    tmax, cbf, brain
        Maps and mask on one grid.

    Attributes
    ----------
    on_edit
        Called when somebody else (Segment Editor) changed a segment; what became of it, `edited` tells.
    """

    def __init__(
        self,
        segments: RegionSegments,
        state: SceneState,
        facts: Facts,
        tmax: GridVolume,
        cbf: GridVolume,
        brain: GridVolume,
    ):
        self.segments = segments
        self.on_edit: Callable[[], None] = lambda: None
        self._state, self._facts, self._tmax, self._cbf = state, facts, tmax, cbf
        self._inside = brain.array > 0
        self._writing = False
        self._observed = segments.node.GetSegmentation()
        self._observer = self._observed.AddObserver(
            slicer.vtkSegmentation.SourceRepresentationModified, self._somebody_edited
        )

    def begin(self) -> None:
        """Put the regions of a new result in, without clean-up."""
        self.set_threshold(self._facts.settings.hypoperfusion_s)
        core = self._raw_core()
        if core is not None:
            self._put(CORE, core, self._core_name())

    def take_over(self) -> None:
        """Go on with the segments that a loaded scene brought; one that is missing is computed anew."""
        if not self.segments.has(HYPOPERFUSION):
            self.set_threshold(self._state["threshold_s"])
        elif self._state["edited"] and self.segments.has(ORIGINAL):
            self.segments.remember(HYPOPERFUSION, self.segments.mask(ORIGINAL))
        elif self._state["edited"]:
            self.segments.remember(HYPOPERFUSION, self._raw_region(self._state["threshold_s"]))
        else:
            self.segments.remember(HYPOPERFUSION, self.segments.mask(HYPOPERFUSION))

    def set_threshold(self, threshold_s: float, region: np.ndarray | None = None) -> float:
        """Show Tmax > ``threshold_s`` (s) at once, without clean-up; returns its volume, mL.

        A region that was edited is kept as a segment of its own. ``region`` (bool, the maps' grid) saves the work where
        it was measured already.
        """
        self._keep_edit()
        if region is None:
            region = self._raw_region(threshold_s)
        self._state["threshold_s"] = float(threshold_s)
        self._put(HYPOPERFUSION, region, self._region_name())
        return int(np.count_nonzero(region)) * self._tmax.voxel_ml

    def put_cleaned(self, region: np.ndarray, core: np.ndarray | None = None) -> None:
        """Show the region of the current threshold after clean-up, unless it was edited meanwhile; and the core."""
        if self.edited() is None:
            self._put(HYPOPERFUSION, region, self._region_name())
        if core is not None:
            self._put(CORE, core, self._core_name())

    def set_fill(self, opacity: float) -> None:
        """Fill the regions with this opacity, 0 (outline only) to 1."""
        self._state["fill"] = float(opacity)
        for segment in (HYPOPERFUSION, CORE):
            if self.segments.has(segment):
                self.segments.set_fill(segment, opacity)

    def set_core_visible(self, visible: bool) -> None:
        """Show or hide the core estimate."""
        self._state["core_visible"] = bool(visible)
        if self.segments.has(CORE):
            self.segments.show(CORE, visible)

    def edited(self) -> np.ndarray | None:
        """The hypoperfusion as somebody edited it, bool on the maps' grid; None where it is as computed.

        At the first call after an edit the computed region is kept as a hidden segment, and the names say which is
        which.
        """
        if not self._state["edited"]:
            return None
        computed, now = self.computed(), self.segments.mask(HYPOPERFUSION)
        if np.array_equal(now, computed):
            self._state["edited"] = False
            self._rename(self._region_name())
            return None
        if not self.segments.has(ORIGINAL):
            self._put(ORIGINAL, computed, f"{self._region_name()}, as computed")
            self.segments.show(ORIGINAL, False)
        self._rename(f"{self._region_name()}, edited")
        return now

    def computed(self) -> np.ndarray:
        """The hypoperfusion of the current threshold as it was before any edit."""
        given = self.segments.given(HYPOPERFUSION)
        return self._raw_region(self._state["threshold_s"]) if given is None else given

    def let_go(self) -> None:
        """Stop looking after the segmentation."""
        self._observed.RemoveObserver(self._observer)

    def _keep_edit(self) -> None:
        """Before the threshold moves on: an edited region becomes a segment of its own, shown beside the new one."""
        edited = self.edited()
        if edited is None:
            return
        number = 1
        while self.segments.has(f"{EDITED}-{number}"):
            number += 1
        self._put(f"{EDITED}-{number}", edited, f"{self._region_name()}, edited ({number})")
        self._forget_edit()

    def _forget_edit(self) -> None:
        self._state["edited"] = False
        if self.segments.has(ORIGINAL):
            self.segments.remove(ORIGINAL)

    def _raw_region(self, threshold_s: float) -> np.ndarray:
        return np.greater(self._tmax.array, threshold_s) & self._inside

    def _raw_core(self) -> np.ndarray | None:
        """Low CBF inside the hypoperfusion; None where the server found no normal tissue to compare with."""
        if self._facts.normal_cbf is None:
            return None
        settings = self._facts.settings
        low = np.less(self._cbf.array, settings.core_fraction * self._facts.normal_cbf)
        return low & self._raw_region(settings.hypoperfusion_s)

    def _put(self, segment: str, mask: np.ndarray, name: str) -> None:
        was, self._writing = self._writing, True
        new = not self.segments.has(segment)
        try:
            self.segments.put(segment, mask, name)
        finally:
            self._writing = was
        if new and segment in (HYPOPERFUSION, CORE):
            self.segments.set_fill(segment, self._state["fill"])
            self.segments.show(segment, segment == HYPOPERFUSION or self._state["core_visible"])

    def _rename(self, name: str) -> None:
        if self.segments.name(HYPOPERFUSION) != name:
            self.segments.rename(HYPOPERFUSION, name)

    def _region_name(self) -> str:
        return f"Tmax > {self._state['threshold_s']:g} s"

    def _core_name(self) -> str:
        return f"Core estimate (rCBF < {100 * self._facts.settings.core_fraction:.0f} %)"

    def _somebody_edited(self, *_: Any) -> None:
        if self._writing:
            return
        self._state["edited"] = True
        self.on_edit()
