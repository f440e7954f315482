"""``case.json``: everything that was drawn for a case, where its files lie, and their volumes."""

from pathlib import Path
from typing import Any

import numpy as np

from perfusynth.errors import InputError
from perfusynth.phantom.case.settings import Settings
from perfusynth.phantom.grid import Grid
from perfusynth.volumes.case_file import CASE_FILE, read_case_file

#: Thresholds of the volumes, s.
TMAX_THRESHOLDS_S = (4, 6, 8, 10)
#: Digits after the point of volumes, mL.
VOLUME_DIGITS = 3


def ml(mask: np.ndarray, grid: Grid) -> float:
    """Volume of a mask, mL."""
    return round(float(np.count_nonzero(mask)) * grid.voxel_ml, VOLUME_DIGITS)


def tmax_volumes_ml(tmax: np.ndarray, grid: Grid) -> dict[str, float]:
    """``tmax_over_<n>_s`` -> mL."""
    return {f"tmax_over_{n}_s": ml(tmax > n, grid) for n in TMAX_THRESHOLDS_S}


def content_of(settings: Settings, found: dict[str, Any]) -> dict[str, Any]:
    """The whole of ``case.json``.

    Parameters
    ----------
    found
        What only the making tells: grids, transforms, times, volumes, hashes.
    """
    made_with = settings.as_dict()
    return {
        "kind": "phantom",
        **{name: made_with[name] for name in ("phantom_version", "parameter_hash", "seed", "scanner", "protocol")},
        "settings": made_with,
        "patient": settings.patient().as_dict(),
        **found,
    }


def is_complete(folder: Path, settings: Settings) -> bool:
    """Whether a folder holds exactly this case.

    Raises
    ------
    InputError
        Code ``other_case``: it holds another one, or what no version of the phantom wrote.
    """
    path = folder / CASE_FILE
    if not path.exists():
        return False
    try:
        there = read_case_file(folder)
        made_with = there.get("settings", {})
    except (OSError, ValueError, AttributeError):
        made_with = {}
    wanted = settings.as_dict()
    if made_with == wanted:
        return True
    differs = [name for name in wanted if made_with.get(name) != wanted[name]]
    raise InputError(
        f"{folder} holds another case.",
        expected="no case there, or one made with the same settings",
        got=f"other {', '.join(name.replace('_', ' ') for name in differs)}",
        hint="Choose another folder with --out, or delete that case.",
        code="other_case",
    )
