"""ASGI middleware: the access log, and what becomes of errors that nobody expected."""

import logging
import secrets
import time

from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from perfusynth.server.jobs.errors import incident_fields
from perfusynth.server.places import places_of

logger = logging.getLogger("perfusynth.server.requests")

#: Statuses that are logged where the answer never began: the caller was gone (as nginx logs it).
_CLIENT_GONE = 499


class Incidents:
    """Logs one line a request (method, route, status, time, job: no query, name or header) and answers faults of ours.

    A fault is logged under a random id, with the places in the code that it passed and without its message, which may
    quote paths and patient data; the caller is told the id and nothing else.
    """

    def __init__(self, app: ASGIApp):
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start, status = time.perf_counter(), 0

        async def watching(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, watching)
        except ClientDisconnect:
            status = status or _CLIENT_GONE
        except Exception as error:
            incident = secrets.token_hex(6)
            logger.error("incident %s: %s", incident, _where(error))
            if not status:
                await JSONResponse(incident_fields(incident), 500)(scope, receive, watching)
        finally:
            route = scope.get("perfusynth.route", "-")
            logger.log(
                logging.DEBUG if status == 200 and route in _POLLED else logging.INFO,
                "%s %s %d %.0f ms%s",
                scope["method"] if scope["method"] in _METHODS else "-",
                route,
                status or _CLIENT_GONE,
                1000 * (time.perf_counter() - start),
                f" job {scope['perfusynth.job']}" if "perfusynth.job" in scope else "",
            )


#: Asked several times a second by clients that wait; logged only when something is wrong.
_POLLED = frozenset({"/health", "/jobs/{job_id}", "/train/"})
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"})


def _where(error: BaseException) -> str:
    cause = error.__cause__ or error.__context__
    return f"{type(error).__name__} at {' < '.join(places_of(error))}" + (f"; after {_where(cause)}" if cause else "")
