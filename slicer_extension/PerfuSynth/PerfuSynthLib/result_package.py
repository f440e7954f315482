"""What a synthesis gives back, out of the server's zip: maps, brain mask, measurements."""

from __future__ import annotations

import io
import json
import re
import tempfile
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .grid_volume import GridVolume
from .nifti_file import read_nifti
from .problems import Problem

#: Most bytes that a result may unpack to: two maps of 512x512x400 in float32 are 0.8 GiB. [d]
MAX_UNPACKED_BYTES = 4 * 1024**3
#: Maps that every result of ``ncct_perfusion`` has.
TMAX, CBF = "tmax", "cbf"
_MEASUREMENTS, _BRAIN, _NCCT = "measurements.json", "brain", "ncct"
_VOLUME = re.compile(r"([a-z0-9_]{1,64})\.nii\.gz")
#: Two grids are one where no corner is farther apart, mm (DESIGN.md, Contracts).
GRID_TOLERANCE_MM = 1e-3


class SynthesisResult(NamedTuple):
    """What the server made of an NCCT.

    Attributes
    ----------
    maps
        By name: ``tmax`` in s, ``cbf`` in mL/100 g/min, perhaps ``hypoperfusion_probability``; 0 outside the brain.
    brain
        uint8, 1 in the brain; on the maps' grid, as are all maps.
    ncct
        The NCCT on the maps' grid, HU, where the server had to resample it; otherwise the maps lie on the input's.
    measurements
        The server's ``measurements.json``.
    """

    maps: dict[str, GridVolume]
    brain: GridVolume
    ncct: GridVolume | None
    measurements: dict[str, Any]


def read_result(package: bytes | str | Path) -> SynthesisResult:
    """Read a result's zip, from its bytes or from a file.

    Raises
    ------
    Problem
        Code ``bad_result``: it is damaged, incomplete, too large, or its volumes do not lie on one grid.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(package) if isinstance(package, bytes) else str(package)) as archive:
            _check_size(archive)
            measurements = json.loads(archive.read(_MEASUREMENTS).decode("utf-8"))
            volumes = _volumes(archive)
    except (zipfile.BadZipFile, KeyError, ValueError, OSError, EOFError, NotImplementedError, RuntimeError) as error:
        raise _bad(f"{type(error).__name__}: {error}") from None
    except Problem as problem:
        raise (problem if problem.code == "bad_result" else _bad(f"{problem.what} {problem.detail}")) from None
    if not isinstance(measurements, dict):
        raise _bad("measurements.json is no object")
    missing = [name for name in (TMAX, CBF, _BRAIN) if name not in volumes]
    if missing:
        raise _bad(f"without {', '.join(missing)}")
    brain = volumes.pop(_BRAIN)
    ncct = volumes.pop(_NCCT, None)
    for name, volume in {**volumes, _NCCT: ncct or brain}.items():
        if not same_grid(volume, brain):
            raise _bad(f"{name} lies on another grid than the brain")
    if not np.isin(brain.array, (0, 1)).all():
        raise _bad("the brain mask holds other values than 0 and 1")
    brain = GridVolume(brain.array.astype(np.uint8), brain.affine)
    return SynthesisResult(volumes, brain, ncct, measurements)


def same_grid(first: GridVolume, second: GridVolume) -> bool:
    """Whether two volumes have their corners at the same places."""
    if first.array.shape != second.array.shape:
        return False
    corners = np.array([[x, y, z, 1] for x in (0, 1) for y in (0, 1) for z in (0, 1)], float)
    corners[:, :3] *= first.array.shape
    apart = (np.asarray(first.affine, float) - np.asarray(second.affine, float)) @ corners.T
    return bool(np.linalg.norm(apart[:3], axis=0).max() <= GRID_TOLERANCE_MM)


def _check_size(archive: zipfile.ZipFile) -> None:
    size = sum(info.file_size for info in archive.infolist())
    if size > MAX_UNPACKED_BYTES:
        raise _bad(f"{size} bytes, more than {MAX_UNPACKED_BYTES}")


def _volumes(archive: zipfile.ZipFile) -> dict[str, GridVolume]:
    """All volumes by name; ITK reads from files only, so they lie on disk for a moment, for this user alone."""
    volumes = {}
    with tempfile.TemporaryDirectory(prefix="perfusynth-") as folder:
        path = Path(folder) / "volume.nii.gz"
        for info in archive.infolist():
            named = _VOLUME.fullmatch(info.filename)
            if named:
                path.write_bytes(archive.read(info))
                volumes[named.group(1)] = read_nifti(path)
                path.unlink()
    return volumes


def _bad(detail: str) -> Problem:
    return Problem(
        "bad_result",
        "The result that came from the server is damaged.",
        "Synthesize again; if it stays so, tell the server's administrator.",
        detail,
    )
