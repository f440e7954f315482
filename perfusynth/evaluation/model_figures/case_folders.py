"""Case folders as cases of an evaluation, on the NCCT's own grid."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from perfusynth.errors import InputError
from perfusynth.evaluation.model_figures.case import EvaluationCase
from perfusynth.volumes.brain import BrainMask
from perfusynth.volumes.builtin_brain import BuiltinBrain
from perfusynth.volumes.case_file import CASE_FILE, read_case_file
from perfusynth.volumes.case_registration import ERROR_PROBABILITY_MAX, left_out, read_registration
from perfusynth.volumes.laid_over import laid_over
from perfusynth.volumes.midplane import find_midplane
from perfusynth.volumes.nifti import read_nifti
from perfusynth.volumes.volume import Volume

#: A voxel of the NCCT is measured where at least this share of the map's voxels around it is.
VALID_SHARE = 0.5
#: Digits of a registration's mark in rows.
MARK_DIGITS = 12
#: A mimic with a deficit of its own, which counts as a site (`information_ceiling.bank.site_of`).
CHRONIC = "chronic ICA"


def case_folders(data: Path) -> list[Path]:
    """Folders under ``data`` that hold an NCCT and measured maps, by name; what begins with a dot belongs to programs.

    Raises
    ------
    InputError
        Code ``no_cases``.
    """
    needed = ("ncct.nii.gz", "tmax.nii.gz", "cbf.nii.gz", CASE_FILE)
    visible = (folder for folder in data.iterdir() if not folder.name.startswith("."))
    found = sorted(folder for folder in visible if all((folder / name).is_file() for name in needed))
    if not found:
        raise InputError(
            "There is no case to evaluate.",
            expected=f"folders with {', '.join(needed)}",
            got=f"{data.name} without any",
            hint="Write cases with perfusynth phantom, or import studies first.",
            code="no_cases",
        )
    return found


def relied_on(folders: Sequence[Path], limit: float = ERROR_PROBABILITY_MAX) -> tuple[list[Path], dict[str, str]]:
    """Cases whose registration may be relied on, and why the others are left out, by name.

    Parameters
    ----------
    limit
        An automatic registration that no annotator has looked at is taken up to this probability of an error over 2 mm.

    Raises
    ------
    InputError
        Code ``no_cases``: all are left out.
    """
    reasons: dict[str, str] = {}
    for folder in folders:
        try:
            reason = left_out(read_registration(folder), limit)
        except InputError as error:
            reason = f"{error.code}: {error.error}"
        if reason is not None:
            reasons[folder.name] = reason
    if len(reasons) == len(folders):
        raise InputError(
            "No case can be evaluated: no registration may be relied on.",
            expected="an annotator's word, or an automatic registration that is sure enough",
            got="; ".join(f"{name}: {reason}" for name, reason in list(reasons.items())[:3]),
            hint="Look at the cases in 3D Slicer (docs/slicer_registration.md).",
            code="no_cases",
        )
    return [folder for folder in folders if folder.name not in reasons], reasons


def registration_mark(folder: Path) -> str:
    """Changes with the matrix that brings the maps to the NCCT."""
    matrix = read_registration(folder).fixed_to_moving
    return hashlib.sha256(matrix.astype("<f8").tobytes()).hexdigest()[:MARK_DIGITS]


def case_of_folder(folder: Path) -> EvaluationCase:
    """Read a case; its maps are brought to the NCCT's grid by ``fixed_to_moving`` (x_moving = M x_fixed, RAS mm).

    Only brain that the study covers (``valid``, where there is one) is compared.

    Raises
    ------
    InputError
        As of `read_registration`; ``bad_mask``.
    """
    content = read_case_file(folder)
    ncct = read_nifti(folder / "ncct.nii.gz")
    brain = _brain(folder, ncct)
    to_moving = read_registration(folder).fixed_to_moving
    maps = {name: read_nifti(folder / f"{name}.nii.gz") for name in ("tmax", "cbf")}
    covered = _covered(folder, maps["tmax"])
    share = laid_over(ncct, covered, to_moving)
    valid = share >= VALID_SHARE
    truth = {}
    for name, volume in maps.items():
        weighted = laid_over(ncct, volume.with_array(volume.array * covered.array), to_moving)
        truth[name] = np.where(valid & brain.mask, weighted / np.maximum(share, VALID_SHARE), 0).astype(np.float32)
    return EvaluationCase(
        name=folder.name,
        inputs={"ncct": ncct.array},
        brain=brain.mask,
        truth=truth,
        valid=valid,
        affine=ncct.affine,
        midplane=find_midplane(ncct, brain),
        grid="native",
        about=facts_of_content(content) | {"registration": registration_mark(folder)},
    )


def facts_of_content(content: dict[str, Any]) -> dict[str, Any]:
    """What a case's ``case.json`` tells of the patient: of a phantom what was drawn, of others what they have."""
    is_phantom = content.get("kind") == "phantom"
    stroke = content["patient"]["stroke"] if is_phantom else {}
    sign = content.get("sign") or {}
    return {
        "seed": content.get("seed"),
        "site": CHRONIC if stroke.get("mimic") == CHRONIC else stroke.get("site", content.get("site")),
        "side": stroke.get("side", content.get("side")),
        "onset_h": stroke.get("onset_to_imaging_h", content.get("onset_to_imaging_h")),
        "mimic": stroke.get("mimic"),
        "sign_clot": sign.get("clot"),
        "sign_core": sign.get("core"),
        **{name: content[name]["name"] if is_phantom else content.get(name) for name in ("scanner", "protocol")},
    }


def _brain(folder: Path, ncct: Volume) -> BrainMask:
    path = folder / "brain.nii.gz"
    if not path.is_file():
        return BuiltinBrain().extract(ncct)
    brain = read_nifti(path)
    if brain.shape != ncct.shape or not np.allclose(brain.affine, ncct.affine, atol=1e-3):
        raise InputError(
            "The brain mask does not fit the image.",
            expected=f"the grid of the NCCT, {ncct.shape}",
            got=f"{brain.shape}",
            hint="Make the mask on the NCCT itself.",
            code="bad_mask",
        )
    return BrainMask(brain.array > 0.5, "brain.nii.gz")


def _covered(folder: Path, tmax: Volume) -> Volume:
    """1 where the maps exist, on their grid."""
    path = folder / "valid.nii.gz"
    return read_nifti(path) if path.is_file() else tmax.with_array(np.ones(tmax.shape, dtype=np.float32))
