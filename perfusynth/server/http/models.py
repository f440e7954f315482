"""``/models``: what is written about the live models."""

import asyncio

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse

from perfusynth.server.context import context_of
from perfusynth.server.http.jobs import known_task
from perfusynth.server.problems import Problem

router = APIRouter(tags=["models"])


@router.get("/models/{task}/card")
async def card(task: str, request: Request) -> PlainTextResponse:
    """The live model's card: what it is, what it was trained on, how good it is (Markdown)."""
    path = known_task(context_of(request), task).card
    if path is None:
        raise Problem(
            404,
            "This model has no card.",
            expected="docs/README.md in its bundle",
            got="none",
            hint="Ask the server's administrator what is known of the model.",
            code="no_card",
        )
    text = await asyncio.to_thread(path.read_text, encoding="utf-8", errors="replace")
    return PlainTextResponse(text, media_type="text/markdown", headers={"X-Content-Type-Options": "nosniff"})
