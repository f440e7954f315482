"""The session's choice: which NCCT, and whether it can be one; nothing of it leaves the machine here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import slicer

from .background import Background
from .chosen_volume import Concern, concerns
from .constants import STROKE_WINDOW
from .grid_volume import GridVolume
from .node_geometry import needs_hardening, set_volume
from .problems import Problem
from .session_connection import ServerConnection

#: Which study of the server a volume of the scene came from: a label that is sent back belongs to it.
STUDY_ATTRIBUTE = "PerfuSynth.study"


class Choice:
    """A volume of the scene, or a study of the server.

    Parameters
    ----------
    scene
        Where the volumes are.
    connection
        Where the studies are.
    dicom_tag
        Gives a look-up of DICOM tags for a volume (see `chosen_volume.dicom_tags_of`), or None.
    background, changed
        As in `ServerConnection`.

    Attributes
    ----------
    on_opened
        Told the node of a study that the user wanted to see.
    """

    def __init__(
        self,
        scene: Any,
        connection: ServerConnection,
        dicom_tag: Callable[[Any], Callable[[str], str] | None],
        background: Background,
        changed: Callable[[], None],
    ):
        self._scene, self._connection, self._background = scene, connection, background
        self._dicom_tag, self._changed = dicom_tag, changed
        self.on_opened: Callable[[Any], None] = lambda node: None
        self.study = ""
        self.volume: Any = None
        self.text = ""
        self.problem: Problem | None = None
        self.doubts: list[Concern] = []

    @property
    def key(self) -> str:
        """What tells this choice from others: the volume's id in the scene, or the study's on the server."""
        return self.volume.GetID() if self.volume is not None else self.study

    @property
    def name(self) -> str:
        """What the user knows it by; shown here, never sent."""
        return self.volume.GetName() if self.volume is not None else self.study

    @property
    def can_open(self) -> bool:
        """Whether the study can be fetched now."""
        return bool(self.study) and self._connection.client is not None and not self._background.busy("image")

    def choose_volume(self, node: Any) -> None:
        """Take a volume of the scene; whether it can be a plain head CT is told at once."""
        self.volume, self.study = node, ""
        self.problem, self.doubts, self.text = None, [], ""
        if node is not None:
            found = concerns(node, self._dicom_tag(node))
            refusals = [concern.problem for concern in found if concern.refuses]
            self.problem = refusals[0] if refusals else None
            self.doubts = [concern for concern in found if not concern.refuses]
            told = refusals[:1] or [concern.problem for concern in self.doubts]
            self.text = "\n".join(f"{problem.what} {problem.what_to_do}" for problem in told)
            if not self.problem and needs_hardening(node):
                told_of_copy = "Its transform is applied to a copy, which is sent; the volume stays."
                self.text = f"{self.text}\n{told_of_copy}".strip()
        self._changed()

    def choose_study(self, study: str) -> None:
        """Take a study of the server."""
        self.volume, self.study = None, study
        self.problem, self.doubts = None, []
        self.text = "The image stays on the server for the synthesis; its CT is fetched to be shown." if study else ""
        self._changed()

    def open_study(self, then: Callable[[Any], None] | None = None) -> None:
        """Bring the study's NCCT into the scene; ``then`` is given its node."""
        client, study = self._connection.client, self.study
        if client is None or not study:
            return
        self.text = f"Fetching the CT of {study} ..."
        self._background.run(
            "image",
            lambda cancelled: client.image(study),
            lambda volume: self._opened(study, volume, then),
            self._not_opened,
        )
        self._changed()

    def volume_of_study(self, study: str) -> Any:
        """The volume of the scene that came from a study, or None."""
        for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode", self._scene):
            if node.GetAttribute(STUDY_ATTRIBUTE) == study:
                return node
        return None

    def add_study_volume(self, study: str, volume: GridVolume) -> Any:
        """Put a study's NCCT into the scene, in a CT's stroke window."""
        node = self._scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", study)
        set_volume(node, volume)
        node.SetAttribute(STUDY_ATTRIBUTE, study)
        node.CreateDefaultDisplayNodes()
        display = node.GetDisplayNode()
        display.SetAutoWindowLevel(0)
        display.SetWindowLevel(*STROKE_WINDOW)
        return node

    def _opened(self, study: str, volume: GridVolume, then: Callable[[Any], None] | None) -> None:
        node = self.volume_of_study(study) or self.add_study_volume(study, volume)
        self.text = ""
        if then is not None:
            then(node)
        else:
            self.on_opened(node)
        self._changed()

    def _not_opened(self, problem: Problem) -> None:
        self.text = f"{problem.what} {problem.what_to_do}"
        self._changed()
