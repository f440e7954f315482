"""``/train``: MONAI Label's calls, for its clients; a run makes a candidate, which an admin may promote."""

import asyncio
import json
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request

from perfusynth.server.context import caller_of, context_of
from perfusynth.server.http.jobs import known_task
from perfusynth.server.problems import Problem
from perfusynth.server.training.parameters import parse_parameters

router = APIRouter(tags=["MONAI Label"])


@router.post("/train/{task}")
async def start(task: str, request: Request) -> dict[str, Any]:
    """Train a new candidate for a task, or resume its last run."""
    context = context_of(request)
    info = known_task(context, task)
    if not info.trainable:
        raise Problem(
            422,
            "This task has no model of its own.",
            expected=info.source or "a task whose model is trained here",
            got=task,
            hint=f"Train {info.source}; this task follows." if info.source else "GET /info/ lists what can be trained.",
            code="no_model_of_its_own",
        )
    try:
        body = json.loads(await request.body() or b"{}")
    except (ValueError, RecursionError):
        body = None
    parameters = parse_parameters(body)
    return await context.training.start(task, parameters, caller_of(request).user, Path(context.monai_label.studies))


@router.get("/train/")
async def status(request: Request) -> Any:
    """The last run; ``all=true``: every run; ``check_if_running=true``: 404 unless one is at work."""
    training, query = context_of(request).training, request.query_params
    if query.get("all") == "true":
        return await asyncio.to_thread(training.all)
    last = await asyncio.to_thread(training.last)
    only_running = query.get("check_if_running") == "true"
    if last is None or (only_running and not training.running):
        raise Problem(
            404,
            "No training run is at work." if only_running else "There has been no training run.",
            expected="a run",
            got="none",
            hint="POST /train/{task} starts one.",
            code="no_training",
        )
    return last


@router.delete("/train/")
async def stop(request: Request) -> Any:
    """Stop the run that is at work and keep its checkpoint; null where there is none."""
    return await context_of(request).training.stop()
