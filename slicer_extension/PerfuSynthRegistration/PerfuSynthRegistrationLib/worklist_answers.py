"""What a server says about cases and their registrations, out of its JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from PerfuSynthLib.problems import Problem
from PerfuSynthLib.server_answers import not_understood

from .rigid import rigid_of

#: States of a case in the worklist: to be looked at, with an annotator's verdict.
TO_CHECK, DONE = "to_check", "done"


class Version(NamedTuple):
    """One registration of a case.

    Attributes
    ----------
    fixed_to_moving
        4x4, RAS mm: x_moving = M x_fixed; fixed is the perfusion study, moving the plain CT.
    method
        ``known``, ``automatic``, ``annotator``.
    probability_over_2mm
        That the target registration error exceeds 2 mm; None where nobody has estimated it.
    verdict, reason
        An annotator's; empty before one has looked.
    author, time
        Who and when (ISO 8601, UTC); empty where unknown.
    """

    fixed_to_moving: np.ndarray
    method: str = ""
    probability_over_2mm: float | None = None
    verdict: str = ""
    reason: str = ""
    author: str = ""
    time: str = ""


class Case(NamedTuple):
    """A case to look at.

    Attributes
    ----------
    name
        Of the case folder.
    fixed_image, moving_image
        Ids of the images on the server.
    fixed_kind
        ``ctp_mean``, ``ctp`` or ``tmax``: what the fixed image is.
    present
        Its registration.
    earlier
        What the present one has taken the place of, oldest first.
    revision
        Tells this state of the case from any other: sent back with a submission.
    lease_s
        For how long nobody else is given it, s; 0 where it was only looked at.
    """

    name: str
    fixed_image: str
    moving_image: str
    fixed_kind: str
    present: Version
    earlier: tuple[Version, ...]
    revision: str
    lease_s: float


class Nothing(NamedTuple):
    """No case is left for this annotator; others work on ``with_others``."""

    with_others: int


class Row(NamedTuple):
    """A case of the worklist.

    Attributes
    ----------
    case
        Its name.
    state
        `TO_CHECK`, `DONE`, ``known``, ``unusable``.
    probability_over_2mm, verdict, author
        As in `Version`.
    problem
        Why it cannot be used.
    with_whom
        Who has it just now: empty, ``you``, or a user's name.
    """

    case: str
    state: str
    probability_over_2mm: float | None
    verdict: str
    author: str
    problem: str
    with_whom: str


def case_of(found: Mapping[str, Any]) -> Case:
    """A case out of the server's JSON.

    Raises
    ------
    Problem
        Code ``not_perfusynth``: it is no case.
    """
    images = found.get("images")
    images = images if isinstance(images, dict) else {}
    name, revision = _text(found, "case"), _text(found, "revision")
    fixed, moving = _text(images, "fixed"), _text(images, "moving")
    if not (name and revision and fixed and moving):
        raise not_understood("a case without name, revision or images")
    lease = found.get("lease")
    is_mine = isinstance(lease, dict) and lease.get("mine") is True
    return Case(
        name,
        fixed,
        moving,
        _text(found, "fixed_kind"),
        version_of(found.get("registration")),
        tuple(version_of(version) for version in _objects(found.get("history"))),
        revision,
        (_number(lease.get("seconds_left")) or 0.0) if is_mine else 0.0,
    )


def offer_of(found: Mapping[str, Any]) -> Case | Nothing:
    """The next case, or that there is none. Errors as `case_of`."""
    if found.get("case", "") is None:
        return Nothing(int(_number(found.get("with_others")) or 0))
    return case_of(found)


def version_of(found: Any) -> Version:
    """A registration out of the server's JSON. Errors as `case_of`."""
    found = found if isinstance(found, dict) else {}
    try:
        matrix = rigid_of(found.get("fixed_to_moving"))
    except (TypeError, ValueError, Problem):
        raise not_understood("a case without a rigid transform") from None
    return Version(
        matrix,
        _text(found, "method"),
        _number(found.get("probability_over_2mm")),
        *(_text(found, name) for name in ("verdict", "reason", "author", "time")),
    )


def rows_of(found: Mapping[str, Any]) -> list[Row]:
    """The worklist out of the server's JSON, in the server's order: worst first."""
    return [
        Row(
            _text(row, "case"),
            _text(row, "state"),
            _number(row.get("probability_over_2mm")),
            _text(row, "verdict"),
            _text(row, "author"),
            _text(row, "problem"),
            _holder(row.get("lease")),
        )
        for row in _objects(found.get("cases"))
    ]


def minute_of(time: str) -> str:
    """A time (ISO 8601) as a person reads it: date, hour and minute."""
    return time.replace("T", " ")[:16]


def _holder(lease: Any) -> str:
    if not isinstance(lease, dict):
        return ""
    return "you" if lease.get("mine") is True else _text(lease, "user")


def _objects(found: Any) -> list[Mapping[str, Any]]:
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def _text(found: Mapping[str, Any], name: str) -> str:
    value = found.get(name)
    return value if isinstance(value, str) else ""


def _number(value: Any) -> float | None:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and np.isfinite(value)
    return float(value) if is_number else None
