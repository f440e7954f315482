"""What an annotator submits: a verdict, the reason, the transform, and the registration that they started from."""

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from perfusynth import __version__
from perfusynth.errors import InputError
from perfusynth.server.problems import Problem
from perfusynth.server.registration.fixed_image import header_of
from perfusynth.volumes.case_registration import CaseRegistration
from perfusynth.volumes.nifti_stored import affine_of, sizes_of

#: Tag of the label under which a transform is submitted; other tags are kept as they come.
REGISTRATION_TAG: Final = "registration-final"
#: Radius about the fixed image's centre at which two transforms are compared, mm: most of a head lies within. [d]
HEAD_RADIUS_MM: Final = 100.0
#: Transforms that lie closer than this anywhere in the head are the same, mm: a tenth of the accuracy that
#: registration is asked for (0.5 mm); a .tfm through a viewer's single precision stays 1000 times below. [d]
SAME_MM: Final = 0.05
#: Least share of the fixed image's field that must lie inside the moving one's: a slab of 2 cm at the edge of a whole
#: head still shares half of itself. Less is a transform of other images, or the wrong direction between frames. [d]
LEAST_SHARE: Final = 0.1
#: Points along each axis of the fixed image that the share is taken of.
_LATTICE: Final = 9


class Submission(BaseModel):
    """The fields that come with the transform; no others.

    Parameters
    ----------
    verdict
        What the annotator says.
    reason
        Why, in their words; needed where it failed.
    from
        The ``revision`` of the case when it was loaded, or its 4x4 matrix.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    verdict: Literal["accept", "corrected", "fail"]
    reason: str = Field(default="", max_length=1000)
    started_from: str | list[list[float]] = Field(alias="from")


def parse_submission(params: dict[str, Any]) -> Submission:
    """The fields of a request.

    Raises
    ------
    InputError
        Code ``bad_verdict``.
    """
    expected = 'verdict "accept", "corrected" or "fail"; reason, at most 1000 characters; from, the revision'
    try:
        said = Submission.model_validate(params)
    except ValidationError as error:
        faults = sorted({str(fault["loc"][0])[:32] if fault["loc"] else "params" for fault in error.errors()})
        raise _refused(
            "The verdict cannot be used.",
            expected,
            f"a fault in {', '.join(faults)}",
            "Send the revision that the case was loaded with as from.",
            "bad_verdict",
        ) from None
    if said.verdict == "fail" and not said.reason.strip():
        raise _refused(
            "A failed registration needs a reason.", expected, "none", "Say what is wrong with the case.", "bad_verdict"
        )
    return said


def revision_of(registration: CaseRegistration) -> str:
    """A short text that changes whenever the registration does: transform, verdict, author or time."""
    content = {"fixed_to_moving": registration.fixed_to_moving.tolist(), **registration.as_dict()}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def starts_from(said: Submission, present: CaseRegistration) -> bool:
    """Whether the annotator had the present registration before them."""
    if isinstance(said.started_from, str):
        return said.started_from == revision_of(present)
    matrix = np.array(said.started_from) if len({len(row) for row in said.started_from}) == 1 else np.empty(0)
    return matrix.shape == (4, 4) and bool(np.abs(matrix - present.fixed_to_moving).max() < 1e-6)


def changed_since(present: CaseRegistration) -> Problem:
    """The refusal of one who began with another registration (409)."""
    said = f"{present.verdict} by {present.author}" if present.verdict else "registered anew"
    return Problem(
        409,
        "The case has changed since you loaded it.",
        expected="from: the revision of the present registration",
        got=f"another; the case is {said} since {present.time or 'a time that nobody wrote down'}",
        hint="Nothing was stored. Load the case again, compare it with yours, and submit yours with the new revision "
        "if it is the better one.",
        code="registration_changed",
    )


def is_repeated(said: Submission, matrix: np.ndarray, user: str, present: CaseRegistration, centre: np.ndarray) -> bool:
    """Whether this very submission is the present registration: its answer was lost, and it was sent again."""
    same_words = (present.verdict, present.reason, present.author) == (said.verdict, said.reason.strip(), user)
    return same_words and apart_mm(matrix, present.fixed_to_moving, centre) < SAME_MM


def made_of(
    said: Submission, matrix: np.ndarray, user: str, present: CaseRegistration, centre: np.ndarray
) -> CaseRegistration:
    """The registration that takes the place of the present one.

    Parameters
    ----------
    matrix
        What was sent, fixed to moving, RAS mm.
    user
        Whose token it was.
    centre
        Of the fixed image, RAS mm.

    Raises
    ------
    InputError
        Code ``not_unchanged``: an accepted transform that was changed.
    """
    accepted = said.verdict == "accept"
    moved = apart_mm(matrix, present.fixed_to_moving, centre)
    if accepted and moved > SAME_MM:
        raise _refused(
            "An accepted registration is one that was not changed.",
            f"the transform that the case was loaded with, within {SAME_MM:g} mm",
            f"one that is up to {moved:.2f} mm away",
            "Send the verdict corrected.",
            "not_unchanged",
        )
    turn = present.fixed_to_moving[:3, :3].T @ matrix[:3, :3]
    point = np.append(centre, 1.0)
    change = {
        "correction_mm": float(np.linalg.norm((matrix - present.fixed_to_moving) @ point)),
        "correction_deg": float(np.degrees(np.arccos(np.clip((np.trace(turn) - 1) / 2, -1, 1)))),
    }
    return CaseRegistration(
        fixed_to_moving=present.fixed_to_moving if accepted else matrix,
        method="annotator",
        probability_over_2mm=present.probability_over_2mm if accepted else None,
        verdict=said.verdict,
        reason=said.reason.strip(),
        author=user,
        time=datetime.now(UTC).isoformat(timespec="milliseconds"),
        software=f"perfusynth {__version__}",
        figures=dict(present.figures) if accepted else change,
    )


def apart_mm(one: np.ndarray, other: np.ndarray, centre: np.ndarray) -> float:
    """Largest distance between where two transforms put a point within `HEAD_RADIUS_MM` of ``centre``, mm.

    Taken at the six ends of the sphere's axes: for the small differences that are asked about within a third of the
    largest on the sphere.
    """
    ends = np.vstack([np.eye(3), -np.eye(3)]) * HEAD_RADIUS_MM + centre
    difference = (one - other) @ np.column_stack([ends, np.ones(6)]).T
    return float(np.linalg.norm(difference[:3], axis=0).max())


def check_plausible(matrix: np.ndarray, fixed: Path, moving: Path) -> None:
    """Refuse a transform under which the images hardly meet (headers are read, no voxels).

    Raises
    ------
    InputError
        Code ``implausible_transform``.
    """
    (shape, affine), (moving_shape, moving_affine) = (_grid(path) for path in (fixed, moving))
    axes = [np.linspace(0, n - 1, _LATTICE) for n in shape]
    points = np.stack([*(axis.ravel() for axis in np.meshgrid(*axes)), np.ones(_LATTICE**3)])
    voxels = (np.linalg.inv(moving_affine) @ matrix @ affine @ points)[:3]
    inside = ((voxels >= -0.5) & (voxels <= np.array(moving_shape)[:, None] - 0.5)).all(axis=0)
    if inside.mean() < LEAST_SHARE:
        raise _refused(
            "Under this transform the two images hardly meet.",
            f"a transform from fixed to moving (LPS) that lays {LEAST_SHARE:.0%} of the fixed image inside the NCCT",
            f"{inside.mean():.0%}",
            "If it is the inverse, invert it; if the images are of two patients, send the verdict fail.",
            "implausible_transform",
        )


def centre_of(fixed: Path) -> np.ndarray:
    """Centre of an image's grid, RAS mm (3,)."""
    shape, affine = _grid(fixed)
    centre: np.ndarray = (affine @ np.append((np.array(shape) - 1) / 2, 1.0))[:3]
    return centre


def _grid(path: Path) -> tuple[tuple[int, ...], np.ndarray]:
    header = header_of(path)
    return tuple(sizes_of(header)[:3]), affine_of(header)


def _refused(error: str, expected: str, got: str, hint: str, code: str) -> InputError:
    return InputError(error, expected=expected, got=got, hint=hint, code=code)
