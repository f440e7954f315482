"""Why a request cannot be met: an HTTP status with the same fields as an `InputError`."""

from typing import Any

from starlette.responses import JSONResponse


class Problem(Exception):
    """A request that cannot be met; raised anywhere in the server, answered as JSON.

    Parameters
    ----------
    status
        HTTP status.
    error, expected, got, hint, code
        As in `perfusynth.errors.InputError`; nothing of the request's own text beyond ids goes in.
    headers
        Further response headers.
    """

    def __init__(
        self,
        status: int,
        error: str,
        *,
        expected: str,
        got: str,
        hint: str,
        code: str,
        headers: dict[str, str] | None = None,
    ):
        super().__init__(error)
        self.status = status
        self.fields = {"code": code, "error": error, "expected": expected, "got": got, "hint": hint}
        self.headers = headers or {}

    def response(self) -> JSONResponse:
        """The answer."""
        return JSONResponse(self.fields, self.status, headers=self.headers)


def shown(text: Any) -> str:
    """A value of the request as it may be repeated in an answer: short, on one line."""
    value = str(text)
    return repr(value if len(value) <= 64 else value[:61] + "...")
