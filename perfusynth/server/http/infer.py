"""``POST /infer/{task}``: MONAI Label's own call, for its clients; waits for a job and sends what it made.

Maps come as the result's zip; the label of a segmentation task comes as the label map itself, which is what MONAI
Label's clients load.
"""

import asyncio
import json
import secrets
import shutil
import zipfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import IO, Any

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse
from starlette.datastructures import FormData
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from perfusynth.server.context import ServerContext, caller_of, context_of
from perfusynth.server.http.jobs import known_task, session_image, stored_image
from perfusynth.server.http.options import parse_options
from perfusynth.server.http.uploads import only_upload, read_form, save_image
from perfusynth.server.jobs.job import Job
from perfusynth.server.problems import Problem
from perfusynth.server.tasks import TaskInfo

router = APIRouter(tags=["MONAI Label"])

_BLOCK = 1 << 20
_OUTPUTS = ("all", "image", "json")


@router.post("/infer/{task}")
async def infer(task: str, request: Request) -> Response:
    """Synthesise and wait; the image comes as an id, a session or a file part."""
    context, user = context_of(request), caller_of(request).user
    info = known_task(context, task)
    output = request.query_params.get("output") or "all"
    if output not in _OUTPUTS:
        raise _bad(f"output {', '.join(_OUTPUTS)}", "another output")
    context.queue.check_room(user)
    job_id, folder = context.queue.new_folder(user)
    try:
        path, options = await _input(request, context, user, info, folder / "in")
        job = await context.queue.submit(job_id, user, task, {info.inputs[0]: path}, options)
    except BaseException:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        raise
    request.scope["perfusynth.job"] = job.id
    sending = False
    try:
        await _wait(request, job)
        if job.state != "done":
            raise _problem_of(job)
        params = await asyncio.to_thread(_params_of, job, info)
        if output == "json":
            return Response(params, media_type="application/json")
        response = await asyncio.to_thread(_send, context, job, info, params, only_image=output == "image")
        sending = True
        return response
    finally:
        if not sending:
            context.queue.dispose(job)


class _OneTimeResult(StreamingResponse):
    """A result that its job does not outlive: sent, half sent or, where the caller was gone first, never begun."""

    def __init__(self, context: ServerContext, job: Job, content: AsyncIterator[bytes], **arguments: Any):
        super().__init__(content, **arguments)
        self._context = context
        self._job = job

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._context.queue.dispose(self._job)


async def _input(
    request: Request, context: ServerContext, user: str, info: TaskInfo, folder: Path
) -> tuple[Path, dict[str, Any]]:
    if len(info.inputs) != 1:
        raise _bad("a task with one input", f"one with {len(info.inputs)}; POST /jobs/{info.name} takes them")
    name, query = info.inputs[0], request.query_params
    async with _form(request, context) as form:
        if "label" in form:
            raise _bad("an image", "a label")
        options = parse_options(form.get("params"))
        given = [key for key in ("image", "session_id") if query.get(key)] + ["file"] * ("file" in form)
        # MONAI Label's clients name the image's id beside a session or a file, which then wins.
        if "session_id" in given:
            return await session_image(context, user, query["session_id"], folder, name), options
        if "file" in given:
            return await save_image(only_upload(form, "file"), folder, name), options
        if "image" in given:
            return await stored_image(context, query["image"]), options
    raise _bad("an image id, a session id or a file", "none")


@asynccontextmanager
async def _form(request: Request, context: ServerContext) -> AsyncIterator[FormData]:
    """With an image, a multipart form; without, MONAI Label also takes a plain form or nothing."""
    if request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        async with read_form(request, context) as form:
            yield form
    else:
        async with request.form(max_fields=context.settings.max_parts) as form:
            yield form


async def _wait(request: Request, job: Job) -> None:
    """Until the job has ended, or its caller is gone."""
    done = asyncio.create_task(job.finished.wait())
    gone = asyncio.create_task(_disconnected(request))
    try:
        await asyncio.wait({done, gone}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        done.cancel()
        gone.cancel()
    if not job.finished.is_set():
        raise ClientDisconnect


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _problem_of(job: Job) -> Problem:
    if job.error is None:
        return Problem(
            503,
            "The job was cancelled.",
            expected="a finished synthesis",
            got=job.state,
            hint="Try again.",
            code="cancelled",
        )
    fields = {name: job.error[name] for name in ("error", "expected", "got", "hint", "code")}
    ours = {"internal_error": 500, "worker_died": 500, "timeout": 504, "model_unavailable": 503}
    return Problem(ours.get(job.error["code"], 422), fields.pop("error"), **fields)


def _params_of(job: Job, info: TaskInfo) -> bytes:
    """The measurements and, beside a label map, what its values mean (MONAI Label's ``label_names``)."""
    params = json.loads(job.measurements.read_bytes())
    if info.labels:
        params["label_names"] = dict(info.labels)
    return json.dumps(params, allow_nan=False).encode()


@contextmanager
def _image_of(job: Job, info: TaskInfo) -> Iterator[tuple[IO[bytes], int]]:
    """What is sent as the image, and its size in bytes: the zip, or the label map in it."""
    if info.labels:
        with zipfile.ZipFile(job.result) as archive, archive.open(info.label_file) as label:
            yield label, archive.getinfo(info.label_file).file_size
    else:
        with open(job.result, "rb") as whole:
            yield whole, job.result.stat().st_size


def _send(context: ServerContext, job: Job, info: TaskInfo, params: bytes, *, only_image: bool) -> StreamingResponse:
    ending, image_kind = ("nii.gz", "application/gzip") if info.labels else ("zip", "application/zip")
    name = f"{job.task}_{job.id}.{ending}"
    with _image_of(job, info) as (_, size):
        pass
    if only_image:
        head, tail, kind = b"", b"", image_kind
        extra = {"Content-Disposition": f'attachment; filename="{name}"'}
    else:
        boundary = secrets.token_hex(16)
        head = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="params"\r\n'
            "Content-Type: application/json\r\n\r\n".encode()
            + params
            + f'\r\n--{boundary}\r\nContent-Disposition: form-data; name="image"; filename="{name}"\r\n'
            f"Content-Type: {image_kind}\r\n\r\n".encode()
        )
        tail = f"\r\n--{boundary}--\r\n".encode()
        kind, extra = f"multipart/form-data; boundary={boundary}", {}

    async def body() -> AsyncIterator[bytes]:
        if head:
            yield head
        with _image_of(job, info) as (file, _):
            while block := await asyncio.to_thread(file.read, _BLOCK):
                yield block
        if tail:
            yield tail

    length = len(head) + size + len(tail)
    headers = {"Content-Length": str(length), **extra}
    return _OneTimeResult(context, job, body(), media_type=kind, headers=headers)


def _bad(expected: str, got: str) -> Problem:
    return Problem(
        400,
        "This cannot be synthesised.",
        expected=expected,
        got=got,
        hint="Send an image id, a session id or one file.",
        code="bad_parts",
    )
