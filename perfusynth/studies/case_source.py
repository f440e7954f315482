"""Existing case folders as studies: what they lack is made, what they say of a registration is kept."""

from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, get_args

from perfusynth.errors import InputError
from perfusynth.generators.seen_patients import SESSION
from perfusynth.perfusion.deconvolution_block import DESCRIPTION_START
from perfusynth.perfusion.notices import FROM_COLOURS
from perfusynth.phantom.stroke.traits import Side, Site
from perfusynth.progress import OnProgress
from perfusynth.readers.perfusion_series import read_perfusion
from perfusynth.readers.read import read_scan
from perfusynth.studies.given_maps import MAPS, as_map
from perfusynth.studies.settings import PrepareSettings
from perfusynth.studies.subjects import Excluded, Study, StudyImages, Subject, signature_of
from perfusynth.volumes.case_file import CASE_FILE, read_case_file
from perfusynth.volumes.case_registration import CaseRegistration, earlier_registrations, read_registration
from perfusynth.volumes.nifti import read_nifti

#: Further volumes of a case folder that are taken over as they are.
OTHERS = ("brain", "cta", "valid", "core", "dwi", "adc", "flair")
#: What a description of a map starts with where we wrote it; anything else may name somebody.
OWN_DESCRIPTIONS = ("digital phantom: ", DESCRIPTION_START, FROM_COLOURS)
#: What is taken over of a patient's ``case.json``: numbers, and words of these lists; other words may name him.
KEPT_NUMBERS = ("onset_to_imaging_h",)
KEPT_WORDS = {"side": get_args(Side), "site": get_args(Site)}


def is_case(folder: Path) -> bool:
    """Whether a folder is a case folder: an NCCT, and a CTP or a Tmax map."""
    return (folder / "ncct.nii.gz").is_file() and any((folder / f"{name}.nii.gz").is_file() for name in ("ctp", "tmax"))


def case_subjects(source: Path, settings: PrepareSettings) -> list[Subject]:
    """The patients of case folders: each folder is one, unless its name says which session of whom it is."""
    patients: dict[str, list[Path]] = defaultdict(list)
    visible = (path for path in source.iterdir() if not path.name.startswith("."))
    for folder in sorted(path for path in visible if (path / "ncct.nii.gz").exists()):
        patients[folder.name.partition(SESSION)[0]].append(folder)
    return [_subject(patient, folders, settings) for patient, folders in patients.items()]


def _subject(patient: str, folders: Sequence[Path], settings: PrepareSettings) -> Subject:
    files = [path for folder in folders for path in folder.iterdir() if path.is_file()]

    def studies(on_progress: OnProgress) -> tuple[list[Study], list[Excluded]]:
        found, excluded = [], []
        for folder in folders:
            session = folder.name.partition(SESSION)[2]
            if is_case(folder):
                found.append(Study(session, partial(_read, folder, settings)))
            else:
                excluded.append(Excluded("no_perfusion", "There is neither a CTP nor a Tmax map.", session))
        return found, excluded

    return Subject(f"case\0{patient}", signature_of(files), studies)


def _read(folder: Path, settings: PrepareSettings, on_progress: OnProgress) -> StudyImages:
    def path(name: str) -> Path:
        return folder / f"{name}.nii.gz"

    content = _content(folder)
    scan = read_scan(path("ncct"))
    notes = list(scan.notes)
    stored = {name: read_nifti(path(name)) for name in (*MAPS, *OTHERS) if path(name).is_file()}
    if scan.resampled:
        stored.pop("brain", None)  # it lies on the grid that was left
    maps = {name: as_map(stored[name], name) for name in MAPS if name in stored}
    perfusion = None
    if path("ctp").is_file() and (settings.keep_ctp or "tmax" not in maps):
        read = read_perfusion(path("ctp"), interval_s=settings.interval_s, on_progress=on_progress)
        perfusion = read.series
        notes += read.notes
    headers = {name: volume.header for name, volume in stored.items() if volume.header is not None}
    told = {name: bytes(header["descrip"].tobytes()).split(b"\0")[0].decode("ascii", "replace")
            for name, header in headers.items()}  # fmt: skip
    return StudyImages(
        scan.volume,
        scan.acquisition,
        perfusion,
        maps,
        {name: stored[name] for name in OTHERS if name in stored},
        _registrations(folder, content),
        _facts(content),
        {name: text for name, text in told.items() if text.startswith(OWN_DESCRIPTIONS)},
        notes=tuple(notes),
    )


def _registrations(folder: Path, content: dict[str, Any]) -> tuple[CaseRegistration, ...]:
    if "fixed_to_moving" not in content:
        return ()
    return (*earlier_registrations(folder), read_registration(folder))


def _content(folder: Path) -> dict[str, Any]:
    if not (folder / CASE_FILE).exists():
        return {}
    try:
        return read_case_file(folder)
    except (OSError, ValueError) as error:
        raise InputError(
            f"{CASE_FILE} of a case is damaged.",
            expected="a JSON object",
            got=type(error).__name__,
            hint="Mend it, or delete it.",
            code="bad_case_file",
        ) from error


def _facts(content: dict[str, Any]) -> dict[str, Any]:
    """All that is known of a phantom; of a patient what cannot name him."""
    if content.get("kind") == "phantom":
        return {name: value for name, value in content.items() if name not in ("fixed_to_moving", "registration")}
    numbers = {name: content[name] for name in KEPT_NUMBERS if isinstance(content.get(name), int | float)}
    return numbers | {name: content[name] for name, words in KEPT_WORDS.items() if content.get(name) in words}
