"""ASGI middleware: no body is longer than its route allows, whatever its headers say, and none stalls for ever."""

import asyncio
from collections.abc import Mapping

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from perfusynth.server.problems import Problem


class BodyLimit:
    """Counts what a request's body brings.

    Parameters
    ----------
    app
        What it protects.
    max_upload_bytes
        For multipart forms, which may carry images.
    max_body_bytes
        For everything else.
    idle_s
        A body of which nothing more has come for so long is given up, s.
    """

    def __init__(self, app: ASGIApp, *, max_upload_bytes: int, max_body_bytes: int, idle_s: float):
        self._app = app
        self._idle_s = idle_s
        self._limits: Mapping[bool, int] = {True: max_upload_bytes, False: max_body_bytes}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        limit = self._limits[headers.get("content-type", "").lower().startswith("multipart/form-data")]
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > limit:
            await _too_large(limit).response()(scope, receive, send)
            return
        counted, complete = 0, False

        async def counting() -> Message:
            nonlocal counted, complete
            if complete:  # who waits now, waits for the caller to hang up
                return await receive()
            try:
                message = await asyncio.wait_for(receive(), self._idle_s)
            except TimeoutError:
                raise _stalled(self._idle_s) from None
            complete = not message.get("more_body", False)
            counted += len(message.get("body", b"")) if message["type"] == "http.request" else 0
            if counted > limit:
                raise _too_large(limit)
            return message

        await self._app(scope, counting, send)


def _stalled(idle_s: float) -> Problem:
    return Problem(
        408,
        "The request stalled.",
        expected=f"more of the upload within {idle_s:g} s",
        got="nothing",
        hint="Check the network and send it again.",
        code="stalled",
        headers={"Connection": "close"},
    )


def _too_large(limit: int) -> Problem:
    return Problem(
        413,
        "The request is too large.",
        expected=f"at most {limit} bytes",
        got="more",
        hint="Send the head only, not the whole body scan; the administrator can raise the limit.",
        code="too_large",
        headers={"Connection": "close"},
    )
