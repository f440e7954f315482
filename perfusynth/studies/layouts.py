"""Which layout a folder of studies has."""

from collections.abc import Sequence
from pathlib import Path

from perfusynth.errors import InputError
from perfusynth.progress import OnProgress
from perfusynth.studies.case_source import case_subjects, is_case
from perfusynth.studies.dicom_source import dicom_subjects
from perfusynth.studies.isles24 import isles_root, isles_subjects
from perfusynth.studies.settings import PrepareSettings
from perfusynth.studies.subjects import Layout, Subject


def layout_of(source: Path) -> Layout:
    """ISLES'24 has ``raw_data`` or ``rawdata``, case folders have an NCCT and ``case.json``; all else is DICOM.

    Raises
    ------
    InputError
        Code ``file_missing``: it is no folder.
    """
    if not source.is_dir():
        raise InputError(
            "There are no studies here.",
            expected="a folder: DICOM files, ISLES'24's layout, or case folders",
            got="a file" if source.exists() else "nothing at this path",
            hint="Unpack archives first.",
            code="file_missing",
        )
    if isles_root(source) is not None:
        return "isles24"
    return "cases" if any(is_case(folder) for folder in source.iterdir()) else "dicom"


def subjects_of(source: Path, layout: Layout, settings: PrepareSettings, on_progress: OnProgress) -> Sequence[Subject]:
    """The patients of a source, none of whose pixels have been read yet."""
    if layout == "isles24":
        return isles_subjects(source, settings)
    if layout == "cases":
        return case_subjects(source, settings)
    return dicom_subjects(source, settings, on_progress)
