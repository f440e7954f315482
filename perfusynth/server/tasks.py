"""What the server can be asked for: the installed bundles' tasks, their inputs and outputs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
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
    card
        The live bundle's model card (Markdown); None where it has none.
    source
        Task whose pipeline does the work; empty: its own. Such a task is loaded, trained and promoted with its source.
    labels
        Name and value of what the result's label map marks, for MONAI Label's clients; empty: the result is maps.
    label_file
        Name of the label map in the result's zip.
    trainable
        Whether it has a model of its own to train.
    """

    name: str
    description: str
    inputs: tuple[str, ...]
    details: dict[str, Any] = field(default_factory=dict)
    model: str = ""
    card: Path | None = None
    source: str = ""
    labels: Mapping[str, int] = field(default_factory=dict)
    label_file: str = ""
    trainable: bool = True


def installed() -> dict[str, TaskInfo]:
    """The live bundles' tasks, those that show their result in another form, and the brain's."""
    from perfusynth.generators.registry import installed_tasks
    from perfusynth.server.brain_task import BRAIN_TASK, brain_task
    from perfusynth.server.region_task import region_tasks

    found = {}
    for task, bundle in installed_tasks().items():
        spec = bundle.spec
        card = bundle.path / "docs" / "README.md"
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
            card if card.is_file() else None,
        )
    return found | region_tasks(found) | {BRAIN_TASK: brain_task()}


def loaded(tasks: Mapping[str, TaskInfo]) -> tuple[str, ...]:
    """Names of the tasks that workers load a pipeline for."""
    return tuple(name for name, info in tasks.items() if not info.source)


def models_of(tasks: Mapping[str, TaskInfo]) -> dict[str, str]:
    """Name of the bundle by task, for `perfusynth.server.jobs.protocol.WorkerSpec`."""
    return {name: tasks[name].model for name in loaded(tasks) if tasks[name].model}
