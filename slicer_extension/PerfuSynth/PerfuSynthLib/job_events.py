"""What a synthesis tells while it runs: one type a kind of news."""

from __future__ import annotations

from dataclasses import dataclass

from .problems import Problem
from .result_package import SynthesisResult

#: The server's stages in words.
STAGE_WORDS = {
    "starting": "starting",
    "read": "reading the scan",
    "check": "checking the scan",
    "mask": "finding the brain",
    "generate": "synthesising the maps",
    "measure": "measuring volumes",
    "package": "packing the result",
}


@dataclass(frozen=True)
class Event:
    """News of one order; the classes below say which.

    Attributes
    ----------
    ticket
        Which order, as `SynthesisQueue.submit` returned it.
    elapsed_s
        Since it was ordered, s.
    """

    ticket: int
    elapsed_s: float


@dataclass(frozen=True)
class Uploading(Event):
    """The scan is on its way; ``share`` (0 to 1) has left this machine."""

    share: float


@dataclass(frozen=True)
class Waiting(Event):
    """Nothing runs yet, or for the moment.

    ``place`` is the place in the server's queue, 1 for the next; 0 where it is not there, and ``reason`` says why.
    """

    place: int
    reason: str


@dataclass(frozen=True)
class Running(Event):
    """The server works: the stage's name (see `STAGE_WORDS`), and percent of the whole."""

    stage: str
    percent: int

    @property
    def words(self) -> str:
        """The stage in words."""
        return STAGE_WORDS.get(self.stage, self.stage)


@dataclass(frozen=True)
class Downloading(Event):
    """The result is on its way; ``share`` (0 to 1) has come, 0 where the size is unknown."""

    share: float


@dataclass(frozen=True)
class Done(Event):
    """The end: maps and measurements; ``from_cache``: kept here from an earlier synthesis, nothing was sent."""

    result: SynthesisResult
    from_cache: bool


@dataclass(frozen=True)
class Failed(Event):
    """The end: why there is no result."""

    problem: Problem


@dataclass(frozen=True)
class Cancelled(Event):
    """The end: the user asked for it; nothing more is told of this order."""
