"""The options of a request: the few that it may set, typed; anything else is refused by name."""

import json
from typing import Any, Final

from pydantic import ValidationError

from perfusynth.server.known_values import known_values
from perfusynth.server.problems import Problem
from perfusynth.synthesis.options import RequestOptions

#: What MONAI Label's clients send along; it says nothing about the synthesis.
_IGNORED: Final = frozenset({"client_id", "result_extension", "result_dtype", "result_compress"})


def parse_options(value: Any) -> dict[str, Any]:
    """Check the options of a request, as JSON text or as a decoded object.

    Raises
    ------
    Problem
        400: no JSON object, an unknown option, or a wrong value.
    """
    if value is None or value == "":
        value = {}
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise _bad("JSON", "text that is not JSON") from None
    if not isinstance(value, dict):
        raise _bad("a JSON object", type(value).__name__)
    given = known_values(value, RequestOptions, _IGNORED, _bad)
    try:
        return RequestOptions.model_validate(given).model_dump(mode="json")
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        raise _bad(f"{first['msg']} at {'.'.join(str(part) for part in first['loc'])}", "another value") from None


def _bad(expected: str, got: str) -> Problem:
    return Problem(
        400,
        "The options cannot be used.",
        expected=expected,
        got=got,
        hint="Requests set nothing else: model, device and files are the server's own choice.",
        code="bad_options",
    )
