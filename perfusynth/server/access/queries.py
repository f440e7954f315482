"""Ids in a query: well formed, once each; everything else about them is looked up, never made into a path."""

import re
from typing import Final
from urllib.parse import parse_qsl

from perfusynth.server.problems import Problem

#: An image's id: what a file may be called to be served.
IMAGE_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
#: A label's tag, which names a folder.
TAG: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
#: A session's id.
SESSION_ID: Final = re.compile(r"[0-9a-f]{32}")

_FORMS: Final = {
    "image": IMAGE_ID,
    "label": IMAGE_ID,
    "id": IMAGE_ID,
    "tag": TAG,
    "session_id": SESSION_ID,
    "output": re.compile(r"[a-z_]{1,16}"),
    "check_sum": re.compile(r"((SHA256|SHA512|MD5):)?[0-9a-f]{32,128}"),
    "client_id": re.compile(r"[A-Za-z0-9._@ -]{0,64}"),
    "expiry": re.compile(r"[0-9]{1,6}"),
    "lines": re.compile(r"[0-9]{1,6}"),
    "uncompress": re.compile(r"true|false|True|False|0|1"),
    "update_ts": re.compile(r"true|false|True|False|0|1"),
    "html": re.compile(r"true|false"),
    "text": re.compile(r"true|false"),
    "check_if_running": re.compile(r"true|false"),
    "all": re.compile(r"true|false"),
    "refresh": re.compile(r"[0-9]{1,4}"),
}


#: Parameters that a route looks up as they are, whatever their form. MONAI Label's clients name a volume by its name in
#: their viewer ("3: Head 5.0") beside a session, which then counts; without one there is no image of such a name.
_FREE: Final = {("POST", "/infer/{task}"): frozenset({"image"})}


def check_query(query: bytes, max_bytes: int, method: str = "", template: str = "") -> None:
    """Check a raw query string.

    Parameters
    ----------
    query, max_bytes
        The query, and how long it may be.
    method, template
        The route; some look up a parameter that need not be an id.

    Raises
    ------
    Problem
        400: too long, unknown name, a name twice, or a malformed value.
    """
    if len(query) > max_bytes:
        raise _bad("a query", f"at most {max_bytes} bytes", f"{len(query)} bytes")
    free = _FREE.get((method, template), frozenset())
    seen: set[str] = set()
    for name, value in parse_qsl(query.decode("latin-1"), keep_blank_values=True):
        form = _FORMS.get(name)
        if form is None:
            raise _bad("a parameter of the query", f"one of {', '.join(sorted(_FORMS))}", "another name")
        if name in seen:
            raise _bad(name, "one value", "several")
        seen.add(name)
        if value and name not in free and not form.fullmatch(value):
            raise _bad(name, f"a value of the form {form.pattern}", "another value")


def require_tag(tag: str) -> str:
    """A tag that arrived in a form.

    Raises
    ------
    Problem
        400.
    """
    if not TAG.fullmatch(tag):
        raise _bad("tag", f"a value of the form {TAG.pattern}", "another value")
    return tag


def _bad(what: str, expected: str, got: str) -> Problem:
    return Problem(
        400,
        f"Not acceptable: {what}.",
        expected=expected,
        got=got,
        hint="Send ids as GET /datastore/ lists them.",
        code="bad_query",
    )
