"""``/session``: an image uploaded once, for MONAI Label's clients."""

import asyncio
import shutil
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, Response

from perfusynth.server.access.queries import SESSION_ID
from perfusynth.server.context import caller_of, context_of
from perfusynth.server.http.uploads import only_upload, read_form, save_image
from perfusynth.server.problems import Problem
from perfusynth.server.sessions import Session

router = APIRouter(tags=["MONAI Label"])


@router.put("/session/")
async def create(request: Request) -> dict[str, Any]:
    """Keep one image (NIfTI, NRRD or a zip of one DICOM series); archives are not unpacked here."""
    context, user = context_of(request), caller_of(request).user
    if request.query_params.get("uncompress", "false").lower() in ("true", "1"):
        raise Problem(
            400,
            "Archives are not unpacked into sessions.",
            expected="uncompress=false",
            got="uncompress=true",
            hint="Send the zip of a DICOM series as it is.",
            code="bad_query",
        )
    session_id, folder = context.sessions.new_folder(user)
    try:
        async with read_form(request, context) as form:
            image = await save_image(only_upload(form, "files"), folder, "image")
    except BaseException:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        raise
    session = context.sessions.add(session_id, user, image, float(request.query_params.get("expiry") or 0))
    return {"session_id": session.id, "session_info": session.describe()}


@router.get("/session/{session_id}", response_model=None)
async def show(session_id: str, request: Request) -> Response | dict[str, Any]:
    """The session, or with ``image=true`` its image."""
    session = _session(request, session_id)
    if request.query_params.get("image", "false").lower() in ("true", "1"):
        return FileResponse(session.image, media_type="application/octet-stream", filename=session.image.name)
    return session.describe()


@router.delete("/session/{session_id}")
async def remove(session_id: str, request: Request) -> dict[str, Any]:
    """Remove a session and its image."""
    session = _session(request, session_id)
    await context_of(request).sessions.remove(session)
    return session.describe()


def _session(request: Request, session_id: str) -> Session:
    text = session_id if SESSION_ID.fullmatch(session_id) else ""
    return context_of(request).sessions.get(text, caller_of(request).user)
