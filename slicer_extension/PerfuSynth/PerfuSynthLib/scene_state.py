"""Where a reading's state lies in the scene: one node that names its volumes and holds its settings and measurements.

It is saved with the scene, so that whoever loads the scene comes back to the same state (`reading_scene.Reading`).
"""

from __future__ import annotations

import json
from typing import Any

from .constants import HYPOPERFUSION_S
from .problems import Problem

#: Class and attribute by which a state node is known.
_CLASS, _MODULE = "vtkMRMLScriptedModuleNode", "PerfuSynth"
#: Version of what is kept; the first number changes when an older program would misread it.
_VERSION = "1"
#: Roles of the nodes that a reading is made of.
NCCT, TMAX, CBF, BRAIN, REGIONS = "ncct", "tmax", "cbf", "brain", "regions"
_ROLES = (NCCT, TMAX, CBF, BRAIN, REGIONS)
#: Opacity of Tmax over the CT at first. [d]
MAP_OPACITY = 0.5
#: Settings with what they are at first.
_DEFAULTS: dict[str, Any] = {
    "threshold_s": HYPOPERFUSION_S,
    "fill": 0.0,
    "core_visible": True,
    "map_opacity": MAP_OPACITY,
    "layout": 0,
    "edited": False,
}


class SceneState:
    """Settings and nodes of one reading, kept by a node of the scene.

    Parameters
    ----------
    node
        The state node.
    """

    def __init__(self, node: Any):
        self.node = node

    @classmethod
    def add(cls, scene: Any, measurements: dict[str, Any], nodes: dict[str, Any]) -> SceneState:
        """Keep a new reading: the server's measurements and the node of each role."""
        node = scene.AddNewNodeByClass(_CLASS, "PerfuSynth reading")
        node.SetModuleName(_MODULE)
        node.SetParameter("version", _VERSION)
        node.SetParameter("measurements", json.dumps(measurements))
        for role, kept in nodes.items():
            node.SetNodeReferenceID(role, kept.GetID())
        return cls(node)

    def __getitem__(self, setting: str) -> Any:
        text = self.node.GetParameter(setting)
        return json.loads(text) if text else _DEFAULTS[setting]

    def __setitem__(self, setting: str, value: Any) -> None:
        if setting not in _DEFAULTS:
            raise KeyError(setting)
        self.node.SetParameter(setting, json.dumps(value))

    @property
    def measurements(self) -> dict[str, Any]:
        """The server's ``measurements.json``."""
        return json.loads(self.node.GetParameter("measurements"))

    def node_of(self, role: str) -> Any:
        """The node of a role; None where it was removed."""
        return self.node.GetNodeReference(role)

    def check(self) -> None:
        """See that a scene brought everything back.

        Raises
        ------
        Problem
            Code ``newer_scene`` or ``incomplete_scene``.
        """
        if self.node.GetParameter("version") != _VERSION:
            raise Problem(
                "newer_scene",
                "The reading in this scene was saved by another version of PerfuSynth.",
                "Update the extension, or synthesize again.",
            )
        missing = [role for role in _ROLES if self.node_of(role) is None]
        try:
            complete = isinstance(self.measurements, dict)
        except ValueError:
            complete = False
        if missing or not complete:
            raise Problem(
                "incomplete_scene",
                "A part of the reading in this scene is missing.",
                "Load the scene with all of its files, or synthesize again.",
                ", ".join(missing) or "measurements",
            )


def states_in(scene: Any) -> list[SceneState]:
    """All readings that the scene holds, the oldest first."""
    nodes = [scene.GetNthNodeByClass(i, _CLASS) for i in range(scene.GetNumberOfNodesByClass(_CLASS))]
    return [SceneState(node) for node in nodes if node.GetModuleName() == _MODULE and node.GetParameter("version")]
