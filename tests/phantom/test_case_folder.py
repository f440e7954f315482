"""A written case folder keeps the contract of case folders."""

import hashlib
import itertools
import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage

from perfusynth.errors import Cancelled, InputError
from perfusynth.phantom.case import write_case
from perfusynth.phantom.case.files import write_series
from perfusynth.phantom.case.grids import check_choices
from perfusynth.phantom.case.modalities import DEFAULT_MODALITIES, MODALITIES
from perfusynth.phantom.case.truth import FIELDS
from perfusynth.phantom.ct import grids as ct_grids
from perfusynth.phantom.ct.scanners import SCANNERS
from perfusynth.phantom.ctp import protocols
from perfusynth.phantom.ctp.protocols import Protocol
from perfusynth.phantom.grid import Grid
from perfusynth.phantom.patient import draw_patient
from perfusynth.phantom.version import PHANTOM_VERSION, parameter_hash
from perfusynth.volumes.nifti import form_disagreement, read_nifti

#: The case that ships with the project: made again here.
SEED = 4000020
SHIPPED = Path(__file__).resolve().parents[2] / "sample-data" / f"phantom-{SEED}" / "case.json"
SCANNER = SCANNERS["standard_5mm"]
#: A perfusion study and grids on which a whole case takes a second or two.
TINY = Protocol("tiny", 2.0, 40.0, 5.0, 12.0, 120.0, pixel_mm=5.6, matrix=40)
SMALL = {"ncct": "96x96x16", "cta": "96x96x16", "dwi": "48x48x10", "flair": "48x48x10"}


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(protocols.PROTOCOLS, "tiny", TINY)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    grids = {"cta": SMALL["cta"]}  # else the CTA alone would take half of the time
    return write_case(tmp_path_factory.mktemp("cases") / "one", SEED, SCANNER, grids=grids, misregistration=2.0)


@pytest.fixture(scope="module")
def case(folder: Path) -> dict:
    return json.loads((folder / "case.json").read_text())


def test_a_case_has_exactly_the_named_files(folder: Path):
    assert {path.name for path in folder.iterdir()} == {
        *(f"{name}.nii.gz" for name in DEFAULT_MODALITIES),
        "truth",
        "case.json",
    }
    assert {path.name for path in (folder / "truth").iterdir()} == {f"{name}.nii.gz" for name in FIELDS}


def test_every_file_lies_on_the_grid_that_case_json_names(folder: Path, case: dict):
    images = {path.name.split(".")[0]: nib.load(path) for path in folder.glob("*.nii.gz")}
    for name, image in images.items():
        described = case["modalities"][name]
        assert list(image.shape) == described["shape"]
        assert np.allclose(image.affine, described["affine"], atol=1e-4)
        assert nib.aff2axcodes(image.affine) == ("R", "A", "S")
        assert image.get_data_dtype() == MODALITIES[name].dtype
        assert described["frame"] == ("moving" if name in ("ncct", "brain", "cta") else "fixed")
    assert images["ncct"].shape[:2] == (512, 512)
    assert np.array_equal(images["brain"].affine, images["ncct"].affine)
    assert images["dwi"].shape[:2] == (128, 128)
    assert images["flair"].shape[:2] == (256, 256)
    for name in ("cbf", "cbv", "mtt", "valid", "core"):
        assert np.array_equal(images[name].affine, images["tmax"].affine)
    for path in (folder / "truth").iterdir():
        assert np.array_equal(nib.load(path).affine, images["tmax"].affine)


def test_case_json_holds_everything_drawn_and_recognises_the_ncct(folder: Path, case: dict):
    assert case["kind"] == "phantom"
    assert case["phantom_version"] == PHANTOM_VERSION
    assert case["parameter_hash"] == parameter_hash()
    assert case["patient"] == draw_patient(SEED).as_dict()
    assert case["scanner"]["name"] == "standard_5mm"
    assert case["protocol"]["name"] in protocols.PROTOCOLS
    assert case["noise_seeds"] == dict.fromkeys(DEFAULT_MODALITIES, SEED)
    assert "sign" in case
    voxels = np.asarray(nib.as_closest_canonical(nib.load(folder / "ncct.nii.gz")).dataobj).astype("<i2")
    assert case["ncct_sha256"] == hashlib.sha256(np.ascontiguousarray(voxels).tobytes()).hexdigest()


def test_volumes_are_those_of_the_files(folder: Path, case: dict):
    tmax, core = (nib.load(folder / f"{name}.nii.gz") for name in ("tmax", "core"))
    expected = nib.load(folder / "truth" / "tmax_expected.nii.gz")
    voxel_ml = abs(np.linalg.det(tmax.affine[:3, :3])) / 1000
    assert case["volumes_ml"]["tmax_over_6_s"] == pytest.approx((tmax.get_fdata() > 6).sum() * voxel_ml, rel=1e-3)
    assert case["volumes_ml"]["core"] == pytest.approx((core.get_fdata() > 0).sum() * voxel_ml, rel=1e-3, abs=0.01)
    truth_ml = case["truth_volumes_ml"]
    assert truth_ml["tmax_over_6_s"] == pytest.approx((expected.get_fdata() > 6).sum() * voxel_ml, rel=1e-3)
    assert case["volumes_ml"]["brain"] > 900


def test_fixed_to_moving_brings_the_mr_onto_the_ncct(folder: Path, case: dict):
    moving, adc = nib.load(folder / "brain.nii.gz"), nib.load(folder / "adc.nii.gz")
    brain = np.argwhere(np.asarray(moving.dataobj)[::4, ::4] > 0) * [4, 4, 1]
    points = nib.affines.apply_affine(moving.affine, brain)
    matrix = np.asarray(case["fixed_to_moving"])
    assert np.abs(matrix - np.eye(4)).max() > 0.01

    def share_on_tissue(transform: np.ndarray) -> float:
        index = nib.affines.apply_affine(np.linalg.inv(adc.affine) @ np.linalg.inv(transform), points)
        return float((ndimage.map_coordinates(adc.get_fdata(), index.T, order=1) > 400).mean())

    assert share_on_tissue(matrix) > 0.97
    wrong = matrix.copy()
    wrong[:3, 3] += 12
    assert share_on_tissue(wrong) < share_on_tissue(matrix) - 0.02


def test_the_phantom_is_frozen_the_shipped_case_comes_out_again(tmp_path: Path):
    shipped = json.loads(SHIPPED.read_text())
    settings = shipped["settings"]
    made = write_case(
        tmp_path / "again",
        SEED,
        SCANNERS[settings["scanner"]["name"]],
        modalities=settings["modalities"],
        grids=settings["grid_choices"],
        protocol=settings["protocol"]["name"],
        misregistration=settings["misregistration"],
    )
    again = json.loads((made / "case.json").read_text())
    for name in ("phantom_version", "parameter_hash", "scanner"):
        assert again[name] == shipped[name]
    assert again["volumes_ml"] == pytest.approx(shipped["volumes_ml"], rel=1e-3, abs=0.05)


def test_the_parameter_hash_does_not_depend_on_the_run():
    assert parameter_hash() == parameter_hash()
    assert len(parameter_hash()) == 64


@pytest.mark.usefixtures("tiny")
def test_a_stopped_case_is_made_anew_a_complete_one_is_left_and_another_refused(tmp_path: Path):
    def make(name: str, **changes) -> Path:
        wanted = {"modalities": ("ncct", "tmax", "core"), "grids": SMALL, "protocol": "tiny"} | changes
        return write_case(tmp_path / name, 5, SCANNER, **wanted)

    def stop(stage: str, fraction: float) -> None:
        if stage == "core":
            raise Cancelled

    with pytest.raises(Cancelled):
        make("a", on_progress=stop)
    assert (tmp_path / "a" / "ncct.nii.gz").exists()
    assert not (tmp_path / "a" / "case.json").exists()
    make("a")
    make("b")
    files = [path for path in (tmp_path / "a").rglob("*") if path.is_file()]
    assert len(files) == 4 + len(FIELDS)
    for path in files:
        assert path.read_bytes() == (tmp_path / "b" / path.relative_to(tmp_path / "a")).read_bytes()
    before = {path: path.stat().st_mtime_ns for path in files}
    make("a")
    assert before == {path: path.stat().st_mtime_ns for path in files}
    with pytest.raises(InputError, match="misregistration") as other:
        make("a", misregistration=0.5)
    assert other.value.code == "other_case"
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "ncct.nii.gz").write_text("mine")
    with pytest.raises(InputError) as foreign:
        make("c")
    assert foreign.value.code == "exists"
    assert (tmp_path / "c" / "ncct.nii.gz").read_text() == "mine"


@pytest.mark.usefixtures("tiny")
def test_ctp_is_a_series_with_its_times_and_its_motion(tmp_path: Path):
    made = write_case(tmp_path / "ctp", 5, SCANNER, modalities=["ctp"], protocol="tiny", motion=False)
    image, case = nib.load(made / "ctp.nii.gz"), json.loads((made / "case.json").read_text())
    assert image.shape == (40, 40, 10, 20)
    assert image.header["pixdim"][4] == pytest.approx(2.0)
    assert image.header.get_xyzt_units() == ("mm", "sec")
    assert image.get_data_dtype() == np.int16
    assert case["ctp"]["times_s"] == list(np.arange(20) * 2.0)
    assert all(np.array_equal(matrix, np.eye(4)) for matrix in case["ctp"]["head_to_frame"])
    # The bolus comes and goes: the brain is brighter on its way than before.
    inside = np.asarray(nib.load(made / "truth" / "cbf.nii.gz").dataobj) > 20
    curve = image.get_fdata()[inside].mean(axis=0)
    assert curve.max() - curve[:3].mean() > 2
    assert 3 < int(curve.argmax()) < 19


def test_a_series_is_written_frame_by_frame(tmp_path: Path):
    grid = Grid((5, 4, 3), np.diag([2.0, 2.0, 5.0, 1.0]), 5.0)
    truth = np.arange(5 * 4 * 3 * 7).reshape(5, 4, 3, 7).astype(np.float32)
    asked = []

    def frames():
        for k in range(7):
            asked.append(k)
            yield truth[..., k]

    write_series(tmp_path / "s.nii.gz", frames(), 7, 1.5, grid, "test")
    image = nib.load(tmp_path / "s.nii.gz")
    assert np.array_equal(image.get_fdata(), truth)
    assert asked == list(range(7))
    assert image.header["pixdim"][4] == pytest.approx(1.5)
    with pytest.raises(ValueError, match="expected 8 frames"):
        write_series(tmp_path / "t.nii.gz", frames(), 8, 1.5, grid, "test")
    assert [path.name for path in tmp_path.iterdir()] == ["s.nii.gz"]


def test_a_thin_pair_has_labels_where_its_centre_lines_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ct_grids, "THIN_PAIR_SPACING_MM", (1.4, 1.4, 2.5))
    monkeypatch.setattr(ct_grids, "THIN_PAIR_MATRIX", 150)
    made = write_case(tmp_path / "thin", 5, SCANNER, modalities=["thin"], misregistration=2.0) / "thin"
    labels, cta, ncct = (nib.load(made / f"{name}.nii.gz") for name in ("artery_labels", "cta", "ncct"))
    assert labels.shape == cta.shape == ncct.shape
    assert np.array_equal(labels.affine, cta.affine)
    lines = json.loads((made / "centre_lines.json").read_text())
    on_label, brighter = [], []
    for line in lines["arteries"]:
        if line["name"] not in ("M1", "basilar") or min(line["radii_mm"]) < 1:
            continue
        voxels = np.rint(nib.affines.apply_affine(np.linalg.inv(labels.affine), line["points"])).astype(int)
        inside = ((voxels >= 0) & (voxels < labels.shape)).all(axis=1)
        at = tuple(voxels[inside].T)
        on_label += list(np.asarray(labels.dataobj)[at] == line["label"])
        if not line["occluded"]:
            brighter += list(np.asarray(cta.dataobj)[at] - np.asarray(ncct.dataobj)[at])
    assert len(on_label) > 10
    assert np.mean(on_label) > 0.6
    assert np.median(brighter) > 100


@pytest.mark.usefixtures("tiny")
def test_grids_follow_their_choice(tmp_path: Path):
    grids = {"tmax": "ncct", "ncct": "64x64x12", "adc": "model", "flair": "50x60x7"}
    made = write_case(
        tmp_path / "g", 6, SCANNER, modalities=["ncct", "tmax", "adc", "flair"], grids=grids, protocol="tiny"
    )
    images = {path.name.split(".")[0]: nib.load(path) for path in made.glob("*.nii.gz")}
    case = json.loads((made / "case.json").read_text())
    assert images["tmax"].shape == images["ncct"].shape == (64, 64, 12)
    assert np.array_equal(images["tmax"].affine, images["ncct"].affine)
    assert case["modalities"]["tmax"]["frame"] == "moving"
    assert images["adc"].shape[:2] == (192, 192)
    assert images["adc"].header.get_zooms() == pytest.approx((1.2, 1.2, 5.0))
    assert images["flair"].shape == (50, 60, 7)
    # The same field of view as 256 voxels of 0.9 mm.
    assert np.array(images["flair"].header.get_zooms()[:2]) * [50, 60] == pytest.approx([230.4, 230.4], rel=1e-5)


@pytest.mark.parametrize(
    "choices",
    [{"ncct": "huge"}, {"mri": "native"}, {"cbf": "tmax", "tmax": "cbf"}, {"ncct": "3x3x3"}, {"ctp": "model"}],
)
def test_grids_that_cannot_be_are_refused(choices: dict[str, str]):
    with pytest.raises(InputError) as refused:
        check_choices(choices)
    assert refused.value.code == "bad_grid"


def test_a_tilted_gantry_leaves_a_sheared_volume_that_readers_place_rightly(tmp_path: Path):
    tilted = SCANNERS["tilted_5mm"]
    made = write_case(tmp_path / "t", 6, tilted, modalities=["ncct"], grids={"ncct": "64x64x12"}, misregistration=0)
    volume, case = read_nifti(made / "ncct.nii.gz"), json.loads((made / "case.json").read_text())
    assert case["fixed_to_moving"] == np.eye(4).tolist()
    axes = volume.affine[:3, :3] / volume.spacing
    assert abs(axes[:, 1] @ axes[:, 2]) > 0.1
    assert np.allclose(volume.affine, case["modalities"]["ncct"]["affine"], atol=1e-4)
    assert form_disagreement(volume.header) is None


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"modalities": ["pet"]}, "unknown_modality"),
        ({"modalities": []}, "unknown_modality"),
        ({"protocol": "fast"}, "unknown_protocol"),
        ({"anatomy": "martian"}, "unknown_anatomy"),
        ({"lesions": "invented"}, "unknown_lesions"),
        ({"finding": "hope"}, "unknown_finding"),
        ({"misregistration": -1.0}, "bad_misregistration"),
    ],
)
def test_unknown_settings_are_refused_before_anything_is_written(tmp_path: Path, changes: dict, code: str):
    with pytest.raises(InputError) as refused:
        write_case(tmp_path / "never", 1, SCANNER, **changes)
    assert refused.value.code == code
    assert not list(itertools.chain(tmp_path.iterdir()))


@pytest.mark.usefixtures("public_data")
def test_an_external_patient_has_another_anatomy_and_a_real_infarct(tmp_path: Path):
    options = {"modalities": ["core", "valid"], "grids": dict.fromkeys(("core", "valid"), "64x64x16")}
    external = {"anatomy": "older_adult_ct", "lesions": "real"}
    made = write_case(tmp_path / "external", 9, SCANNERS["external_2_5mm"], **options, **external)
    content = json.loads((made / "case.json").read_text())
    assert content["patient"]["head"]["anatomy"] == "older_adult_ct"
    assert content["patient"]["stroke"]["lesion_shape"].startswith("bwsrsub-")
    assert content["volumes_ml"]["core"] > 1
