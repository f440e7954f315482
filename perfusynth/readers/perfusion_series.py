"""`read_perfusion`: one door for CT perfusion studies, 4-D NIfTI, DICOM folders and zipped DICOM."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from perfusynth.errors import InputError
from perfusynth.progress import OnProgress, ignore_progress
from perfusynth.readers.read import content_of
from perfusynth.readers.series_values import GivenTimes, LoadedSeries, times_at_interval, times_listed
from perfusynth.volumes.series import Series

PerfusionKind = Literal["nifti", "dicom"]


@dataclass(frozen=True, eq=False)
class PerfusionScan:
    """A CT perfusion study as it was read.

    Parameters
    ----------
    series
        HU on an even orthogonal grid, RAS+ mm, frames outermost in memory; int16 where all values are whole
        (NIfTI), or all slopes and intercepts (DICOM), else float32.
    kind
        The format it came in.
    notes
        What a reader must be told, one sentence each; nothing in them identifies a patient.
    source_sha256
        `frames_sha256` of the voxels before any resampling.
    resampled
        The grid was sheared or uneven; every frame was resampled once.
    """

    series: Series
    kind: PerfusionKind
    notes: tuple[str, ...]
    source_sha256: str
    resampled: bool


def read_perfusion(
    path: Path,
    *,
    times_s: Sequence[float] | None = None,
    interval_s: float | None = None,
    on_progress: OnProgress = ignore_progress,
) -> PerfusionScan:
    """Read a CT perfusion study: a 4-D NIfTI file, a DICOM folder (with subfolders), or a zip of one.

    Parameters
    ----------
    times_s, interval_s
        When the frames were acquired, one time each, or at which even interval, s; either overrides what the file
        says.

    Raises
    ------
    InputError
        Whatever is wrong with the input, with what was expected and what to do. No message holds a path or a name.
    Cancelled
        From ``on_progress``.
    """
    if times_s is not None and interval_s is not None:
        raise ValueError("expected times_s or interval_s, got both")
    given = None
    if times_s is not None:
        given = times_listed(times_s)
    elif interval_s is not None:
        given = times_at_interval(interval_s)
    on_progress("read", 0.0)
    kind, loaded = _load(Path(path), given, on_progress)
    on_progress("read", 1.0)
    return PerfusionScan(loaded.series, kind, loaded.notes, loaded.source_sha256, loaded.resampled)


def _load(path: Path, given: GivenTimes | None, on_progress: OnProgress) -> tuple[PerfusionKind, LoadedSeries]:
    if path.is_dir():
        return "dicom", _load_folder(path, given, on_progress)
    match content_of(path):
        case "nifti":
            from perfusynth.readers.series_nifti import read_nifti_series

            return "nifti", read_nifti_series(path, given, on_progress)
        case "zip":
            return "dicom", _load_zip(path, given, on_progress)
        case "dicom":
            from perfusynth.readers.dicom import images_of_file
            from perfusynth.readers.dicom_perfusion import load_perfusion

            return "dicom", load_perfusion(images_of_file(path), 0, given, on_progress)
    raise InputError(
        "This file is no CT perfusion study that can be read.",
        expected="4-D NIfTI (.nii, .nii.gz), a DICOM folder or a zip of one",
        got="another kind of file, or a damaged one",
        hint="Export the study again in one of these formats.",
        code="unknown_format",
    )


def _load_folder(folder: Path, given: GivenTimes | None, on_progress: OnProgress) -> LoadedSeries:
    from perfusynth.readers.dicom import images_of_folder
    from perfusynth.readers.dicom_perfusion import load_perfusion

    return load_perfusion(*images_of_folder(folder), given, on_progress)


def _load_zip(path: Path, given: GivenTimes | None, on_progress: OnProgress) -> LoadedSeries:
    from perfusynth.readers.archive import unpacked

    try:
        with unpacked(path) as folder:
            return _load_folder(folder, given, on_progress)
    except InputError as fault:
        if fault.code == "archive_too_large":  # a perfusion study may be larger than a zip of strangers
            fault.hint = "Zip the perfusion series alone, or unpack it and give the folder."
        raise
