"""Case folders: maps land where they should on the NCCT's model grid, and what cannot be used is named."""

import json

import nibabel as nib
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from perfusynth.errors import InputError
from perfusynth.generators.bundles import read_bundle
from perfusynth.shared_files import shared_folders
from perfusynth.training.data.case_heads import read_case
from perfusynth.training.data.kept_cases import KeptCases, keep_all
from perfusynth.training.data.maps_to_grid import bring_to_grid
from perfusynth.volumes.case_registration import CaseRegistration, keep_registration
from perfusynth.volumes.volume import Volume
from tests.generators.tiny import SHIPPED
from tests.training.small_cases import GRID, MIDDLE, small_bundle, write_case, write_cases

#: A motion of 14 degrees and 11 mm: wrong way round, or left out, it would be seen.
MOVED = np.eye(4)
MOVED[:3, :3] = Rotation.from_rotvec(np.radians([8.0, -5.0, 10.0])).as_matrix()
MOVED[:3, 3] = (7.0, -8.0, 3.0)
STEP = np.array([GRID["spacing_mm"], GRID["spacing_mm"], GRID["slab_mm"]])


@pytest.fixture(scope="module")
def spec(tmp_path_factory):
    return read_bundle(small_bundle(tmp_path_factory.mktemp("bundle") / "tiny", weights=False)).spec


def place_of(weight: np.ndarray) -> np.ndarray:
    """Middle of a weight in mm from the middle of the model grid, which is the middle of the brain."""
    index = np.stack(np.meshgrid(*map(np.arange, weight.shape), indexing="ij"), axis=-1)
    return ((index - (np.array(weight.shape) - 1) / 2) * STEP * weight[..., None]).sum(axis=(0, 1, 2)) / weight.sum()


@pytest.mark.parametrize("flipped", [False, True])
def test_maps_land_within_half_a_voxel_of_where_the_ncct_shows_the_lesion(tmp_path, spec, flipped):
    ill = np.array([30.0, 12.0, 5.0])
    head = read_case(write_case(tmp_path / "case", 0, MOVED, ill_at=MIDDLE + ill, flipped=flipped), spec)
    late = np.clip(head.volumes["tmax"] - 3, 0, None) ** 2
    hu = head.volumes["ncct"]
    dark = np.where(head.brain & (hu > 25), np.clip(33.5 - hu, 0, None), 0) ** 2  # below: mixed with air at the edge
    assert np.abs((place_of(late) - ill) / STEP).max() < 0.5
    assert np.abs((place_of(dark) - ill) / STEP).max() < 0.5
    assert head.valid[head.brain].mean() > 0.9
    assert head.volumes["tmax"].max() == pytest.approx(10.5, abs=1.2)


def test_the_shipped_patient_keeps_his_volumes_and_his_side():
    folder = shared_folders("sample-data")[0] / "phantom-4000020"
    told = json.loads((folder / "case.json").read_text())
    head = read_case(folder, read_bundle(SHIPPED).spec)
    voxel_ml = 1.2 * 1.2 * 5 / 1000
    late = (head.volumes["tmax"] > 6) & head.brain
    assert head.brain.sum() * voxel_ml == pytest.approx(told["volumes_ml"]["brain"], rel=0.01)
    assert late.sum() * voxel_ml == pytest.approx(told["volumes_ml"]["tmax_over_6_s"], rel=0.05)
    assert head.volumes["core"].sum() * voxel_ml == pytest.approx(told["volumes_ml"]["core"], rel=0.02)
    assert told["patient"]["stroke"]["side"] == "right"
    assert late[96:].sum() > 0.98 * late.sum()


def test_thin_map_slices_are_averaged_not_skipped():
    stripes = np.zeros((8, 8, 40), dtype=np.float32)
    stripes[:, :, ::2] = 10
    fine = Volume(stripes, np.diag([5.0, 5.0, 1.0, 1.0]))
    affine = np.diag([5.0, 5.0, 10.0, 1.0])
    affine[2, 3] = 4.5
    (made,), share = bring_to_grid([fine], fine.with_array(np.ones(fine.shape)), (8, 8, 3), affine, np.eye(4))
    np.testing.assert_allclose(made, 5.0, atol=0.6)
    np.testing.assert_allclose(share, 1.0, atol=1e-5)


def test_what_was_not_measured_is_not_valid(tmp_path, spec):
    folder = write_case(tmp_path / "case", 0)
    tmax = nib.load(folder / "tmax.nii.gz")
    covered = np.zeros(tmax.shape, dtype=np.uint8)
    covered[:, :, 10:] = 1
    nib.save(nib.Nifti1Image(covered, tmax.affine), folder / "valid.nii.gz")
    head = read_case(folder, spec)
    z = (np.arange(head.brain.shape[2]) - (head.brain.shape[2] - 1) / 2) * GRID["slab_mm"] + MIDDLE[2]
    edge = tmax.affine[2, 3] + 9.5 * 6.0
    assert not head.valid[:, :, z < edge - 8].any()
    assert head.valid[:, :, z > edge + 8][head.brain[:, :, z > edge + 8]].mean() > 0.95


def test_a_missing_mask_is_made_from_the_ncct(tmp_path, spec):
    folder = write_case(tmp_path / "case", 0)
    (folder / "brain.nii.gz").unlink()
    with pytest.raises(InputError) as caught:  # an egg without a skull is no head
        read_case(folder, spec)
    assert caught.value.code == "no_brain"


def _without_registration(folder):
    (folder / "case.json").write_text(json.dumps({"kind": "other"}))


def _in_milliseconds(folder):
    image = nib.load(folder / "tmax.nii.gz")
    nib.save(nib.Nifti1Image(image.get_fdata().astype(np.float32) * 1000, image.affine), folder / "tmax.nii.gz")


def _elsewhere(folder):
    image = nib.load(folder / "tmax.nii.gz")
    affine = image.affine.copy()
    affine[0, 3] += 140
    for name in ("tmax", "cbf"):
        nib.save(nib.Nifti1Image(nib.load(folder / f"{name}.nii.gz").get_fdata(), affine), folder / f"{name}.nii.gz")


def _stretched(folder):
    (folder / "case.json").write_text(json.dumps({"fixed_to_moving": np.diag([1.1, 1, 1, 1]).tolist()}))


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (lambda folder: (folder / "cbf.nii.gz").unlink(), "missing_file"),
        (lambda folder: (folder / "ncct.nii.gz").write_bytes(b"no image"), None),
        (_without_registration, "no_registration"),
        (_stretched, "bad_transform"),
        (_in_milliseconds, "bad_map"),
        (_elsewhere, "not_covered"),
    ],
)
def test_a_broken_case_is_left_out_with_its_reason_and_the_others_stay(tmp_path, spec, fault, code):
    data = write_cases(tmp_path / "cases", 3)
    fault(data / "case01")
    told = []
    good, left_out = keep_all(data, spec, tmp_path / "kept", lambda stage, fraction: told.append(fraction))
    assert list(good) == ["case00", "case02"]
    assert list(left_out) == ["case01"]
    assert code is None or left_out["case01"].startswith(f"{code}:")
    assert told == sorted(told)
    assert told[-1] == 1


def quietly(stage: str, fraction: float) -> None:
    """Nobody looks."""


def test_a_verdict_during_a_run_changes_nothing_in_it_and_counts_in_the_next(tmp_path, spec):
    data = write_cases(tmp_path / "cases", 2)
    cases = KeptCases(keep_all(data, spec, tmp_path / "kept", quietly)[0])
    assert cases.names == ["case00", "case01"]
    before = [cases(index).volumes["tmax"] for index in range(2)]
    corrected, failed = (
        CaseRegistration(MOVED, "annotator", verdict="corrected"),
        CaseRegistration(np.eye(4), "automatic", 0.1, "fail", "two patients"),
    )
    keep_registration(data / "case00", corrected, b"a transform")
    keep_registration(data / "case01", failed, b"a transform")
    for index in range(2):
        np.testing.assert_array_equal(cases(index).volumes["tmax"], before[index])
    taken, left_out = keep_all(data, spec, tmp_path / "kept", quietly)
    assert list(taken) == ["case00"]
    assert "two patients" in left_out["case01"]
    assert np.abs(KeptCases(taken)(0).volumes["tmax"] - before[0]).max() > 1


def test_heads_that_are_kept_are_not_read_again(tmp_path, spec, monkeypatch):
    data = write_cases(tmp_path / "cases", 1)
    first, _ = keep_all(data, spec, tmp_path / "kept", quietly)
    monkeypatch.setattr("perfusynth.training.data.kept_cases.read_case", None)
    again, left_out = keep_all(data, spec, tmp_path / "kept", quietly)
    assert (again, left_out) == (first, {})


def test_folders_of_programs_are_no_cases(tmp_path, spec):
    data = write_cases(tmp_path / "cases", 1)
    for name in (".sub-1_ses-2.making", ".perfusynth", ".superseded"):
        write_case(data / name, 1)
    good, left_out = keep_all(data, spec, tmp_path / "kept", quietly)
    assert (list(good), left_out) == (["case00"], {})


def test_a_folder_without_cases_is_told(tmp_path, spec):
    with pytest.raises(InputError) as caught:
        keep_all(tmp_path, spec, tmp_path / "kept", quietly)
    assert caught.value.code == "no_cases"


def _registered(folder, matrix, **said):
    """Say in ``case.json`` how a registration came about."""
    registration = CaseRegistration(matrix, **{"method": "automatic", **said})
    block = {"fixed_to_moving": matrix.tolist(), "registration": registration.as_dict()}
    (folder / "case.json").write_text(json.dumps(block))


def test_the_annotators_word_decides_and_without_it_only_sure_registrations_are_taken(tmp_path, spec):
    data = write_cases(tmp_path / "cases", 6)
    words = [
        {"probability_over_2mm": 0.05},
        {"probability_over_2mm": 0.6},
        {"probability_over_2mm": 0.6, "verdict": "accept"},
        {"probability_over_2mm": 0.01, "verdict": "fail", "reason": "two patients"},
        {"method": "annotator", "verdict": "corrected"},
        {},
    ]
    for number, said in enumerate(words):
        _registered(data / f"case{number:02d}", np.eye(4), **said)

    def chosen(**limit):
        return keep_all(data, spec, tmp_path / "kept", quietly, **limit)

    good, left_out = chosen()
    assert list(good) == ["case00", "case02", "case04"]
    assert all(reason.startswith("registration:") for reason in left_out.values())
    assert "two patients" in left_out["case03"]
    assert "0.60" in left_out["case01"]
    assert list(chosen(registration_error_max=0.7)[0]) == ["case00", "case01", "case02", "case04"]
    assert list(chosen(registration_error_max=0.01)[0]) == ["case02", "case04"]


def test_after_a_correction_maps_lie_where_the_annotator_put_them(tmp_path, spec):
    ill = np.array([30.0, 12.0, 5.0])
    folder = write_case(tmp_path / "cases" / "case00", 0, MOVED, ill_at=MIDDLE + ill)
    wrong = MOVED.copy()
    wrong[:3, 3] += (18.0, 0.0, 0.0)
    _registered(folder, wrong, probability_over_2mm=0.1)

    def off():
        cases = KeptCases(keep_all(tmp_path / "cases", spec, tmp_path / "kept", quietly)[0])
        return place_of(np.clip(cases(0).volumes["tmax"] - 3, 0, None) ** 2) - ill

    assert off()[0] == pytest.approx(18, abs=4)
    keep_registration(folder, CaseRegistration(MOVED, method="annotator", verdict="corrected"), b"a transform")
    assert np.abs(off() / STEP).max() < 0.5
