"""``/jobs``: submit, watch, fetch, cancel."""

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, JSONResponse
from starlette.datastructures import UploadFile

from perfusynth.server.access.queries import IMAGE_ID, SESSION_ID
from perfusynth.server.context import ServerContext, caller_of, context_of
from perfusynth.server.http.options import parse_options
from perfusynth.server.http.uploads import link_or_copy, only_upload, read_form, save_image
from perfusynth.server.jobs.job import Job
from perfusynth.server.problems import Problem, shown
from perfusynth.server.tasks import TaskInfo

router = APIRouter(tags=["jobs"])


@router.post("/jobs/{task}", status_code=202)
async def submit(task: str, request: Request) -> JSONResponse:
    """Queue a synthesis: a multipart form with one part per modality, or JSON that names images of the server."""
    context, user = context_of(request), caller_of(request).user
    info = known_task(context, task)
    context.queue.check_room(user)
    job_id, folder = context.queue.new_folder(user)
    try:
        if request.headers.get("content-type", "").lower().startswith("application/json"):
            inputs, options = await _named_inputs(request, context, user, info, folder / "in")
        else:
            inputs, options = await _uploaded_inputs(request, context, info, folder / "in")
        job = await context.queue.submit(job_id, user, task, inputs, options)
    except BaseException:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        raise
    request.scope["perfusynth.job"] = job.id
    return JSONResponse(context.queue.describe(job), 202, headers={"Location": f"/jobs/{job.id}"})


@router.get("/jobs/{job_id}")
async def status(job_id: str, request: Request) -> dict[str, Any]:
    """State, stage, percent, place in the queue."""
    job = _job(request, job_id)
    return context_of(request).queue.describe(job)


@router.get("/jobs/{job_id}/result")
async def result(job_id: str, request: Request) -> FileResponse:
    """The result as one stored zip."""
    job = _job(request, job_id)
    if job.state != "done":
        raise Problem(
            409,
            "There is no result.",
            expected="a job that is done",
            got=job.state,
            hint="Ask for the job's state first.",
            code="not_done",
        )
    return FileResponse(job.result, media_type="application/zip", filename=f"{job.task}_{job.id}.zip")


@router.delete("/jobs/{job_id}")
async def cancel(job_id: str, request: Request) -> dict[str, Any]:
    """Cancel a job that waits or runs; remove one that has ended, with its result."""
    job = _job(request, job_id)
    await context_of(request).queue.cancel(job)
    return context_of(request).queue.describe(job)


def known_task(context: ServerContext, task: str) -> TaskInfo:
    """The task of that name.

    Raises
    ------
    Problem
        404.
    """
    if task not in context.tasks:
        raise Problem(
            404,
            "There is no such task.",
            expected=f"one of {', '.join(sorted(context.tasks)) or '(none installed)'}",
            got=shown(task),
            hint="GET /info/ lists the models.",
            code="unknown_task",
        )
    return context.tasks[task]


async def stored_image(context: ServerContext, image_id: Any) -> Path:
    """The file of an image of the studies folder.

    Raises
    ------
    Problem
        404: there is no such image, whatever the id looks like.
    """
    uri = ""
    if isinstance(image_id, str) and IMAGE_ID.fullmatch(image_id):
        uri = await asyncio.to_thread(context.monai_label.datastore().find_image, image_id)
    if not uri:
        raise Problem(
            404,
            "There is no such image on the server.",
            expected="an id that GET /datastore/?output=all lists",
            got=shown(image_id),
            hint="Upload the image, or put it into the studies folder.",
            code="unknown_image",
        )
    return Path(uri)


async def session_image(context: ServerContext, user: str, session_id: Any, folder: Path, name: str) -> Path:
    """A session's image, kept for a job as ``folder/<name><ending>``.

    Raises
    ------
    Problem
        404: there is no such session of this user.
    """
    text = session_id if isinstance(session_id, str) and SESSION_ID.fullmatch(session_id) else ""
    image = context.sessions.get(text, user).image
    return await asyncio.to_thread(link_or_copy, image, folder / image.name.replace("image", name, 1))


def _job(request: Request, job_id: str) -> Job:
    job = context_of(request).queue.get(job_id, caller_of(request).user)
    request.scope["perfusynth.job"] = job.id
    return job


async def _uploaded_inputs(
    request: Request, context: ServerContext, info: TaskInfo, folder: Path
) -> tuple[dict[str, Path], dict[str, Any]]:
    async with read_form(request, context) as form:
        extra = sorted(set(form) - {*info.inputs, "options"})
        if extra:
            raise _bad_parts(info, f"a part named {shown(extra[0])}")
        sent = form.get("options")
        if isinstance(sent, UploadFile):
            sent = (await sent.read(context.settings.max_field_bytes)).decode("utf-8", "replace")
        options = parse_options(sent)
        uploads = {name: only_upload(form, name) for name in info.inputs}
        return {name: await save_image(upload, folder, name) for name, upload in uploads.items()}, options


async def _named_inputs(
    request: Request, context: ServerContext, user: str, info: TaskInfo, folder: Path
) -> tuple[dict[str, Path], dict[str, Any]]:
    try:
        body = json.loads(await request.body())
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict) or set(body) - {"inputs", "session_id", "options"}:
        raise _bad_parts(info, "another body")
    options = parse_options(body.get("options"))
    named = body.get("inputs") or {}
    if not isinstance(named, dict):
        raise _bad_parts(info, "inputs that are no object")
    if body.get("session_id"):
        if named or len(info.inputs) != 1:
            raise _bad_parts(info, "a session and something else")
        path = await session_image(context, user, body["session_id"], folder, info.inputs[0])
        return {info.inputs[0]: path}, options
    if set(named) != set(info.inputs):
        raise _bad_parts(info, f"{len(named)} inputs, some under other names")
    return {name: await stored_image(context, image) for name, image in named.items()}, options


def _bad_parts(info: TaskInfo, got: str) -> Problem:
    return Problem(
        400,
        "The inputs are not those of this task.",
        expected=f"{', '.join(info.inputs)} as parts of a form, or in JSON: inputs (image ids) or session_id; options",
        got=got,
        hint="GET /info/ lists each model's inputs.",
        code="bad_parts",
    )
