"""Which series are paired: by patient and clock, whatever folders they lie in, and why others are left out."""

from datetime import timedelta
from pathlib import Path

import pytest

from perfusynth.studies.dicom_source import dicom_subjects
from perfusynth.studies.settings import PrepareSettings
from perfusynth.studies.subjects import Excluded, Study
from tests.studies.hospital import CTP_START, box, write_dicom

FRAMES = 12


def write_ctp(folder: Path, **attributes) -> str:
    return write_dicom(folder, box(5, FRAMES), **{"number": 5, **attributes})


def found_in(source: Path, **settings) -> tuple[list[Study], list[Excluded]]:
    """What is found of all patients."""
    studies, excluded = [], []
    for subject in dicom_subjects(source, PrepareSettings(**settings), lambda stage, fraction: None):
        own, out = subject.studies(lambda stage, fraction: None)
        studies += own
        excluded += out
    return studies, excluded


def codes(excluded: list[Excluded]) -> list[str]:
    return [item.code for item in excluded]


@pytest.mark.parametrize(
    ("minutes_before", "limit", "code"),
    [
        (29.5, 30, None),
        (31, 30, "too_far_apart"),
        (31, 45, None),
        (12, 10, "too_far_apart"),
        (-1, 30, None),  # two clocks
        (-6, 30, "after_contrast"),
    ],
)
def test_a_plain_ct_is_paired_within_the_minutes_of_the_setting(tmp_path, minutes_before, limit, code):
    write_ctp(tmp_path / "a")
    write_dicom(tmp_path / "b", box(), start=CTP_START - timedelta(minutes=minutes_before))
    studies, excluded = found_in(tmp_path, minutes=limit)
    assert codes(excluded) == ([] if code is None else [code])
    assert len(studies) == (code is None)


def test_times_of_day_without_dates_are_compared_within_one_study_across_midnight(tmp_path):
    midnight = CTP_START.replace(hour=0, minute=5)
    undated = {"AcquisitionDate": None}
    write_ctp(tmp_path, start=midnight, **undated)
    write_dicom(tmp_path, box(), start=midnight - timedelta(minutes=20), **undated)
    studies, excluded = found_in(tmp_path)
    assert (len(studies), excluded) == (1, [])
    write_dicom(tmp_path / "other", box(), start=midnight, patient="X", StudyInstanceUID="1.9", **undated)
    write_ctp(tmp_path / "other", start=midnight, patient="X", StudyInstanceUID="1.10", **undated)
    assert codes(found_in(tmp_path)[1]) == ["unknown_time"]


def test_without_any_time_no_pair_is_made(tmp_path):
    write_ctp(tmp_path)
    write_dicom(tmp_path, box(), start=None)
    assert codes(found_in(tmp_path)[1]) == ["unknown_time"]


def test_patients_are_told_apart_in_one_folder_and_two_visits_of_one_are_two_studies(tmp_path):
    later = CTP_START + timedelta(days=3)
    for patient, start in (("A", CTP_START), ("A", later), ("B", CTP_START)):
        write_ctp(tmp_path, patient=patient, start=start, StudyInstanceUID=f"1.2.{start.day}")
        write_dicom(tmp_path, box(), patient=patient, start=start - timedelta(minutes=9), StudyInstanceUID="1.2.9")
    studies, excluded = found_in(tmp_path)
    assert excluded == []
    assert len({study.session for study in studies}) == 3
    subjects = dicom_subjects(tmp_path, PrepareSettings(), lambda stage, fraction: None)
    assert len(subjects) == 2
    assert not any(word in repr(subject) + subject.identity for subject in subjects for word in ("Holmes", "SECRET"))


def test_the_plain_ct_of_another_patient_is_no_partner(tmp_path):
    write_ctp(tmp_path, patient="A")
    write_dicom(tmp_path, box(), patient="B", start=CTP_START - timedelta(minutes=5))
    studies, excluded = found_in(tmp_path)
    assert studies == []
    assert sorted(codes(excluded)) == ["no_ncct", "no_perfusion"]


def test_one_id_for_two_persons_is_refused(tmp_path):
    write_ctp(tmp_path, patient="ANON")
    write_dicom(tmp_path, box(), patient="ANON", start=CTP_START - timedelta(minutes=5), PatientBirthDate="19500101")
    studies, excluded = found_in(tmp_path)
    assert (studies, codes(excluded)) == ([], ["several_patients"])
    assert "1950" not in excluded[0].reason


def test_images_that_say_they_show_a_name_are_left_out_and_pictures_never_read(tmp_path):
    write_ctp(tmp_path)
    write_dicom(tmp_path, box(), start=CTP_START - timedelta(minutes=5), BurnedInAnnotation="YES", number=3)
    write_dicom(
        tmp_path, box(), start=CTP_START - timedelta(minutes=5), SOPClassUID="1.2.840.10008.5.1.4.1.1.7", number=9
    )
    studies, excluded = found_in(tmp_path)
    assert studies == []
    assert codes(excluded) == ["burned_in", "no_ncct"]
    assert "series 3 (5 images)" in excluded[0].reason


def test_a_ct_angiogram_is_no_plain_ct_where_there_is_one(tmp_path):
    write_ctp(tmp_path)
    before = CTP_START - timedelta(minutes=5)
    plain = write_dicom(tmp_path, box(), start=before, number=2)
    write_dicom(tmp_path, box(40), start=before, number=3, SeriesDescription="CTA head")
    write_dicom(tmp_path, box(40), start=before, number=4, ContrastBolusAgent="Iomeprol")
    (study,), _ = found_in(tmp_path)
    assert study.session.endswith(plain)


def test_maps_as_numbers_stand_in_for_a_perfusion_study_but_pictures_do_not(tmp_path):
    before = CTP_START - timedelta(minutes=5)
    write_dicom(tmp_path / "a", box(), start=before)
    for name in ("Tmax", "rCBF"):
        write_dicom(tmp_path / "a", box(), SeriesDescription=name, ImageType=["DERIVED", "SECONDARY"])
    studies, excluded = found_in(tmp_path / "a")
    assert (len(studies), excluded) == (1, [])
    write_dicom(tmp_path / "b", box(), start=before)
    write_dicom(tmp_path / "b", box(), SeriesDescription="Tmax", SOPClassUID="1.2.840.10008.5.1.4.1.1.7", number=9)
    studies, excluded = found_in(tmp_path / "b")
    assert (studies, codes(excluded)) == ([], ["colour_maps"])


def test_two_acquisitions_of_one_visit_are_left_to_the_user(tmp_path):
    write_dicom(tmp_path, box(), start=CTP_START - timedelta(minutes=5))
    write_ctp(tmp_path, number=5)
    write_ctp(tmp_path, number=6, start=CTP_START + timedelta(minutes=6))
    studies, excluded = found_in(tmp_path)
    assert (studies, codes(excluded)) == ([], ["several_perfusion_series"])


def write_maps(folder: Path, *names: str) -> None:
    for name in names:
        write_dicom(folder, box(), SeriesDescription=name, ImageType=["DERIVED", "SECONDARY"])


def test_two_maps_of_one_name_are_left_to_the_user_unless_the_perfusion_study_itself_is_taken(tmp_path):
    write_dicom(tmp_path, box(), start=CTP_START - timedelta(minutes=5))
    write_maps(tmp_path, "Tmax", "Tmax smoothed", "rCBF")
    studies, excluded = found_in(tmp_path)
    assert (studies, codes(excluded)) == ([], ["several_maps"])
    assert "tmax" in excluded[0].reason
    write_ctp(tmp_path)
    studies, excluded = found_in(tmp_path)
    assert (len(studies), excluded) == (1, [])
    assert codes(found_in(tmp_path, preferred="given")[1]) == ["several_maps"]


def test_masks_that_bear_the_name_of_a_map_are_neither_maps_nor_scans(tmp_path):
    write_dicom(tmp_path / "a", box(), start=CTP_START - timedelta(minutes=5))
    write_maps(tmp_path / "a", "Tmax > 6s", "Tmax", "rCBF", "rCBF<30%", "Mismatch Tmax>6s CBF<30%")
    studies, excluded = found_in(tmp_path / "a")
    assert (len(studies), excluded) == (1, [])
    write_ctp(tmp_path / "b")
    write_maps(tmp_path / "b", "Tmax > 6s", "Mismatch Tmax>6s CBF<30%")
    assert codes(found_in(tmp_path / "b")[1]) == ["no_ncct"]
