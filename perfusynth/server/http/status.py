"""``/health``, ``/info/`` and ``/logs/``: what the server is and how it is doing."""

from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, PlainTextResponse

from perfusynth import __version__
from perfusynth.server.context import context_of

router = APIRouter(tags=["status"])

#: Grows by one when addresses or answers that clients build on are added; none of them is taken away within a number.
#: 1 (not told): jobs, images, labels. 2: model cards, regions as labels, edited regions that are checked and kept.
#: 3: registrations to be checked, /registration.
API_VERSION: Final = 3


@router.get("/health")
async def health(request: Request) -> JSONResponse:
    """``ok``, ``warming`` (jobs wait until a worker is warm) or, with 503, ``failed``; tells nothing else."""
    states = context_of(request).queue.worker_states()
    status = next((word for state, word in (("ready", "ok"), ("warming", "warming")) if state in states), "failed")
    return JSONResponse({"status": status}, 503 if status == "failed" else 200)


@router.get("/info/")
def info(request: Request) -> dict[str, Any]:
    """MONAI Label's description of the app; each model carries its inputs, outputs and version."""
    context = context_of(request)
    description: dict[str, Any] = context.monai_label.info()
    description["perfusynth"] = {
        "version": __version__,
        "api": API_VERSION,
        "tasks": {name: task.details for name, task in context.tasks.items()},
        "max_upload_bytes": context.settings.max_upload_bytes,
    }
    return description


@router.get("/logs/")
async def logs(request: Request) -> PlainTextResponse:
    """The server's last log lines; they hold ids and no patient data."""
    lines = int(request.query_params.get("lines") or 300)
    return PlainTextResponse("\n".join(context_of(request).log_lines.last(lines)) + "\n")
