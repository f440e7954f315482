"""``promotions.jsonl``: who put which model live when, on what figures; lines are added and never changed.

A change of the live model is two lines: ``begun`` before ``registry.json`` is written, ``done`` after it. A process
that dies in between leaves a ``begun`` alone; the next change looks at the registry and adds ``done`` or ``abandoned``,
so that every model that was ever live stands here, and nothing goes live but by an order.
"""

import json
import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from perfusynth.generators.bundles import Bundle
from perfusynth.home import home


class ModelIdentity(BaseModel):
    """Which weights exactly: the bundle's name and version and the SHA-256 of its weights."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    version: str
    weights_sha256: str

    @classmethod
    def of(cls, bundle: Bundle) -> "ModelIdentity":
        """A bundle's identity as its metadata names it."""
        return cls(name=bundle.name, version=bundle.version, weights_sha256=bundle.spec.weights_sha256)


class Begun(BaseModel):
    """A change of the live model that is ordered and checked, and about to be made."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    event: Literal["begun"] = "begun"
    id: str = Field(description="random; the closing line has the same")
    kind: Literal["promotion", "rollback"]
    task: str
    at: AwareDatetime
    who: str = Field(description="account of the operating system that gave the order")
    software: str = Field(description="version of perfusynth")
    before: ModelIdentity | None = Field(alias="from", description="None: the task had no model")
    after: ModelIdentity | None = Field(alias="to", description="None: the task has no model again")
    figures: dict[str, Any] | None = Field(None, description="both models' figures on the same cases, as shown")
    report_sha256: str | None = Field(None, description="of the report that the figures came from")


class Closed(BaseModel):
    """How a change ended: the registry says so (``done``), or it never came to that (``abandoned``)."""

    model_config = ConfigDict(extra="forbid")

    event: Literal["done", "abandoned"]
    id: str
    at: AwareDatetime


_LINE: TypeAdapter[Begun | Closed] = TypeAdapter(Annotated[Begun | Closed, Field(discriminator="event")])


class Change(BaseModel):
    """One change as the history tells it: its order, and how it ended (``unfinished``: by a crash, or just now)."""

    order: Begun
    state: Literal["done", "abandoned", "unfinished"]


def history_file() -> Path:
    """Where the history lies; may not exist yet."""
    return home() / "promotions.jsonl"


def now() -> datetime:
    """The present, UTC, in whole seconds."""
    return datetime.now(UTC).replace(microsecond=0)


def add_line(line: Begun | Closed) -> None:
    """Add a line and wait until it is on the disk; a line that a crash cut short keeps its place and ends there."""
    path = history_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a+b") as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                file.write(b"\n")
        file.write(line.model_dump_json(by_alias=True).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


def changes(task: str | None = None) -> list[Change]:
    """All changes, of one task or of every, oldest first; lines that cannot be read are passed over."""
    found: dict[str, Change] = {}
    for line in _lines():
        if isinstance(line, Begun):
            found[line.id] = Change(order=line, state="unfinished")
        elif line.id in found:
            found[line.id] = found[line.id].model_copy(update={"state": line.event})
    return [change for change in found.values() if task in (None, change.order.task)]


def unreadable_lines() -> int:
    """How many lines a crash has cut short, or somebody has edited."""
    return sum(1 for _ in _raw_lines()) - sum(1 for _ in _lines())


def lived(done: Sequence[Change]) -> list[ModelIdentity | None]:
    """The models of one task that a rollback can go back through; the last is the one that is live.

    A promotion adds one, a rollback takes one away. A model that went live past this history (``registry.json`` was
    written by hand) is found as the next change's ``from``.
    """
    models: list[ModelIdentity | None] = []
    for change in (change.order for change in done if change.state == "done"):
        if not models or models[-1] != change.before:
            models.append(change.before)
        if change.kind == "rollback":
            models.pop()
        if not models or models[-1] != change.after:
            models.append(change.after)
    return models


def _lines() -> Iterator[Begun | Closed]:
    for raw in _raw_lines():
        try:
            yield _LINE.validate_python(json.loads(raw))
        except (ValueError, ValidationError):
            continue


def _raw_lines() -> list[bytes]:
    try:
        return [line for line in history_file().read_bytes().splitlines() if line.strip()]
    except FileNotFoundError:
        return []
