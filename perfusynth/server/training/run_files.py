"""The folder of a training run: the order, how far it is, how it ended. Server and run speak through these files.

``$PERFUSYNTH_HOME/training/<id>/``: ``order.json`` (the server writes it once), ``progress.json`` and ``outcome.json``
(the run's process; the server where that died without a word), ``work/`` (what `perfusynth.training` keeps). The files
outlive both processes: a server that starts finds every run as it was left.
"""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from perfusynth import atomic
from perfusynth.home import home
from perfusynth.server.training.parameters import TrainingParameters

#: ``paused``: the minutes are over; ``stopped``: someone stopped it; ``interrupted``: the server ended, or the machine.
#: These and ``failed`` runs can be resumed from their last checkpoint.
EndState = Literal["done", "paused", "stopped", "failed", "interrupted"]


class Order(BaseModel):
    """What is to be trained, on what, by whose order."""

    model_config = ConfigDict(extra="forbid")

    id: str
    task: str
    user: str
    at: AwareDatetime
    bundle: Path = Field(description="of the model that was live then: network, inputs, outputs and settings")
    studies: Path = Field(description="the server's folder of case folders")
    device: str
    parameters: TrainingParameters


class Progress(BaseModel):
    """How far a run is."""

    phase: str
    step: int = 0
    of: int = 0
    time_left_s: float | None = None
    figures: dict[str, float | None] = Field(default_factory=dict)


class Outcome(BaseModel):
    """How a run ended, for now or for good."""

    state: EndState
    at: AwareDatetime
    candidate: str | None = None
    error: dict[str, str] | None = None


class RunFolder:
    """One run's files.

    Parameters
    ----------
    path
        ``$PERFUSYNTH_HOME/training/<id>``.
    """

    def __init__(self, path: Path):
        self.path = path

    @property
    def work(self) -> Path:
        """Checkpoints, split, log: the training's own."""
        return self.path / "work"

    @property
    def drawn(self) -> Path:
        """Digital patients of this run, kept while it lasts: they are drawn once and read often."""
        return self.path / "drawn"

    def tidy(self) -> None:
        """Remove what only a run that goes on needs: checkpoints, and images of patients; split and logs stay."""
        logs = self.work / "tensorboard"
        for folder in (self.drawn, *(path for path in self.work.glob("*") if path.is_dir() and path != logs)):
            shutil.rmtree(folder, ignore_errors=True)

    @property
    def order(self) -> Order:
        """The order; raises where there is none."""
        return Order.model_validate_json((self.path / "order.json").read_bytes())

    def give(self, order: Order) -> None:
        """Write the order, anew where the run is resumed; an earlier outcome is over."""
        _write(self.path / "order.json", order)
        (self.path / "outcome.json").unlink(missing_ok=True)

    @property
    def progress(self) -> Progress | None:
        """How far it is; None before it has said anything."""
        return _read(self.path / "progress.json", Progress)

    def tell(self, progress: Progress) -> None:
        """Write how far it is."""
        _write(self.path / "progress.json", progress)

    @property
    def outcome(self) -> Outcome | None:
        """How it ended; None while it runs, or where nobody was left to say."""
        return _read(self.path / "outcome.json", Outcome)

    def end(self, state: EndState, *, candidate: str | None = None, error: dict[str, str] | None = None) -> None:
        """Write how it ended."""
        _write(self.path / "outcome.json", Outcome(state=state, at=now(), candidate=candidate, error=error))


def training_folder() -> Path:
    """Where all runs of the installation lie; may not exist yet."""
    return home() / "training"


def all_runs() -> Iterator[RunFolder]:
    """Every run with a readable order, oldest first."""
    runs = [RunFolder(path.parent) for path in training_folder().glob("*/order.json")]
    readable = [(run.order.at, run.path.name, run) for run in runs if _is_readable(run)]
    return (run for _, _, run in sorted(readable, key=lambda item: item[:2]))


def now() -> datetime:
    """The present, UTC."""
    return datetime.now(UTC)


def _is_readable(run: RunFolder) -> bool:
    try:
        return run.order.id == run.path.name
    except (OSError, ValidationError):
        return False


def _write(path: Path, content: BaseModel) -> None:
    atomic.write_bytes(path, content.model_dump_json(indent=1, exclude_unset=True).encode() + b"\n", mode=0o600)


def _read(path: Path, kind: type[Any]) -> Any:
    try:
        return kind.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None
