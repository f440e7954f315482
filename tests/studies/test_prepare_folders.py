"""ISLES'24's layout and existing case folders: what is kept, what is made, and what is said of the registration."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk

from perfusynth.ctp_maps.series_maps import maps_of_series
from perfusynth.errors import InputError
from perfusynth.progress import ignore_progress
from perfusynth.shared_files import shared_folders
from perfusynth.studies.prepare import Prepared, prepare
from perfusynth.studies.settings import PrepareSettings
from perfusynth.synthesis.phantom_cases import is_phantom
from perfusynth.volumes.brain import BrainMask
from perfusynth.volumes.builtin_brain import BuiltinBrain
from perfusynth.volumes.case_registration import (
    CaseRegistration,
    earlier_registrations,
    keep_registration,
    read_registration,
)
from perfusynth.volumes.nifti import read_nifti
from perfusynth.volumes.volume import Volume
from tests.ctp_maps.study import dice, study, write_nifti_study
from tests.studies.hospital import FIXED_TO_MOVING, PSEUDONYMS, SECRETS, knows_the_truth, ncct

#: Air beside the head, where a name might stand.
TEXT, TEXT_IN_CTP = np.s_[4:16, 4:20, :], np.s_[1:4, 1:6, :, :]


def save(path: Path, volume: Volume, dtype: type = np.int16) -> None:
    """A file whose header names somebody."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nib.Nifti1Image(volume.array.astype(dtype), volume.affine)
    image.header["descrip"], image.header["db_name"] = b"Holmes^S", b"SECRET-ID"
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"Holmes"))
    nib.save(image, path)


def with_text(volume: Volume) -> Volume:
    """The same with what stands for a name burned into the air beside the head."""
    array = volume.array.copy()
    array[TEXT] = 3000
    return volume.with_array(array)


def write_isles(root: Path, subject: str, session: str, *, ctp: bool = True, maps: bool = False) -> None:
    """One subject: raw images, maps of another program, and the CTA laid over the NCCT."""
    raw, laid_over = (root / folder / subject / session for folder in ("raw_data", "derivatives"))
    name = f"{subject}_{session}"
    save(raw / f"{name}_ncct.nii.gz", with_text(ncct()))
    if ctp:
        array = study().array.copy()
        array[TEXT_IN_CTP] = 3000
        write_nifti_study(raw / f"{name}_ctp.nii.gz", replace(study(), array=array))
    if maps:
        found = maps_of_series(study()).maps
        for kind in ("tmax", "cbf", "cbv", "mtt"):
            save(raw / "perfusion-maps" / f"{name}_{kind}.nii.gz", found[kind], np.float32)
    save(laid_over / f"{name}_space-ncct_cta.nii.gz", with_text(ncct()))
    follow_up = root / "derivatives" / subject / session.replace("1", "2")
    save(follow_up / f"{subject}_ses-02_space-ncct_lesion-msk.nii.gz", ncct())


def run(source: Path, out: Path, **settings) -> Prepared:
    return prepare(source, out, PrepareSettings(**settings), pseudonyms=PSEUDONYMS, registrar=knows_the_truth())


def cases(out: Path) -> list[Path]:
    return sorted(path for path in out.iterdir() if path.is_dir() and not path.name.startswith("."))


@pytest.mark.parametrize(
    ("raw", "subject", "session", "below"),
    [("raw_data", "sub-stroke0007", "ses-01", "train"), ("rawdata", "sub-strokecase0007", "ses-0001", "")],
)
def test_both_spellings_of_the_isles_layout_are_read(tmp_path, raw, subject, session, below):
    root = tmp_path / "isles" / below
    write_isles(root, subject, session)
    if raw != "raw_data":
        (root / "raw_data").rename(root / raw)
    done = run(tmp_path / "isles", tmp_path / "out")
    (folder,) = cases(tmp_path / "out")
    assert list(done.excluded) == []
    found = maps_of_series(study())
    assert dice(read_nifti(folder / "tmax.nii.gz").array > 6, found.maps["tmax"].array > 6) == 1
    for name in ("ncct", "cta"):
        kept = read_nifti(folder / f"{name}.nii.gz").array
        np.testing.assert_array_equal(kept[ncct().array > 0], ncct().array[ncct().array > 0])
        assert (kept[TEXT] == -1024).all()
    assert (nib.as_closest_canonical(nib.load(folder / "ctp.nii.gz")).get_fdata()[TEXT_IN_CTP] <= -1000).all()
    assert not (folder / "core.nii.gz").exists()
    assert subject not in str(sorted(folder.iterdir())) + (folder / "case.json").read_text()
    assert nib.load(folder / "cta.nii.gz").header.extensions == []


def test_subjects_without_perfusion_are_listed_and_maps_that_came_along_are_kept_if_asked(tmp_path):
    write_isles(tmp_path / "isles", "sub-stroke0001", "ses-01", ctp=False)
    write_isles(tmp_path / "isles", "sub-stroke0002", "ses-01", maps=True)
    done = run(tmp_path / "isles", tmp_path / "out", preferred="given", keep_ctp=False)
    assert [row["code"] for row in done.excluded] == ["no_perfusion"]
    (folder,) = cases(tmp_path / "out")
    content = json.loads((folder / "case.json").read_text())
    assert content["prepared"]["maps"] == {"origin": "vendor"}
    assert b"another program" in bytes(nib.load(folder / "tmax.nii.gz").header["descrip"].tobytes())
    assert not (folder / "ctp.nii.gz").exists()


@pytest.fixture(scope="module")
def from_cases(tmp_path_factory) -> Path:
    """Three prepared case folders: a phantom, a patient that an annotator has corrected, one with a CTP alone."""
    source = tmp_path_factory.mktemp("cases")
    shutil.copytree(shared_folders("sample-data")[0] / "phantom-4000020", source / "phantom-4000020")
    patient = source / "Holmes"
    save(patient / "ncct.nii.gz", ncct())
    for name, volume in maps_of_series(study()).maps.items():
        save(patient / f"{name}.nii.gz", volume, np.float32)
    told = {"kind": "study", "name": "Holmes", "side": "left", "site": "St Elsewhere", "onset_to_imaging_h": 2.5}
    (patient / "case.json").write_text(json.dumps(told))
    first = CaseRegistration(np.eye(4), "automatic", 0.9, software="0.1.0")
    keep_registration(patient, first, b"any")
    corrected = CaseRegistration(FIXED_TO_MOVING, "annotator", None, "corrected", "nodding", "reader 2")
    keep_registration(patient, corrected, b"any")
    save(source / "alone" / "ncct.nii.gz", ncct())
    write_nifti_study(source / "alone" / "ctp.nii.gz", study())
    save(source / "nothing" / "ncct.nii.gz", ncct())
    shutil.copytree(source / "alone", source / ".sub-1_ses-2.making")  # another run's, not whole yet
    out = tmp_path_factory.mktemp("out") / "cases"
    done = run(source, out)
    assert [row["code"] for row in done.excluded] == ["no_perfusion"]
    assert len(done.cases) == 3
    return out


def case_with(out: Path, test) -> Path:
    """The one case whose ``case.json`` passes a test."""
    (folder,) = (path for path in cases(out) if test(json.loads((path / "case.json").read_text())))
    return folder


def test_a_phantom_stays_a_phantom_with_its_known_registration(from_cases):
    folder = case_with(from_cases, lambda content: content["kind"] == "phantom")
    given = shared_folders("sample-data")[0] / "phantom-4000020"
    assert read_registration(folder).method == "known"
    before = json.loads((given / "case.json").read_text())
    np.testing.assert_array_equal(read_registration(folder).fixed_to_moving, np.array(before["fixed_to_moving"]))
    for name in ("tmax", "ncct", "core"):
        np.testing.assert_array_equal(
            read_nifti(folder / f"{name}.nii.gz").array, read_nifti(given / f"{name}.nii.gz").array
        )
    content = json.loads((folder / "case.json").read_text())
    assert content["volumes_ml"]["tmax_over_6_s"] == before["volumes_ml"]["tmax_over_6_s"]
    assert is_phantom(content["ncct_sha256"], folder / "ncct.nii.gz")


def test_the_annotators_registration_and_what_it_replaced_are_kept(from_cases):
    folder = case_with(from_cases, lambda content: content.get("side") == "left" and content["kind"] == "study")
    registration = read_registration(folder)
    assert (registration.verdict, registration.author, registration.reason) == ("corrected", "reader 2", "nodding")
    np.testing.assert_allclose(registration.fixed_to_moving, FIXED_TO_MOVING)
    (earlier,) = earlier_registrations(folder)
    assert earlier.probability_over_2mm == 0.9
    # The transform file, by somebody else's reader: LPS.
    there = sitk.ReadTransform(str(folder / "registration.tfm")).TransformPoint((-10.0, 20.0, 30.0))
    np.testing.assert_allclose(np.array(there) * [-1, -1, 1], (FIXED_TO_MOVING @ [10, -20, 30, 1])[:3], atol=1e-6)


def test_what_may_name_a_patient_is_not_taken_over(from_cases):
    folder = case_with(from_cases, lambda content: content.get("side") == "left" and content["kind"] == "study")
    content = json.loads((folder / "case.json").read_text())
    assert content["onset_to_imaging_h"] == 2.5
    assert "site" not in content
    for path in from_cases.rglob("*"):
        assert not any(
            word.encode() in path.read_bytes() for word in SECRETS if path.suffix in (".json", ".tfm", ".html")
        )
        if path.suffix == ".gz":
            assert b"Holmes" not in nib.load(path).header.binaryblock


def test_what_a_case_lacks_is_made(from_cases):
    folder = case_with(from_cases, lambda content: "ctp" in content["modalities"])
    found = maps_of_series(study())
    np.testing.assert_allclose(read_nifti(folder / "cbf.nii.gz").array, found.maps["cbf"].array, atol=1e-3)
    assert read_registration(folder).method == "automatic"
    assert (folder / "brain.nii.gz").exists()
    assert (folder / "overview.jpg").exists()


@pytest.fixture(scope="module")
def alone(tmp_path_factory) -> Path:
    """Two case folders with NCCT and CTP alone."""
    source = tmp_path_factory.mktemp("alone")
    for name in ("a", "b"):
        save(source / name / "ncct.nii.gz", ncct())
        write_nifti_study(source / name / "ctp.nii.gz", study())
    return source


class Broken:
    """Finds no brain, for the reason that it is given."""

    def __init__(self, fault):
        self.fault = fault

    def extract(self, ncct, *, on_progress=ignore_progress):
        raise self.fault


def test_a_study_that_nobody_foresaw_does_not_end_the_run_and_a_full_disk_does(tmp_path, alone):
    arguments = {"pseudonyms": PSEUDONYMS, "registrar": knows_the_truth()}
    done = prepare(alone, tmp_path / "out", extractor=Broken(KeyError("Holmes")), **arguments)
    assert [(row["code"], "KeyError" in row["reason"]) for row in done.excluded] == [("unforeseen", True)] * 2
    assert "Holmes" not in (tmp_path / "out" / "exclusions.csv").read_text()
    for fault in (OSError("disk full"), MemoryError("disk full")):
        with pytest.raises(type(fault), match="disk"):
            prepare(alone, tmp_path / "full", extractor=Broken(fault), **arguments)
        assert cases(tmp_path / "full") == []
    # Killed outright instead: what it left is taken away, and the same command goes on.
    (tmp_path / "full" / ".sub-0_ses-0.making").mkdir()
    assert len(prepare(alone, tmp_path / "full", extractor=Broken(KeyError()), **arguments).excluded) == 2
    assert cases(tmp_path / "full") == []


def refusal_of(code: str) -> InputError:
    return InputError("It failed.", expected="a brain", got="none", hint="Try again.", code=code)


@pytest.mark.parametrize(
    ("fault", "tried_again"),
    [
        (KeyError(), True),
        (refusal_of("totalsegmentator_timeout"), True),
        (refusal_of("no_totalsegmentator_weights"), True),
        (refusal_of("no_brain"), False),
    ],
)
def test_a_rerun_tries_again_what_failed_by_a_fault_of_the_machine(tmp_path, alone, monkeypatch, fault, tried_again):
    shutil.copytree(alone / "a", tmp_path / "in" / "a")
    arguments = {"pseudonyms": PSEUDONYMS, "registrar": knows_the_truth()}
    first = prepare(tmp_path / "in", tmp_path / "out", extractor=Broken(fault), **arguments)
    assert (len(first.excluded), first.cases) == (1, [])
    second = prepare(tmp_path / "in", tmp_path / "out", **arguments)
    assert len(second.made) == tried_again
    assert len(second.excluded) == (not tried_again)
    monkeypatch.setattr("perfusynth.studies.prepare.__version__", "99.0")
    # What an earlier version refused may be read by this one; what it made is left as it is.
    third = prepare(tmp_path / "in", tmp_path / "out", **arguments)
    assert len(third.made) == (not tried_again)
    assert (len(third.cases), third.changed) == (1, [])


class SmallBrain:
    """What another program calls brain: it ends far from the skull on one side, which is no craniotomy."""

    def extract(self, ncct, *, on_progress=ignore_progress):
        on_progress("brain", 0.25)
        on_progress("brain", 0.75)
        brain = BuiltinBrain().extract(ncct).mask
        x = np.arange(ncct.shape[0])
        return BrainMask(brain & (x < ncct.shape[0] / 2 + 20)[:, None, None], "small brain 1")


def test_the_head_check_looks_at_the_inside_of_the_skull_whatever_finds_the_brain(tmp_path, alone):
    shutil.copytree(alone / "a", tmp_path / "in" / "a")
    told = []
    done = prepare(
        tmp_path / "in", tmp_path / "out", pseudonyms=PSEUDONYMS, registrar=knows_the_truth(), extractor=SmallBrain(),
        on_progress=lambda stage, fraction: told.append((stage, fraction)),
    )  # fmt: skip
    assert list(done.excluded) == []
    (folder,) = cases(tmp_path / "out")
    assert json.loads((folder / "case.json").read_text())["prepared"]["brain"] == "small brain 1"
    brain = read_nifti(folder / "brain.nii.gz").array > 0
    assert not brain[brain.shape[0] // 2 + 21 :].any()
    assert len({fraction for stage, fraction in told if stage.endswith("check")}) >= 3


def test_a_second_run_on_the_same_folder_is_refused_while_the_first_works(tmp_path, alone):
    shutil.copytree(alone / "a", tmp_path / "in" / "a")
    refused = []

    def run_again(stage: str, fraction: float) -> None:
        if "maps" in stage and not refused:
            with pytest.raises(InputError) as caught:
                run(tmp_path / "in", tmp_path / "out")
            refused.append(caught.value.code)

    arguments = {"pseudonyms": PSEUDONYMS, "registrar": knows_the_truth()}
    done = prepare(tmp_path / "in", tmp_path / "out", on_progress=run_again, **arguments)
    assert (refused, len(done.made), list(done.excluded)) == (["in_use"], 1, [])
    assert run(tmp_path / "in", tmp_path / "out").cases == done.cases
