"""What the server can be asked for: the installed bundles' tasks, their inputs and outputs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class TaskInfo:
    """One task.

    Parameters
    ----------
    name
        As in URLs, for example ``ncct_perfusion``.
    description
        One sentence.
    inputs
        Modalities, in order; one part of the request each.
    details
        For ``/info/``: model name, version, outputs with units and ranges, what it is validated on.
    model
        Name of the live bundle, which workers load; empty: they look for it themselves.
    """

    name: str
    description: str
    inputs: tuple[str, ...]
    details: dict[str, Any] = field(default_factory=dict)
    model: str = ""


def installed() -> dict[str, TaskInfo]:
    """The live bundles' tasks."""
    from perfusynth.generators.registry import installed_tasks

    found = {}
    for task, bundle in installed_tasks().items():
        spec = bundle.spec
        found[task] = TaskInfo(
            task,
            bundle.description,
            tuple(i.name for i in spec.inputs),
            {
                "model": bundle.name,
                "version": bundle.version,
                "family": spec.family,
                "validated_on": spec.validated_on,
                "weights_sha256": spec.weights_sha256,
                "inputs": [{"name": i.name, "unit": i.unit} for i in spec.inputs],
                "outputs": [o.model_dump(mode="json") for o in spec.outputs],
            },
            bundle.name,
        )
    return found


def models_of(tasks: Mapping[str, TaskInfo]) -> dict[str, str]:
    """Name of the bundle by task, for `perfusynth.server.jobs.protocol.WorkerSpec`."""
    return {name: info.model for name, info in tasks.items() if info.model}
