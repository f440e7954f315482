"""`read_scan`: one door for NIfTI, NRRD, DICOM folders and zipped DICOM; the content decides, never the name."""

import gzip
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from perfusynth.errors import InputError
from perfusynth.progress import OnProgress, ignore_progress
from perfusynth.readers.loaded import AIR_HU, Loaded
from perfusynth.volumes.acquisition import Acquisition
from perfusynth.volumes.fingerprint import voxel_sha256
from perfusynth.volumes.geometry import is_orthogonal
from perfusynth.volumes.nifti import check_left_right, form_disagreement, read_nifti
from perfusynth.volumes.regrid import straighten
from perfusynth.volumes.volume import Volume

Kind = Literal["nifti", "nrrd", "dicom"]


@dataclass(frozen=True, eq=False)
class Scan:
    """An NCCT as it was read.

    Parameters
    ----------
    volume
        float32 HU on an even orthogonal grid, RAS+ mm.
    acquisition
        What the header says; empty for NIfTI and NRRD.
    kind
        The format it came in.
    resampled
        The source was tilted, unevenly spaced or sheared (or lacked a slice), and ``volume`` was resampled once; it is
        part of the result then.
    notes
        What a reader must be told, one sentence each; nothing in them identifies a patient.
    source_sha256
        `voxel_sha256` of the voxels before any resampling.
    """

    volume: Volume
    acquisition: Acquisition
    kind: Kind
    resampled: bool
    notes: tuple[str, ...]
    source_sha256: str


def read_scan(path: Path, *, on_progress: OnProgress = ignore_progress) -> Scan:
    """Read a scan: a NIfTI or NRRD file, a DICOM folder (with subfolders), or a zip of one.

    Raises
    ------
    InputError
        Whatever is wrong with the input, with what was expected and what to do. No message holds a path or a name.
    Cancelled
        From ``on_progress``.
    """
    on_progress("read", 0.0)
    scan = scan_of(*_load(Path(path), on_progress))
    on_progress("read", 1.0)
    return scan


def scan_of(kind: Kind, loaded: Loaded) -> Scan:
    """What a format's reader has loaded, hashed."""
    return Scan(loaded.volume, loaded.acquisition, kind, loaded.resampled, loaded.notes, voxel_sha256(loaded.native))


def _load(path: Path, on_progress: OnProgress) -> tuple[Kind, Loaded]:
    if path.is_dir():
        from perfusynth.readers.dicom import read_folder

        return "dicom", read_folder(path, on_progress)
    match content_of(path):
        case "nifti":
            return "nifti", _load_nifti(path)
        case "nrrd":
            from perfusynth.readers.nrrd_file import read_nrrd

            return "nrrd", _even(read_nrrd(path), ())
        case "zip":
            from perfusynth.readers.archive import unpacked
            from perfusynth.readers.dicom import read_folder

            with unpacked(path) as folder:
                return "dicom", read_folder(folder, on_progress)
        case "dicom":
            from perfusynth.readers.dicom import read_single_file

            return "dicom", read_single_file(path, on_progress)
    raise InputError(
        "This file is no scan that can be read.",
        expected="NIfTI (.nii, .nii.gz), NRRD (.nrrd), a DICOM folder or a zip of one",
        got="another kind of file, or a damaged one",
        hint="Export the scan again in one of these formats.",
        code="unknown_format",
    )


def content_of(path: Path) -> Literal["nifti", "nrrd", "zip", "dicom", "unknown"]:
    """What the first bytes say; raises `InputError` for a missing or empty file."""
    if not path.is_file() or path.stat().st_size == 0:
        missing = not path.is_file()
        raise InputError(
            "There is no scan here.",
            expected="a file or a DICOM folder",
            got="nothing at this path" if missing else "an empty file",
            hint="Check the path." if missing else "Export the scan again.",
            code="file_missing" if missing else "empty_file",
        )
    with open(path, "rb") as file:
        start = file.read(600)
    if start[:2] == b"\x1f\x8b":
        try:
            with gzip.open(path, "rb") as stream:
                start = stream.read(600)
        except (OSError, EOFError, zlib.error):
            # Cut off right at its start: read_nifti says what is wrong with it.
            return "nifti"
    if start[344:348] in (b"n+1\0", b"ni1\0") or start[4:8] in (b"n+2\0", b"ni2\0"):
        return "nifti"
    if start[:4] == b"NRRD":
        return "nrrd"
    if start[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        return "zip"
    if start[128:132] == b"DICM":
        return "dicom"
    return "unknown"


def _load_nifti(path: Path) -> Loaded:
    volume = read_nifti(path)
    disagreement = None
    if volume.header is not None:
        check_left_right(volume.header)
        disagreement = form_disagreement(volume.header)
    return _even(volume, (disagreement,) if disagreement else ())


def _even(volume: Volume, notes: tuple[str, ...]) -> Loaded:
    lowest = float(volume.array.min())
    if lowest < AIR_HU:
        volume = volume.with_array(np.maximum(volume.array, np.float32(AIR_HU)))
        notes += (f"Values down to {lowest:.0f} HU (padding) were set to air, {AIR_HU:.0f} HU.",)
    if is_orthogonal(volume.affine):
        return Loaded(volume, volume, Acquisition(), False, notes)
    notes += ("The grid was sheared (a gantry tilt?); it was resampled once to an even orthogonal grid.",)
    return Loaded(straighten(volume), volume, Acquisition(), True, notes)
