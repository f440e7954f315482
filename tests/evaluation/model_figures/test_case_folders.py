"""Case folders: maps are brought to the NCCT by the registration, and only covered brain is compared."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from perfusynth.errors import InputError
from perfusynth.evaluation.model_figures.case_folders import case_folders, case_of_folder
from perfusynth.evaluation.model_figures.evaluate import evaluate_cases
from perfusynth.evaluation.model_figures.plan import Plan
from perfusynth.volumes.case_registration import CaseRegistration, keep_registration
from perfusynth.volumes.nifti import write_nifti
from perfusynth.volumes.volume import Volume
from tests.generators.tiny import write_tiny_bundle

TO_MOVING = np.eye(4)
TO_MOVING[:3, :3] = Rotation.from_euler("z", 10, degrees=True).as_matrix()
TO_MOVING[:3, 3] = [4.0, -3.0, 2.0]
#: A Tmax that is linear in the fixed frame: linear interpolation reads it exactly.
SLOPE, OFFSET = np.array([0.02, 0.03, 0.01]), 5.0


def _affine(step: tuple[float, float, float], shape: tuple[int, int, int]) -> np.ndarray:
    affine = np.diag([*step, 1.0])
    affine[:3, 3] = -np.array(step) * (np.array(shape) - 1) / 2
    return affine


def _points(shape: tuple[int, int, int], affine: np.ndarray) -> np.ndarray:
    return np.einsum("ij,jxyz->ixyz", affine[:3, :3], np.indices(shape)) + affine[:3, 3, None, None, None]


def write_case(folder: Path, **content: object) -> Path:
    """A head whose maps lie on a grid and in a frame of their own, covered from z = -20 mm upwards."""
    folder.mkdir(parents=True)
    ncct_shape, map_shape = (48, 52, 10), (64, 64, 26)
    ncct_affine, map_affine = _affine((4.0, 4.0, 10.0), ncct_shape), _affine((4.0, 4.0, 5.0), map_shape)
    # Stored the other way round in x, as many scanners do.
    ncct_affine[:, 0] *= -1
    ncct_affine[0, 3] *= -1
    x, y, z = _points(ncct_shape, ncct_affine)
    brain = (x / 70) ** 2 + (y / 80) ** 2 + (z / 40) ** 2 < 1
    skull = ((x / 78) ** 2 + (y / 88) ** 2 + (z / 48) ** 2 < 1) & ~brain
    hu = np.where(brain, 35.0 + 3 * np.sign(np.abs(y) - 20), np.where(skull, 900.0, -1000.0))
    fixed = _points(map_shape, map_affine)
    tmax = np.tensordot(SLOPE, fixed, 1) + OFFSET
    volumes = {
        "ncct": Volume(hu, ncct_affine),
        "brain": Volume(brain, ncct_affine),
        "tmax": Volume(tmax, map_affine),
        "cbf": Volume(np.full(map_shape, 40.0), map_affine),
        "valid": Volume(fixed[2] > -20, map_affine),
    }
    for name, volume in volumes.items():
        write_nifti(folder / f"{name}.nii.gz", volume)
    plain = {"fixed_to_moving": TO_MOVING.tolist(), "kind": "study", **content}
    (folder / "case.json").write_text(json.dumps(plain))
    return folder


def test_maps_come_to_the_ncct_by_the_registration(tmp_path: Path):
    case = case_of_folder(write_case(tmp_path / "a"))
    points = _points(case.brain.shape, case.affine)
    fixed = np.einsum("ij,jxyz->ixyz", np.linalg.inv(TO_MOVING)[:3, :3], points - TO_MOVING[:3, 3, None, None, None])
    expected = np.tensordot(SLOPE, fixed, 1) + OFFSET
    # Voxels away from the edge of the coverage, where every neighbour is measured.
    safe = case.measured & (fixed[2] > -14)
    assert np.count_nonzero(safe) > 1000
    assert case.truth["tmax"][safe] == pytest.approx(expected[safe], abs=0.01)
    assert not case.measured[fixed[2] < -26].any()
    assert case.truth["tmax"][~case.measured].max() == 0
    assert case.grid == "native"


def test_a_case_of_a_hospital_has_a_deficit_when_its_maps_have_one(tmp_path: Path):
    case = case_of_folder(write_case(tmp_path / "a", site="M1", onset_to_imaging_h=2.5))
    assert case.has_deficit  # Tmax exceeds 6 s on one side of the ramp
    assert (case.about["site"], case.about["onset_h"], case.about["sign_clot"]) == ("M1", 2.5, None)


def test_a_phantoms_facts_are_what_was_drawn(tmp_path: Path):
    stroke = {"site": "M1", "side": "left", "onset_to_imaging_h": 3.0, "mimic": "none"}
    folder = write_case(
        tmp_path / "a", kind="phantom", seed=9, patient={"stroke": stroke}, sign={"clot": True, "core": False},
        scanner={"name": "thin_1mm"}, protocol={"name": "wide_160mm"},
    )  # fmt: skip
    about = case_of_folder(folder).about
    assert (about["site"], about["side"], about["sign_clot"], about["scanner"]) == ("M1", "left", True, "thin_1mm")


def test_a_folder_without_cases_is_refused(tmp_path: Path):
    write_case(tmp_path / "a")
    (tmp_path / "a" / "tmax.nii.gz").unlink()
    with pytest.raises(InputError) as caught:
        case_folders(tmp_path)
    assert caught.value.code == "no_cases"


def test_folders_of_programs_are_no_cases(tmp_path: Path):
    for name in ("a", ".b.making", ".superseded"):
        write_case(tmp_path / name)
    assert [folder.name for folder in case_folders(tmp_path)] == ["a"]


def test_models_and_rules_are_measured_on_the_ncct_grid(tmp_path: Path):
    from perfusynth.evaluation.model_figures.baselines.fit import shipped_baselines

    for name in ("a", "b"):
        write_case(tmp_path / "cases" / name)
    plan = Plan((write_tiny_bundle(tmp_path / "tiny"),), shipped_baselines(), tmp_path / "cases", None, "cpu")
    report = evaluate_cases(plan, tmp_path / "out")
    assert report["patients"] == report["patients_with_deficit"] == 2
    assert {f["overlap"]["dice_6"]["n"] for f in report["methods"].values()} == {2}
    assert report["methods"]["constant normal map"]["errors"]["mae_tmax_brain"]["value"] > 0
    assert report["methods"]["incidence map"]["volumes"]["tmax_6"]["all"]["bias_ml"]["n"] == 2


def test_a_phantom_folder_of_a_patient_that_was_trained_on_is_refused(tmp_path: Path):
    stroke = {"site": "M1", "side": "left", "onset_to_imaging_h": 3.0, "mimic": "none"}
    write_case(
        tmp_path / "cases" / "a", kind="phantom", seed=1_000_007, patient={"stroke": stroke},
        scanner={"name": "a"}, protocol={"name": "b"},
    )  # fmt: skip
    bundle = write_tiny_bundle(tmp_path / "tiny")
    path = bundle / "configs" / "metadata.json"
    metadata = json.loads(path.read_text())
    metadata["perfusynth"]["training"] = {"settings": {"train_seeds": [1_000_000, 1_000_100]}}
    path.write_text(json.dumps(metadata))
    with pytest.raises(InputError) as caught:
        evaluate_cases(Plan((bundle,), None, tmp_path / "cases"), tmp_path / "out")
    assert caught.value.code == "seen_patients"


def test_cases_without_a_registration_to_rely_on_are_left_out_and_named(tmp_path: Path):
    block = CaseRegistration(TO_MOVING, method="automatic", probability_over_2mm=0.03).as_dict()
    write_case(tmp_path / "cases" / "sure", registration=block)
    write_case(tmp_path / "cases" / "unsure", registration=block | {"probability_over_2mm": 0.8})
    write_case(tmp_path / "cases" / "unknown", fixed_to_moving=None)
    plan = Plan((write_tiny_bundle(tmp_path / "tiny"),), None, tmp_path / "cases", None, "cpu")
    out = tmp_path / "out"
    report = evaluate_cases(plan, out)
    assert report["patients"] == 1
    assert report["patients_are"] == "1 case folders, 2 left out"
    left_out = json.loads((out / "left_out.json").read_text())
    assert left_out["unsure"].startswith("registration: off by more than 2 mm with probability 0.80")
    assert left_out["unknown"].startswith("bad_transform")
    page = (out / "report.html").read_text()
    assert "unsure: registration" in page
    assert "unknown: bad_transform" in page
    corrected = CaseRegistration(TO_MOVING, method="annotator", verdict="corrected")
    keep_registration(tmp_path / "cases" / "unsure", corrected, b"a transform")
    assert evaluate_cases(plan, out)["patients"] == 2


def test_figures_measured_before_a_correction_are_not_shown_as_those_after_it(tmp_path: Path):
    write_case(tmp_path / "cases" / "a")
    plan = Plan((write_tiny_bundle(tmp_path / "tiny"),), None, tmp_path / "cases", None, "cpu")
    evaluate_cases(plan, tmp_path / "out")
    moved = TO_MOVING.copy()
    moved[0, 3] += 5
    keep_registration(tmp_path / "cases" / "a", CaseRegistration(moved, method="annotator"), b"a transform")
    with pytest.raises(InputError) as caught:
        evaluate_cases(plan, tmp_path / "out")
    assert caught.value.code == "other_registration"
    evaluate_cases(plan, tmp_path / "anew")
