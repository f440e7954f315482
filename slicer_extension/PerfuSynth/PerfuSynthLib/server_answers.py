"""What a server says about itself and its jobs, out of its JSON."""

from __future__ import annotations

from typing import Any, NamedTuple

import requests

from .connection_problems import problem_of_fields
from .problems import Problem

_STATES = ("queued", "running", "done", "failed", "cancelled")


class Model(NamedTuple):
    """A live model of the server.

    Attributes
    ----------
    task
        What it is asked for, ``ncct_perfusion``.
    name, version, weights_sha256
        Which model it is.
    validated_on
        ``digital phantoms``, or what it is.
    inputs
        Modalities that it takes.
    """

    task: str
    name: str
    version: str
    weights_sha256: str
    validated_on: str
    inputs: tuple[str, ...]


class JobStatus(NamedTuple):
    """How far a job is.

    Attributes
    ----------
    state
        ``queued``, ``running``, ``done``, ``failed``, ``cancelled``.
    stage
        ``read``, ``check``, ``mask``, ``generate``, ``measure``, ``package``; before that ``starting``.
    percent
        Of the whole.
    place
        In the server's queue: 1 is the next; 0 when it does not wait.
    problem
        Why it failed.
    """

    state: str
    stage: str
    percent: int
    place: int
    problem: Problem | None


def models_of(info: dict[str, Any]) -> list[Model]:
    """The live models out of a server's description.

    Raises
    ------
    Problem
        Code ``not_perfusynth``: the description is another program's.
    """
    own = info.get("perfusynth")
    tasks = own.get("tasks") if isinstance(own, dict) else None
    if not isinstance(tasks, dict):
        raise Problem(
            "not_perfusynth",
            "The server at this address is no PerfuSynth server.",
            "Check the address; a MONAI Label server with other apps cannot be used here.",
        )
    return [
        Model(
            str(task),
            str(found.get("model", "")),
            str(found.get("version", "")),
            str(found.get("weights_sha256", "")),
            str(found.get("validated_on", "")),
            tuple(str(i["name"]) for i in found.get("inputs", []) if isinstance(i, dict) and "name" in i),
        )
        for task, found in tasks.items()
        if isinstance(found, dict)
    ]


def job_status(found: dict[str, Any]) -> JobStatus:
    """A job's state out of the server's JSON.

    Raises
    ------
    Problem
        Code ``not_perfusynth``: there is no such state.
    """
    state = str(found.get("state", ""))
    if state not in _STATES:
        raise not_understood("a job's state that is unknown")
    problem = problem_of_fields(found.get("error")) if state == "failed" else None
    return JobStatus(
        state, str(found.get("stage", "")), _whole(found.get("percent")), _whole(found.get("place")), problem
    )


def json_object(answer: requests.Response) -> dict[str, Any]:
    """An answer's JSON object.

    Raises
    ------
    Problem
        Code ``not_perfusynth``: the answer is something else.
    """
    try:
        found = answer.json()
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise not_understood("no JSON object")
    return found


def not_understood(got: str) -> Problem:
    """An answer that a PerfuSynth server would not give; ``got`` says what it was."""
    return Problem(
        "not_perfusynth",
        "What listens at this address answers unlike a PerfuSynth server.",
        "Check the address; if it is right, server and extension have versions that do not fit.",
        got,
    )


def _whole(value: object) -> int:
    return int(value) if isinstance(value, (int, float)) and abs(value) < 1e9 else 0
