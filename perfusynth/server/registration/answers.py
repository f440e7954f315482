"""Cases and registrations as clients are told of them, in JSON."""

from typing import Any

from perfusynth.server.registration.submission import revision_of
from perfusynth.server.registration.worklist import Entry
from perfusynth.volumes.case_registration import CaseRegistration, numbered_registrations, read_registration


def described_case(entry: Entry, fixed_kind: str) -> dict[str, Any]:
    """All that is known of a case, read anew (blocking).

    Raises
    ------
    InputError
        It has no registration.
    """
    present = read_registration(entry.folder)
    return {
        "case": entry.case,
        "state": entry.state,
        "images": {"fixed": f"{entry.case}__fixed", "moving": f"{entry.case}__ncct"},
        "fixed_kind": fixed_kind,
        "revision": revision_of(present),
        "registration": described_version(present),
        "history": [described_version(one, n) for n, one in numbered_registrations(entry.folder).items()],
    }


def described_row(entry: Entry) -> dict[str, Any]:
    """A row of the worklist."""
    said = entry.registration
    return {
        "case": entry.case,
        "state": entry.state,
        "probability_over_2mm": entry.probability,
        **{name: getattr(said, name, None) for name in ("method", "verdict", "reason", "author", "time")},
        "problem": entry.problem,
    }


def described_version(registration: CaseRegistration, number: int | None = None) -> dict[str, Any]:
    """A registration; ``number`` among the earlier ones, 1 the oldest, None for the present one."""
    matrix = registration.fixed_to_moving.tolist()
    return {"number": number, "fixed_to_moving": matrix, **registration.as_dict()}
