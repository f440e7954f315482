"""How NCCT and perfusion study of a case folder lie to each other, who says so, and what was said before.

``case.json`` holds ``fixed_to_moving`` and, except where a phantom knows it, a block ``registration``;
``registration.tfm`` holds the same motion for other programs. Earlier versions stay in ``registration_history/``:
``0001.json`` and ``0001.tfm`` are the oldest. The block has the hash of its ``registration.tfm``: another file, which a
crash left there, never goes into the history as this registration's.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast, get_args

import numpy as np

from perfusynth import atomic
from perfusynth.errors import InputError
from perfusynth.volumes.case_file import CASE_FILE, read_case_file, write_case_file

#: Name of the transform file beside ``case.json``.
TRANSFORM_FILE = "registration.tfm"
#: Folder of earlier versions, in the case folder.
HISTORY_FOLDER = "registration_history"
#: Largest deviation from a rigid motion: of R'R from 1, in each element. [d]
RIGID_TOLERANCE = 1e-3
#: Automatic registrations that are more probably than this off by more than 2 mm are left out of training. [d]
ERROR_PROBABILITY_MAX = 0.2
#: SHA-256 of ``registration.tfm``, in the block.
_HASH = "tfm_sha256"

Method = Literal["known", "automatic", "annotator"]
Verdict = Literal["accept", "corrected", "fail"]


@dataclass(frozen=True, eq=False)
class CaseRegistration:
    """One registration of a case.

    Parameters
    ----------
    fixed_to_moving
        4x4, RAS mm, rigid: x_moving = M x_fixed; moving is the NCCT, fixed the perfusion study and its maps.
    method
        ``known``: a phantom's own truth, or a study whose images share a frame.
    probability_over_2mm
        That the target registration error exceeds 2 mm; None where nobody has estimated it.
    verdict
        An annotator's; None before one has looked.
    reason
        In the annotator's words; why it failed.
    author, time, software
        Who, when (ISO 8601, UTC), and with which version.
    figures
        Figures of quality by name.
    """

    fixed_to_moving: np.ndarray
    method: Method = "known"
    probability_over_2mm: float | None = None
    verdict: Verdict | None = None
    reason: str = ""
    author: str = ""
    time: str = ""
    software: str = ""
    figures: Mapping[str, float] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """The block ``registration`` of ``case.json``."""
        return {name: value for name, value in vars(self).items() if name != "fixed_to_moving"} | {
            "figures": dict(self.figures)
        }


def read_registration(folder: Path) -> CaseRegistration:
    """The present registration of a case folder.

    Raises
    ------
    InputError
        Code ``no_registration``: nobody has told; ``bad_transform``: no rigid motion.
    """
    try:
        return _registration_of(read_case_file(folder))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _refused(
            "It is not known how NCCT and maps lie to each other.",
            f"{CASE_FILE} with fixed_to_moving (4x4, RAS mm)",
            type(error).__name__,
            "no_registration",
        ) from error


def left_out(registration: CaseRegistration, limit: float = ERROR_PROBABILITY_MAX) -> str | None:
    """Why training and evaluation leave the case out; None when they take it.

    An annotator's word goes before any probability; without one, a registration nobody has a probability for is taken
    only where it is known.
    """
    if registration.verdict == "fail":
        return f"registration: fail, says {registration.author or 'an annotator'}: {registration.reason or 'no reason'}"
    if registration.verdict is not None or registration.method != "automatic":
        return None
    if registration.probability_over_2mm is None:
        return "registration: automatic, and how sure it is was not estimated"
    if registration.probability_over_2mm > limit:
        return (
            f"registration: off by more than 2 mm with probability {registration.probability_over_2mm:.2f}, "
            f"more than {limit:g}; no annotator has looked"
        )
    return None


def keep_registration(folder: Path, registration: CaseRegistration, tfm: bytes) -> int:
    """Make a registration the present one; what was there goes into the history.

    Every file changes by rename, ``case.json`` last: a crash in between leaves the old registration in force, and the
    next call does not add it to the history again.

    Parameters
    ----------
    tfm
        ``registration.tfm``, of the same motion.

    Returns
    -------
    How many earlier versions there are now.

    Raises
    ------
    InputError
        Code ``bad_transform``.
    """
    check_rigid(registration.fixed_to_moving)
    content = read_case_file(folder)
    if "fixed_to_moving" in content:
        _add_to_history(folder, content["fixed_to_moving"], content.get("registration"))
    atomic.write_bytes(folder / TRANSFORM_FILE, tfm)
    matrix = np.asarray(registration.fixed_to_moving, dtype=float).tolist()
    block = registration.as_dict() | {_HASH: hashlib.sha256(tfm).hexdigest()}
    write_case_file(folder, content | {"fixed_to_moving": matrix, "registration": block})
    return len(_history(folder))


def earlier_registrations(folder: Path) -> list[CaseRegistration]:
    """What the present registration has taken the place of, oldest first."""
    return list(numbered_registrations(folder).values())


def numbered_registrations(folder: Path) -> dict[int, CaseRegistration]:
    """`earlier_registrations` by their numbers, which are their files' and stay when another's file is removed."""
    return {
        number: _registration_of(json.loads(path.read_text(encoding="utf-8")))
        for number, path in _history(folder).items()
    }


def check_rigid(matrix: np.ndarray) -> np.ndarray:
    """The matrix as float64 4x4.

    Raises
    ------
    InputError
        Code ``bad_transform``: it is not a rotation and a shift.
    """
    matrix = np.asarray(matrix, dtype=float)
    rigid = matrix.shape == (4, 4) and np.isfinite(matrix).all() and np.array_equal(matrix[3], (0, 0, 0, 1))
    if rigid:
        rotation = matrix[:3, :3]
        rigid = np.abs(rotation.T @ rotation - np.eye(3)).max() <= RIGID_TOLERANCE and np.linalg.det(rotation) > 0
    if not rigid:
        raise _refused(
            "fixed_to_moving is no rigid motion.", "4x4, rotation and shift", "another matrix", "bad_transform"
        )
    return matrix


def _add_to_history(folder: Path, matrix: Any, block: Mapping[str, Any] | None) -> None:
    before = json.dumps({"fixed_to_moving": matrix, "registration": block}, indent=2).encode()
    number, newest = next(reversed(_history(folder).items()), (0, None))
    if newest is None or newest.read_bytes() != before:
        # Transforms count, too: one whose .json was removed is not laid beside another version.
        number = max([number, *_history(folder, ".tfm")]) + 1
    stem = folder / HISTORY_FOLDER / f"{number:04}"
    atomic.write_bytes(stem.with_suffix(".json"), before)
    present = folder / TRANSFORM_FILE
    if block is not None and present.exists():
        tfm = present.read_bytes()
        if hashlib.sha256(tfm).hexdigest() == block.get(_HASH):
            atomic.write_bytes(stem.with_suffix(".tfm"), tfm)


def _history(folder: Path, suffix: str = ".json") -> dict[int, Path]:
    """Number -> file, in their order."""
    files = (folder / HISTORY_FOLDER).glob(f"*{suffix}")
    return dict(sorted((int(path.stem), path) for path in files if path.stem.isdecimal()))


def _registration_of(content: Mapping[str, Any]) -> CaseRegistration:
    matrix = check_rigid(np.array(content["fixed_to_moving"], dtype=float))
    block = content.get("registration")
    if block is None:
        return CaseRegistration(matrix)
    if block["method"] not in get_args(Method) or block["verdict"] not in (None, *get_args(Verdict)):
        raise ValueError("unknown method or verdict")
    probability = block.get("probability_over_2mm")
    return CaseRegistration(
        fixed_to_moving=matrix,
        method=cast(Method, block["method"]),
        probability_over_2mm=None if probability is None else float(probability),
        verdict=cast("Verdict | None", block["verdict"]),
        figures={str(name): float(value) for name, value in block.get("figures", {}).items()},
        **{name: str(block.get(name, "")) for name in ("reason", "author", "time", "software")},
    )


def _refused(error: str, expected: str, got: str, code: str) -> InputError:
    return InputError(error, expected=expected, got=got, hint="Mend the case, or take it away.", code=code)
