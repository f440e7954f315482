"""Every refusal has one form: JSON with code, error, expected, got, hint."""

from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from perfusynth.errors import InputError
from perfusynth.server.problems import Problem


def add_handlers(app: FastAPI) -> None:
    """Answer exceptions that carry a meaning; the rest is `incidents`' business."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(InputError, _input_error)
    app.add_exception_handler(HTTPException, _http_exception)
    app.add_exception_handler(RequestValidationError, _validation)


async def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return error.response()


async def _input_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, InputError)
    return JSONResponse(error.as_dict(), 422)


async def _http_exception(request: Request, error: Exception) -> Response:
    # Its detail may quote the request or a path of the server (MONAI Label's do).
    assert isinstance(error, HTTPException)
    phrase = HTTPStatus(error.status_code).phrase
    return Problem(
        error.status_code,
        f"{phrase}.",
        expected="a request that this address takes",
        got="another",
        hint="Check the request, ids first.",
        code=phrase.lower().replace(" ", "_"),
        headers=dict(error.headers or {}),
    ).response()


async def _validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    fields = sorted({".".join(str(part) for part in item["loc"])[:64] for item in error.errors()})
    return Problem(
        422,
        "The request is incomplete or malformed.",
        expected="the parameters of /openapi.json",
        got=f"a fault in {', '.join(fields)}",
        hint="Check the client's version.",
        code="bad_request",
    ).response()
