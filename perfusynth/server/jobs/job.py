"""One synthesis job and what its owner is told of it."""

import asyncio
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

State = Literal["queued", "running", "done", "failed", "cancelled"]


@dataclass(eq=False)
class Job:
    """A job; only the event loop's thread changes it.

    Parameters
    ----------
    id, user, task
        Random id, owner, and name of the task.
    inputs
        One file or folder per modality.
    options
        The checked options of the request, as plain JSON values.
    folder
        The job's own folder; holds its uploads and, in the end, its result.
    """

    id: str
    user: str
    task: str
    inputs: Mapping[str, Path]
    options: Mapping[str, Any]
    folder: Path
    state: State = "queued"
    stage: str = "queued"
    fraction: float = 0.0
    error: dict[str, Any] | None = None
    attempts: int = 0
    created: float = field(default_factory=time.monotonic)
    started: float | None = None
    ended: float | None = None
    finished: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def output(self) -> Path:
        """The empty folder into which the pipeline writes."""
        return self.folder / "out"

    @property
    def result(self) -> Path:
        """The finished zip."""
        return self.folder / "result.zip"

    @property
    def measurements(self) -> Path:
        """The measurements beside the zip, as JSON."""
        return self.folder / "measurements.json"

    @property
    def active(self) -> bool:
        """Whether it waits or runs."""
        return self.state in ("queued", "running")

    def end(self, state: State, error: dict[str, Any] | None = None) -> None:
        """Enter a final state; what ended stays ended."""
        if not self.active:
            return
        self.state, self.error, self.ended = state, error, time.monotonic()
        self.stage = state
        if state == "done":
            self.fraction = 1.0
        self.finished.set()

    def remove_inputs(self) -> None:
        """Remove the uploads and unfinished output (blocking)."""
        shutil.rmtree(self.folder / "in", ignore_errors=True)
        shutil.rmtree(self.output, ignore_errors=True)
        if self.state != "done":
            shutil.rmtree(self.folder, ignore_errors=True)

    def describe(self, place: int, ttl_s: float) -> dict[str, Any]:
        """The job as JSON values.

        Parameters
        ----------
        place
            Place in the queue, 1 for the next; 0 when it does not wait.
        ttl_s
            How long results are kept after the end, in seconds.
        """
        now = time.monotonic()
        description: dict[str, Any] = {
            "id": self.id,
            "task": self.task,
            "state": self.state,
            "stage": self.stage,
            "percent": round(100 * self.fraction),
            "place": place,
            "elapsed_s": round((self.ended or now) - self.created, 2),
            "error": self.error,
        }
        if self.ended is not None:
            description["expires_in_s"] = max(0, round(self.ended + ttl_s - now))
        if self.state == "done":
            description["result"] = f"/jobs/{self.id}/result"
        return description
