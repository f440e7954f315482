"""A hospital's DICOM tree to case folders: right pairs, right places, every exclusion told, nobody named."""

import csv
import gzip
import json
import shutil
from datetime import timedelta
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from perfusynth.ctp_maps.series_maps import maps_of_series
from perfusynth.errors import Cancelled, InputError
from perfusynth.evaluation.registration_error.pairs import tre
from perfusynth.generators.bundles import read_bundle
from perfusynth.registration.transform_file import read_transform
from perfusynth.studies.prepare import Prepared, prepare
from perfusynth.studies.pseudonyms import Pseudonyms
from perfusynth.studies.settings import PrepareSettings
from perfusynth.training.data.case_heads import case_folders, read_case
from perfusynth.volumes.case_registration import CaseRegistration, keep_registration, read_registration
from perfusynth.volumes.nifti import read_nifti
from tests.ctp_maps.study import SIDE, dice, study
from tests.generators.tiny import SHIPPED
from tests.studies.hospital import (
    CTP_START,
    FIXED_TO_MOVING,
    PSEUDONYMS,
    SECRETS,
    box,
    knows_the_truth,
    ncct,
    write_dicom,
)

BEFORE = CTP_START - timedelta(minutes=14)
#: A pixel pattern that stands for a name burned into the air beside the head.
BURNED = np.array([[1, 0, 1, 1], [1, 1, 0, 1], [0, 1, 1, 0]], dtype=bool)


def write_patient(folder: Path) -> None:
    """NCCT with text in a corner, CTP, and what else a study holds; in one folder."""
    hu = ncct().array.copy()
    hu[4:16, 4:20] = np.where(np.kron(BURNED, np.ones((4, 4)))[..., None], 3000, -1000)
    write_dicom(folder, hu, ncct().affine, start=BEFORE, number=2)
    series = study()
    write_dicom(folder, series.array, series.affine, number=5)
    write_dicom(folder, box(1), start=BEFORE, number=1, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    write_dicom(folder, box(), start=BEFORE, number=9, BurnedInAnnotation="YES")


@pytest.fixture(scope="module")
def tree(tmp_path_factory) -> Path:
    """Three patients: a whole one, one whose plain CT is old, one without perfusion; and files that are no images."""
    source = tmp_path_factory.mktemp("archive") / "Holmes"
    write_patient(source / "a" / "b")
    write_dicom(source / "old", box(5, 12), patient="SECRET-2")
    write_dicom(source / "old", box(), patient="SECRET-2", start=CTP_START - timedelta(hours=2))
    write_dicom(source / "c", box(), patient="SECRET-3")
    (source / "c" / "DICOMDIR.txt").write_text("Holmes")
    return source


@pytest.fixture(scope="module")
def prepared(tree, tmp_path_factory) -> tuple[Prepared, Path]:
    """The tree, by the real registration."""
    out = tmp_path_factory.mktemp("out") / "cases"
    return prepare(tree, out, pseudonyms=PSEUDONYMS), out


def only_case(out: Path) -> Path:
    (folder,) = (path for path in out.iterdir() if path.is_dir() and not path.name.startswith("."))
    return folder


def test_maps_are_those_of_the_perfusion_study_and_the_registration_finds_how_the_head_lay(prepared):
    done, out = prepared
    folder = only_case(out)
    assert list(done.cases) == list(done.made) == [folder.name]
    found = maps_of_series(study())
    for name, expected in found.maps.items():
        kept = nib.as_closest_canonical(nib.load(folder / f"{name}.nii.gz"))
        np.testing.assert_allclose(kept.affine, expected.affine, atol=1e-3)
        np.testing.assert_allclose(kept.get_fdata(dtype=np.float32), expected.array, atol=0.05)
    registration = read_registration(folder)
    points = np.argwhere(found.brain.mask) @ study().affine[:3, :3].T + study().affine[:3, 3]
    assert tre(registration.fixed_to_moving, FIXED_TO_MOVING, points) < 1.0
    assert registration.method == "automatic"
    assert registration.probability_over_2mm < 0.2
    assert registration.time.endswith("+00:00")
    np.testing.assert_allclose(read_transform(folder / "registration.tfm"), registration.fixed_to_moving, atol=1e-6)


def test_the_case_is_what_training_reads_and_the_deficit_stays_on_its_side(prepared):
    _, out = prepared
    head = read_case(only_case(out), read_bundle(SHIPPED).spec)
    late = (head.volumes["tmax"] > 6) & head.brain & head.valid
    sides = {"left": late[:96].sum(), "right": late[96:].sum()}
    other = "right" if SIDE == "left" else "left"
    assert sides[SIDE] > 5 * sides[other]
    assert late.sum() * 1.2 * 1.2 * 5 / 1000 > 40


def test_the_ncct_is_the_one_that_was_acquired_but_for_what_lies_beside_the_head(prepared):
    _, out = prepared
    folder = only_case(out)
    kept, given = nib.as_closest_canonical(nib.load(folder / "ncct.nii.gz")), ncct()
    np.testing.assert_allclose(kept.affine, given.affine, atol=1e-3)
    array = kept.get_fdata(dtype=np.float32)
    brain = nib.as_closest_canonical(nib.load(folder / "brain.nii.gz")).get_fdata() > 0
    head = given.array > -200
    np.testing.assert_array_equal(array[brain], given.array[brain])
    assert np.mean(array[head] == given.array[head]) > 0.995
    assert (array[4:16, 4:20] <= -1000).all()
    assert brain.sum() * given.voxel_ml > 900
    ctp = nib.load(folder / "ctp.nii.gz")
    assert ctp.shape == study().array.shape
    assert ctp.header["pixdim"][4] == 2.0


def test_every_exclusion_has_its_reason(prepared):
    done, out = prepared
    rows = json.loads((out / "exclusions.json").read_text())
    assert sorted(row["code"] for row in rows) == ["burned_in", "no_perfusion", "too_far_apart"]
    assert len({row["patient"] for row in rows}) == 3
    assert all(row["reason"].endswith(".") for row in rows)
    assert "120 minutes" in next(row["reason"] for row in rows if row["code"] == "too_far_apart")
    with open(out / "exclusions.csv", newline="") as file:
        assert list(csv.DictReader(file)) == rows == list(done.excluded)


def test_no_identity_reaches_the_output(prepared, tree):
    _, out = prepared
    files = [path for path in out.rglob("*") if path.is_file()]
    assert len(files) > 12
    secrets = [*SECRETS, str(tree), tree.parent.name]
    for path in files:
        content = path.read_bytes()
        content = gzip.decompress(content) if path.suffix == ".gz" else content
        told = [word for word in secrets if word.encode() in content or word in path.name]
        assert told == [], f"{path.name}: {told}"
    header = nib.load(only_case(out) / "ncct.nii.gz").header
    assert header.extensions == []


def test_the_summary_shows_the_case_and_what_was_left_out(prepared):
    _, out = prepared
    page = (out / "summary.html").read_text()
    assert only_case(out).name in page
    assert "data:image/jpeg;base64," in page
    assert "too_far_apart" in page
    assert "http" not in page.split("</style>")[1]


def test_a_second_run_makes_nothing_anew_and_leaves_a_correction_in_force(prepared, tree, tmp_path):
    _, first = prepared
    out = tmp_path / "cases"
    shutil.copytree(first, out)
    folder = only_case(out)
    corrected = CaseRegistration(FIXED_TO_MOVING, method="annotator", verdict="corrected", author="reader 2")
    keep_registration(folder, corrected, b"a transform")
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    told = []
    done = prepare(tree, out, pseudonyms=PSEUDONYMS, on_progress=lambda stage, fraction: told.append(stage))
    assert list(done.made) == []
    assert len(done.excluded) == 3
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before
    assert read_registration(folder).verdict == "corrected"
    assert "corrected by reader 2" in (out / "summary.html").read_text()
    assert not any("register" in stage for stage in told)


def test_stopped_halfway_nothing_half_stays_and_the_next_run_goes_on(tree, tmp_path):
    out = tmp_path / "cases"

    def stop(stage: str, fraction: float) -> None:
        if "maps" in stage:
            raise Cancelled

    arguments = {"pseudonyms": PSEUDONYMS, "registrar": knows_the_truth()}
    with pytest.raises(Cancelled):
        prepare(tree, out, on_progress=stop, **arguments)
    assert [path for path in out.iterdir() if path.is_dir()] == []
    (out / ".sub-1_ses-2.making").mkdir()  # a run that was killed
    fractions = []
    done = prepare(tree, out, on_progress=lambda stage, fraction: fractions.append(fraction), **arguments)
    assert len(done.made) == 1
    assert only_case(out).name == done.made[0]
    assert fractions == sorted(fractions)
    with pytest.raises(InputError) as caught:
        prepare(tree, out, PrepareSettings(minutes=10), **arguments)
    assert caught.value.code == "other_settings"
    with pytest.raises(InputError) as caught:
        prepare(tree, out, pseudonyms=Pseudonyms(b"another salt of the tests"), registrar=knows_the_truth())
    assert caught.value.code == "other_salt"


def test_a_case_whose_pair_has_changed_is_set_aside_with_its_annotators_work(tmp_path):
    source, out = tmp_path / "in", tmp_path / "out"
    given = ncct()
    thin = given.affine @ np.diag([1, 1, 0.5, 1.0])
    write_dicom(source, np.repeat(given.array, 2, axis=2), thin, start=BEFORE, number=2)
    write_dicom(source, study().array, study().affine, number=5)
    arguments = {"pseudonyms": PSEUDONYMS, "registrar": knows_the_truth()}
    prepare(source, out, **arguments)
    old = only_case(out)
    keep_registration(old, CaseRegistration(np.eye(4), "annotator", verdict="corrected", author="reader 2"), b"any")
    # A plain CT of thicker slices arrives later, and is the better one.
    later = source / "later"
    write_dicom(later, given.array, given.affine, start=BEFORE, number=3)
    done = prepare(source, out, **arguments)
    new = only_case(out)
    assert list(done.cases) == list(done.made) == [new.name]
    assert new.name != old.name
    (row,) = done.excluded
    assert (row["case"], row["code"]) == (old.name, "superseded")
    assert new.name in row["reason"]
    assert read_registration(out / ".superseded" / old.name).author == "reader 2"
    assert [folder.name for folder in case_folders(out)] == [new.name]
    assert list(prepare(source, out, **arguments).excluded) == [row]
    # The better one is taken away again: so is the new case, and the corrected one is back.
    shutil.rmtree(later)
    done = prepare(source, out, **arguments)
    assert (list(done.cases), list(done.made)) == ([old.name], [])
    assert [(row["case"], row["code"]) for row in done.excluded] == [(new.name, "superseded")]
    assert read_registration(only_case(out)).author == "reader 2"
    # Of a study that is only gone from the source, the case stays.
    shutil.rmtree(source)
    write_dicom(source, box(), number=1)
    done = prepare(source, out, **arguments)
    assert list(done.cases) == list(done.changed) == [old.name]


def test_a_refused_head_is_listed_with_what_the_check_said(tmp_path):
    bleeding = ncct().array.copy()
    at = np.array(bleeding.shape) // 2 + np.array([14, 0, 2])
    grid = np.indices(bleeding.shape) - at[:, None, None, None]
    inside = ((grid * ncct().spacing[:, None, None, None]) ** 2).sum(axis=0) < 18**2
    write_dicom(tmp_path / "in", np.where(inside, 72, bleeding), ncct().affine, start=BEFORE)
    write_dicom(tmp_path / "in", study().array[..., :12], study().affine, number=5)
    done = prepare(tmp_path / "in", tmp_path / "out", pseudonyms=PSEUDONYMS, registrar=knows_the_truth())
    assert list(done.cases) == []
    assert [row["code"] for row in done.excluded] == ["blood"]
    assert done.excluded[0]["case"].startswith(done.excluded[0]["patient"] + "_ses-")


def test_maps_of_another_program_are_kept_and_wait_for_an_annotator(tmp_path):
    found = maps_of_series(study())
    for name, slope in (("tmax", 0.01), ("cbf", 0.1), ("cbv", 0.01), ("mtt", 0.01)):
        write_dicom(
            tmp_path / "in",
            found.maps[name].array,
            study().affine,
            slope=slope,
            intercept=0.0,
            SeriesDescription=f"RAPID {name.upper()}",
            ImageType=["DERIVED", "PRIMARY", "AXIAL"],
        )
    write_dicom(tmp_path / "in", ncct().array, ncct().affine, start=BEFORE, number=2)
    prepare(tmp_path / "in", tmp_path / "out", pseudonyms=PSEUDONYMS)
    folder = only_case(tmp_path / "out")
    kept = nib.as_closest_canonical(nib.load(folder / "tmax.nii.gz")).get_fdata()
    assert dice(kept > 6, found.maps["tmax"].array > 6) > 0.98
    content = json.loads((folder / "case.json").read_text())
    assert content["prepared"]["maps"]["origin"] == "vendor"
    assert not (folder / "ctp.nii.gz").exists()
    registration = read_registration(folder)
    assert registration.probability_over_2mm is None
    points = np.argwhere(found.brain.mask) @ study().affine[:3, :3].T + study().affine[:3, 3]
    assert tre(registration.fixed_to_moving, FIXED_TO_MOVING, points) < 5
    with pytest.raises(InputError) as caught:
        read_case(folder, read_bundle(SHIPPED).spec)
    assert caught.value.code == "registration"
    assert read_nifti(folder / "brain.nii.gz").shape == ncct().shape
