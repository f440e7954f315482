"""A written case folder keeps the contract of case folders."""

import hashlib
import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from perfusynth.phantom.case import write_case
from perfusynth.phantom.ct.scanners import SCANNERS
from perfusynth.phantom.patient import draw_patient
from perfusynth.phantom.version import PHANTOM_VERSION, parameter_hash

#: The case that ships with the project: made again here.
SEED = 4000017
SHIPPED = Path(__file__).resolve().parents[2] / "sample-data" / f"phantom-{SEED}" / "case.json"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_case(tmp_path_factory.mktemp("cases") / "one", SEED, SCANNERS["standard_5mm"])


def test_a_case_has_exactly_the_named_files(folder: Path):
    names = {path.name for path in folder.iterdir()}
    assert names == {*(f"{n}.nii.gz" for n in ("ncct", "tmax", "cbf", "core", "brain", "valid")), "case.json"}


def test_volumes_share_one_grid_and_have_their_types(folder: Path):
    images = {path.name.split(".")[0]: nib.load(path) for path in folder.glob("*.nii.gz")}
    for image in images.values():
        assert image.shape == images["ncct"].shape
        assert np.array_equal(image.affine, images["ncct"].affine)
        assert nib.aff2axcodes(image.affine) == ("R", "A", "S")
    assert images["ncct"].shape[:2] == (512, 512)
    assert images["ncct"].get_data_dtype() == np.int16
    assert images["tmax"].get_data_dtype() == images["cbf"].get_data_dtype() == np.float32
    assert all(images[name].get_data_dtype() == np.uint8 for name in ("core", "brain", "valid"))


def test_case_json_holds_everything_drawn_and_recognises_the_ncct(folder: Path):
    case = json.loads((folder / "case.json").read_text())
    assert case["phantom_version"] == PHANTOM_VERSION
    assert case["parameter_hash"] == parameter_hash()
    assert case["patient"] == draw_patient(SEED).as_dict()
    assert case["scanner"]["name"] == "standard_5mm"
    assert case["fixed_to_moving"] == np.eye(4).tolist()
    voxels = np.asarray(nib.as_closest_canonical(nib.load(folder / "ncct.nii.gz")).dataobj).astype("<i2")
    assert case["ncct_sha256"] == hashlib.sha256(np.ascontiguousarray(voxels).tobytes()).hexdigest()
    tmax = nib.load(folder / "tmax.nii.gz")
    voxel_ml = abs(np.linalg.det(tmax.affine[:3, :3])) / 1000
    assert case["volumes_ml"]["tmax_over_6_s"] == pytest.approx((tmax.get_fdata() > 6).sum() * voxel_ml, rel=1e-3)


def test_the_phantom_is_frozen_the_shipped_case_comes_out_again(folder: Path):
    made, shipped = json.loads((folder / "case.json").read_text()), json.loads(SHIPPED.read_text())
    for name in ("phantom_version", "parameter_hash", "scanner"):
        assert made[name] == shipped[name]
    assert made["volumes_ml"] == pytest.approx(shipped["volumes_ml"], rel=1e-3, abs=0.05)


def test_the_parameter_hash_does_not_depend_on_the_run():
    assert parameter_hash() == parameter_hash()
    assert len(parameter_hash()) == 64
