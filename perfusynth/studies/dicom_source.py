"""A tree of DICOM files as studies: sorted by patient, whatever folders they lie in, without keeping who he is."""

import hashlib
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from perfusynth.errors import InputError
from perfusynth.progress import OnProgress
from perfusynth.readers.dicom_headers import Slice, dicom_files, slices_of
from perfusynth.studies.dicom_pairs import studies_of_patient
from perfusynth.studies.settings import PrepareSettings
from perfusynth.studies.subjects import Excluded, Study, Subject, signature_of

#: Most DICOM files in a tree: 5000 studies of 2000 images.
MAX_TREE_FILES = 10_000_000
#: What is looked at to sort files by patient.
SORTING_TAGS = ["PatientID", "PatientBirthDate", "PatientSex", "StudyInstanceUID", "Rows"]


@dataclass
class _Patient:
    """Files of one patient ID, and hashes of what else is said of who that is."""

    files: list[Path] = field(default_factory=list)
    persons: set[str] = field(default_factory=set)


def dicom_subjects(source: Path, settings: PrepareSettings, on_progress: OnProgress) -> list[Subject]:
    """The patients of a tree, by hash of their ID; without an ID, each study counts as a patient.

    Raises
    ------
    InputError
        Codes ``no_images``, ``too_many_files``.
    """
    patients: dict[str, _Patient] = {}
    for count, path in enumerate(dicom_files(source, MAX_TREE_FILES)):
        if count % 100 == 0:
            on_progress(f"look through {count} files", 0.0)
        sorted_by = _sorted_by(path)
        if sorted_by is None:
            continue
        identity, person = sorted_by
        patient = patients.setdefault(identity, _Patient())
        patient.files.append(path)
        if person:
            patient.persons.add(person)
    if not patients:
        raise InputError(
            "There are no DICOM images here.",
            expected="a folder with DICOM studies in it or below it",
            got="none",
            hint="Give the folder that holds the studies; archives are to be unpacked first.",
            code="no_images",
        )
    return [_subject(identity, patient, settings) for identity, patient in sorted(patients.items())]


def _sorted_by(path: Path) -> tuple[str, str] | None:
    """Hashes of patient (or study) and of birth date and sex; None where the file holds no image, or is damaged."""
    import pydicom

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=SORTING_TAGS, force=True)
    except Exception:  # pydicom raises whatever a damaged file happens to trigger; its patient's study lacks an image
        return None
    if not header.get("Rows"):
        return None

    def text(name: str) -> str:
        return str(header.get(name) or "").strip()

    identity = f"id\0{text('PatientID')}" if text("PatientID") else f"study\0{text('StudyInstanceUID')}"
    person: Any = (text("PatientBirthDate"), text("PatientSex"))
    return _hash(identity), _hash("\0".join(person)) if all(person) else ""


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _subject(identity: str, patient: _Patient, settings: PrepareSettings) -> Subject:
    def studies(on_progress: OnProgress) -> tuple[list[Study], list[Excluded]]:
        if len(patient.persons) > 1:
            return [], [
                Excluded(
                    "several_patients",
                    f"One patient ID stands for {len(patient.persons)} persons of different birth date or sex.",
                )
            ]
        images, damaged = _headers(patient.files, on_progress)
        return studies_of_patient(images, damaged, settings)

    return Subject(f"dicom\0{identity}", signature_of(patient.files), studies)


def _headers(files: Sequence[Path], on_progress: OnProgress) -> tuple[list[Slice], int]:
    images: list[Slice] = []
    damaged = 0
    for count, path in enumerate(files):
        on_progress("read headers", count / len(files))
        try:
            images += slices_of(path)
        except InputError:
            damaged += 1
        except Exception:  # as above
            damaged += 1
    return images, damaged
