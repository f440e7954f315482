"""ASGI middleware: no body is longer than its route allows, whatever its headers say."""

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
    """

    def __init__(self, app: ASGIApp, *, max_upload_bytes: int, max_body_bytes: int):
        self._app = app
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
        counted = 0

        async def counting() -> Message:
            nonlocal counted
            message = await receive()
            counted += len(message.get("body", b"")) if message["type"] == "http.request" else 0
            if counted > limit:
                raise _too_large(limit)
            return message

        await self._app(scope, counting, send)


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
