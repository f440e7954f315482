"""The published layout of ISLES'24 (doi:10.5281/zenodo.16748089): acute CT in its own space, and laid over the NCCT.

``raw_data/<subject>/<session>/`` holds NCCT, CTA and CTP as they were acquired and ``perfusion-maps/`` of another
program in the CTP's space; ``derivatives/`` holds the same resampled to the NCCT (``space-ncct``). Earlier releases say
``rawdata``, ``sub-strokecase0001`` and ``ses-0001`` instead of ``raw_data``, ``sub-stroke0001`` and ``ses-01``. The
second session (MRI days later, and the final infarct drawn on it) is no acute image and is not read.
"""

import re
from pathlib import Path

from perfusynth.errors import InputError
from perfusynth.progress import OnProgress
from perfusynth.readers.perfusion_series import read_perfusion
from perfusynth.readers.read import read_scan
from perfusynth.studies.given_maps import MAPS, as_map
from perfusynth.studies.settings import PrepareSettings
from perfusynth.studies.subjects import Excluded, Study, StudyImages, Subject, signature_of
from perfusynth.volumes.nifti import read_nifti

RAW_FOLDERS = ("raw_data", "rawdata")
#: The acute session.
ACUTE = re.compile(r"ses-0*1")


def isles_root(source: Path) -> Path | None:
    """The folder that holds ``raw_data``: the source, or ``train`` in it; None where there is none."""
    for root in (source, source / "train"):
        if any(path.is_dir() for name in RAW_FOLDERS for path in (root / name).glob("sub-*")):
            return root
    return None


def isles_subjects(source: Path, settings: PrepareSettings) -> list[Subject]:
    """The patients, by name."""
    root = isles_root(source)
    assert root is not None
    folders = sorted(path for name in RAW_FOLDERS for path in (root / name).glob("sub-*") if path.is_dir())
    return [_subject(root, folder, settings) for folder in folders]


def _subject(root: Path, folder: Path, settings: PrepareSettings) -> Subject:
    raw = _files(folder)
    laid_over = _files(root / "derivatives" / folder.name)
    every = [*raw.values(), *laid_over.values()]

    def studies(on_progress: OnProgress) -> tuple[list[Study], list[Excluded]]:
        if "ncct" not in raw:
            return [], [Excluded("no_ncct", "There is no NCCT of the acute session.")]
        if "ctp" not in raw and "tmax" not in raw:
            return [], [Excluded("no_perfusion", "There is neither a CTP nor a Tmax map of the acute session.")]
        return [Study("acute", lambda progress: _read(raw, laid_over, settings, progress))], []

    return Subject(f"isles24\0{folder.name}", signature_of(every), studies)


def _files(folder: Path) -> dict[str, Path]:
    """Images of the acute session by name: ``sub-stroke0001_ses-01_space-ncct_tmax.nii.gz`` is ``tmax``."""
    found: dict[str, Path] = {}
    sessions = [path for path in sorted(folder.glob("ses-*")) if ACUTE.fullmatch(path.name)]
    for session in sessions[:1]:
        for path in sorted(session.rglob("*.nii*")):
            found.setdefault(path.name.partition(".")[0].rpartition("_")[2], path)
    return found


def _read(
    raw: dict[str, Path], laid_over: dict[str, Path], settings: PrepareSettings, on_progress: OnProgress
) -> StudyImages:
    scan = read_scan(raw["ncct"])
    given = {name: as_map(read_nifti(raw[name]), name) for name in MAPS if name in raw}
    notes = list(scan.notes)
    perfusion = None
    if "ctp" in raw and (settings.keep_ctp or settings.preferred == "ctp" or "tmax" not in given):
        try:
            read = read_perfusion(raw["ctp"], interval_s=settings.interval_s, on_progress=on_progress)
        except InputError as error:
            if "tmax" not in given:
                raise
            notes.append(f"The CTP could not be read ({error.code}): the maps that came with it were taken.")
        else:
            perfusion = read.series
            notes += read.notes
    others = {"cta": read_scan(laid_over["cta"]).volume} if "cta" in laid_over else {}
    return StudyImages(scan.volume, scan.acquisition, perfusion, given, others, notes=tuple(notes))
