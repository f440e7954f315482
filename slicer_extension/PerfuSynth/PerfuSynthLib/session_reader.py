"""The session's reading: the result on the screen, its numbers, the threshold and what the reader edits."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from . import constants
from .background import Background
from .facts import Facts, reading_of
from .measurements import CLEANED, EDITED, PROVISIONAL, Measurements
from .measurer import Measurer
from .probe import probe_text
from .problems import Problem
from .reading_layout import FOUR_VIEWS, MOSAIC
from .reading_scene import Reading
from .reading_words import ReadingWords
from .region_segments import HYPOPERFUSION
from .result_package import SynthesisResult
from .scene_state import MAP_OPACITY, REGIONS, SceneState, states_in
from .segment_editor import aim_segment_editor

#: How long an edited region rests before it is measured, s: strokes of a brush come many a second. [d]
EDIT_REST_S = 0.3
#: Shown where no cursor is over a view.
PROBE_HINT = "Hold Shift over a view: HU, Tmax and CBF there and at the mirrored point."
_LANE = "numbers"


class Reader:
    """One result at a time; all methods belong to the main thread.

    Parameters
    ----------
    scene
        The MRML scene.
    renderer_of
        The renderer of a slice view by name, or None.
    background, changed
        As in `session_connection.ServerConnection`.
    """

    def __init__(
        self, scene: Any, renderer_of: Callable[[str], Any], background: Background, changed: Callable[[], None]
    ):
        self._scene, self._renderer_of = scene, renderer_of
        self._background, self._changed = background, changed
        self.problem: Problem | None = None
        self._forget()

    # --- coming and going

    def show(self, ncct_node: Any, result: SynthesisResult) -> str:
        """Put a result into the scene and read it; returns the id of its state in the scene.

        Raises
        ------
        Problem
            The result cannot be read.
        """
        facts = reading_of(result.measurements)
        self.let_go()
        self._take(Reading.show(self._scene, ncct_node, result, facts, self._renderer_of), facts.measured)
        self._measure()
        return str(self.reading.state.node.GetID()) if self.reading else ""

    def open(self, state_id: str) -> bool:
        """Read a result again that lies in the scene; returns whether it does."""
        node = self._scene.GetNodeByID(state_id) if state_id else None
        if node is None:
            return False
        self.let_go()
        return self._restore(SceneState(node))

    def restore(self) -> None:
        """Come back to the reading that a loaded scene brought, if it brought one."""
        states = states_in(self._scene)
        if states and (self.reading is None or states[-1].node is not self.reading.state.node):
            self.let_go()
            self._restore(states[-1])

    def let_go(self) -> None:
        """Stop reading; volumes and regions stay in the scene."""
        self._background.forget(_LANE)
        if self.reading is not None:
            self.reading.let_go()
        self._forget()
        self._changed()

    def tick(self) -> None:
        """Measure what was edited, once the hand rests."""
        if self._edited_at is not None and time.monotonic() - self._edited_at > EDIT_REST_S:
            self._edited_at = None
            self._measure()

    # --- what is shown

    def set_threshold(self, threshold_s: float) -> None:
        """Outline and raw volume at once, cleaned ones a moment later."""
        if self.reading is None or self._measurer is None:
            return
        threshold_s = round(float(threshold_s), 2)
        self.measured = self._measurer.provisional(threshold_s)
        self.reading.set_threshold(threshold_s, self.measured.region)
        self._edited_at = None
        self._measure()
        self._changed()

    def set_fill(self, opacity: float) -> None:
        """Fill the regions, 0 (outline alone) to 1."""
        if self.reading is not None:
            self.reading.set_fill(opacity)

    def set_core_visible(self, visible: bool) -> None:
        """Show or hide the core estimate."""
        if self.reading is not None:
            self.reading.set_core_visible(visible)

    def set_map_opacity(self, opacity: float) -> None:
        """Tmax over the CT, 0 to 1."""
        if self.reading is not None:
            self.reading.set_map_opacity(opacity)

    def set_mosaic(self, mosaic: bool) -> None:
        """Many slices of the overlay, or the four views."""
        if self.reading is not None:
            self.reading.present(MOSAIC if mosaic else FOUR_VIEWS)

    def probe(self, ras: Any | None) -> None:
        """Look up what lies at a point (RAS, mm); None: the cursor has left."""
        if self.reading is None or ras is None:
            self.probe_text = PROBE_HINT
        else:
            self.probe_text = probe_text(self.reading.probe(np.asarray(ras, float)))

    def refresh_views(self) -> None:
        """Views may have come since; banner and sides belong on all of them."""
        if self.reading is not None:
            self.reading.views.annotate()

    # --- what a person edits

    def edit(self) -> None:
        """Let Segment Editor work on the region; it is measured whenever the hand rests."""
        if self.reading is not None:
            aim_segment_editor(self._scene, self.reading.state.node_of(REGIONS), HYPOPERFUSION, self.reading.ncct_node)

    def back_to_original(self) -> None:
        """Show and measure the region as the threshold gives it; the edited one is kept in the scene."""
        if self.reading is not None:
            self.set_threshold(self.threshold_s)

    @property
    def edited(self) -> bool:
        """Whether the numbers are those of an edited region."""
        return self.measured is not None and self.measured.kind == EDITED

    @property
    def region(self) -> np.ndarray | None:
        """The region that the numbers belong to, bool on the maps' grid."""
        return None if self.measured is None else self.measured.region

    # --- how it stands

    @property
    def words(self) -> ReadingWords:
        """All that the panel says of the reading."""
        return ReadingWords(self.facts, self.measured, self.problem)

    @property
    def provisional(self) -> bool:
        """Whether better numbers are on their way."""
        return self.measured is not None and self.measured.kind == PROVISIONAL

    @property
    def settled(self) -> bool:
        """Whether the numbers on the screen are measured here, cleaned, and final for now."""
        return self.measured is not None and self.measured.kind in (CLEANED, EDITED) and self._edited_at is None

    @property
    def threshold_s(self) -> float:
        """Of the region, s."""
        return self._state("threshold_s", constants.HYPOPERFUSION_S)

    @property
    def fill(self) -> float:
        """Opacity of the regions' fill, 0 to 1."""
        return self._state("fill", 0.0)

    @property
    def map_opacity(self) -> float:
        """Opacity of Tmax over the CT, 0 to 1."""
        return self._state("map_opacity", MAP_OPACITY)

    @property
    def core_visible(self) -> bool:
        """Whether the core estimate is shown."""
        return self._state("core_visible", True)

    @property
    def mosaic(self) -> bool:
        """Whether the mosaic is shown."""
        return self._state("layout", FOUR_VIEWS) == MOSAIC

    # --- inside

    def _forget(self) -> None:
        self.reading: Reading | None = None
        self.facts: Facts | None = None
        self.measured: Measurements | None = None
        self._measurer: Measurer | None = None
        self._edited_at: float | None = None
        self.probe_text = PROBE_HINT

    def _state(self, setting: str, otherwise: Any) -> Any:
        return otherwise if self.reading is None else self.reading.state[setting]

    def _restore(self, state: SceneState) -> bool:
        self.problem = None
        try:
            reading = Reading.restore(state, self._renderer_of)
        except Problem as problem:
            self.problem = problem
            self._changed()
            return False
        self._take(reading, None)
        self._measure()
        return True

    def _take(self, reading: Reading, measured: Measurements | None) -> None:
        facts = reading.facts
        self.problem = None
        self.reading, self.facts = reading, facts
        self._measurer = Measurer(
            reading.tmax, reading.cbf, reading.brain, facts.midplane, facts.normal_cbf, facts.settings
        )
        self.measured = measured or self._measurer.provisional(self.threshold_s)
        reading.regions.on_edit = self._on_edit
        self._changed()

    def _on_edit(self) -> None:
        self._edited_at = time.monotonic()

    def _measure(self) -> None:
        """Measure the region as it is now, cleaned or edited, off the main thread."""
        reading, measurer, threshold_s = self.reading, self._measurer, self.threshold_s
        if reading is None or measurer is None:
            return
        drawn = reading.edited_segment()
        if drawn is None:
            self._background.run(
                _LANE, lambda cancelled: measurer.cleaned(threshold_s, cancelled), self._cleaned, self._not_measured
            )
        else:
            self._background.run(
                _LANE,
                lambda cancelled: measurer.edited(drawn, threshold_s, cancelled=cancelled),
                self._measured_edit,
                self._not_measured,
            )

    def _cleaned(self, measured: Measurements) -> None:
        self.measured = measured
        if self.reading is not None and measured.region is not None:
            self.reading.put_cleaned(measured.region, measured.core)
        self._changed()

    def _measured_edit(self, measured: Measurements) -> None:
        self.measured = measured
        self._changed()

    def _not_measured(self, problem: Problem) -> None:
        self.problem = problem
        self._changed()
