"""What server and worker say to each other: one JSON object a line, over the worker's standard input and output.

Server to worker: the `WorkerSpec` first, then ``{"run": id, "task", "inputs", "out", "result", "measurements",
"options"}`` and ``{"cancel": id}``; the end of the stream ends the worker. Worker to server: ``{"event": "ready"}``,
``{"event": "load_failed", "error"}``, ``{"event": "progress", "id", "stage", "fraction"}`` and, once a job,
``{"event": "done" | "cancelled", "id"}`` or ``{"event": "failed", "id", "error", "trace"}``.
"""

import importlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from perfusynth.server.brain_task import BRAIN_TASK, BRAIN_WORK, DOCUMENT_FILE
from perfusynth.server.region_task import REGION_TASKS


@dataclass(frozen=True)
class WorkerSpec:
    """What a worker loads.

    Parameters
    ----------
    tasks
        Names of the tasks whose pipelines it holds.
    models
        Name of the bundle by task, so that all workers hold the same until the server says otherwise; a task that is
        not in it takes what is live when the worker loads.
    device
        Where it computes: ``auto``, ``cpu``, ``cuda:0``.
    factory
        ``module:name`` of ``(task or bundle, *, device) -> pipeline`` (see `perfusynth.synthesis.pipeline`).
    options
        ``module:name`` of what makes the pipeline's options out of the request's.
    package
        ``module:name`` of ``(folder, target)`` that makes the result's zip.
    regions
        Tasks that give the hypoperfusion of another task's maps as a label, and that other task, whose pipeline works
        for both.
    region_package
        What makes their zip.
    factories
        What loads the tasks that are no synthesis, in the place of ``factory``.
    documents
        Their result's JSON file, in the place of ``measurements.json``.
    search_path
        Folders to import from, besides the worker's own.
    """

    tasks: tuple[str, ...] = ()
    device: str = "auto"
    factory: str = "perfusynth.synthesis.pipeline:Pipeline.load"
    options: str = "perfusynth.synthesis.options:SynthesisOptions"
    package: str = "perfusynth.synthesis.package:zip_result"
    regions: dict[str, str] = field(default_factory=lambda: dict(REGION_TASKS))
    region_package: str = "perfusynth.server.jobs.region_package:zip_region"
    search_path: tuple[str, ...] = ()
    models: dict[str, str] = field(default_factory=dict)
    factories: dict[str, str] = field(default_factory=lambda: {BRAIN_TASK: BRAIN_WORK})
    documents: dict[str, str] = field(default_factory=lambda: {BRAIN_TASK: DOCUMENT_FILE})


def encode(message: dict[str, Any]) -> bytes:
    """One message as a line."""
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


def encode_spec(spec: WorkerSpec) -> bytes:
    """The first line that a worker reads."""
    return encode(asdict(spec))


def decode_spec(line: bytes) -> WorkerSpec:
    """Inverse of `encode_spec`."""
    fields = json.loads(line)
    return WorkerSpec(**fields | {"tasks": tuple(fields["tasks"]), "search_path": tuple(fields["search_path"])})


def resolve(dotted: str) -> Callable[..., Any]:
    """The object that ``module:name`` or ``module:Class.name`` names."""
    module, _, names = dotted.partition(":")
    found: Any = importlib.import_module(module)
    for name in names.split("."):
        found = getattr(found, name)
    return found
