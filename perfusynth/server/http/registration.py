"""``/registration``: annotators take cases, the worst first, and look at what was said of them before.

They hand in by MONAI Label's own call, ``PUT /datastore/label`` with the tag ``registration-final``.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from perfusynth.server.context import caller_of, context_of
from perfusynth.server.registration.desk import RegistrationDesk

router = APIRouter(prefix="/registration", tags=["registration"])

#: Names of cases that a client may list: more than any worklist that people work through.
_Cases = Annotated[list[Annotated[str, Field(max_length=128)]], Field(max_length=1000)]


class NextCase(BaseModel):
    """What a client has already: ``holding``, open cases; ``skipped``, cases that it passes over."""

    model_config = ConfigDict(extra="forbid")

    holding: _Cases = []
    skipped: _Cases = []


@router.post("/next")
def take_next(request: Request, wish: NextCase | None = None) -> dict[str, Any]:
    """The worst case that nobody has checked or has open, with a lease; ``case`` null where there is none."""
    desk, user = _desk(request), caller_of(request).user
    wish = wish or NextCase()
    entry, left = desk.next(user, wish.holding, wish.skipped)
    return {"case": None, **left} if entry is None else {**desk.describe(entry, user), **left}


@router.get("/worklist")
def worklist(request: Request) -> dict[str, Any]:
    """All cases with a registration: first those to be checked, the worst first."""
    return _desk(request).worklist(caller_of(request).user)


@router.get("/{case}")
def look(case: str, request: Request) -> dict[str, Any]:
    """A case: its images, its registration and the earlier ones."""
    desk = _desk(request)
    return desk.describe(desk.find(case), caller_of(request).user)


@router.post("/{case}/lease")
def take(case: str, request: Request) -> dict[str, Any]:
    """Take a case of one's choice, or renew its lease."""
    desk, user = _desk(request), caller_of(request).user
    return desk.describe(desk.take(case, user), user)


@router.delete("/{case}/lease")
def release(case: str, request: Request) -> dict[str, Any]:
    """Give a case back unfinished."""
    _desk(request).release(case, caller_of(request).user)
    return {}


@router.get("/{case}/transform")
def transform(case: str, request: Request) -> Response:
    """The present registration as ``.tfm``."""
    return _file(_desk(request).transform(case, None), f"{case}.tfm")


@router.get("/{case}/history/{number}")
def earlier(case: str, number: int, request: Request) -> dict[str, Any]:
    """An earlier registration, 1 the oldest."""
    return _desk(request).described_version(case, number)


@router.get("/{case}/history/{number}/transform")
def earlier_transform(case: str, number: int, request: Request) -> Response:
    """An earlier registration as ``.tfm``."""
    return _file(_desk(request).transform(case, number), f"{case}_{number:04}.tfm")


def _desk(request: Request) -> RegistrationDesk:
    desk: RegistrationDesk = context_of(request).monai_label.registrations
    return desk


def _file(content: bytes, name: str) -> Response:
    return Response(content, media_type="text/plain", headers={"Content-Disposition": f'attachment; filename="{name}"'})
