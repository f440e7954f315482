"""The hypoperfusion as a label, out of the live model's maps; and edited regions that come back as labels."""

import gzip
import io
import json
import zipfile

import nibabel as nib
import numpy as np
import painted_deficit as painting
import pytest
import SimpleITK as sitk

from perfusynth.generators.bundles import read_bundle
from perfusynth.perfusion.notices import SYNTHETIC

REGION, MAPS = "ncct_hypoperfusion", "ncct_perfusion"
TAG = "hypoperfusion-edited"


def finished(server, task: str) -> zipfile.ZipFile:
    answer = server.call("POST", f"/jobs/{task}", json={"inputs": {"ncct": "case1__ncct"}})
    job = server.wait(answer.json()["id"])
    assert job["state"] == "done", job
    content = server.call("GET", f"/jobs/{job['id']}/result").content
    server.call("DELETE", f"/jobs/{job['id']}")
    return zipfile.ZipFile(io.BytesIO(content))


def nifti(content: bytes) -> nib.Nifti1Image:
    return nib.Nifti1Image.from_bytes(gzip.decompress(content))


@pytest.fixture(scope="module")
def region(painted) -> zipfile.ZipFile:
    return finished(painted, REGION)


@pytest.fixture(scope="module")
def maps(painted) -> zipfile.ZipFile:
    return finished(painted, MAPS)


def test_the_label_lies_where_the_deficit_was_painted(region):
    label = nifti(region.read("hypoperfusion.nii.gz"))
    assert label.get_data_dtype() == np.uint8
    assert np.array_equal(label.affine, painting.AFFINE.astype(np.float32))
    painted = painting.distance_mm(painting.SHAPE, painting.AFFINE) <= painting.RADIUS_MM
    found = np.asarray(label.dataobj)
    assert set(np.unique(found)) == {0, 1}
    both = np.count_nonzero(painted & (found == 1))
    assert 2 * both / (np.count_nonzero(painted) + np.count_nonzero(found)) > 0.97
    centre = nib.affines.apply_affine(label.affine, np.argwhere(found)).mean(0)
    middle = nib.affines.apply_affine(label.affine, (np.array(label.shape) - 1) / 2)
    assert np.linalg.norm(centre - middle - painting.CENTRE_MM) < 1.0, "left stays left on an oblique, flipped grid"


def test_the_label_is_the_region_that_the_measurements_measure(region, maps):
    label = nifti(region.read("hypoperfusion.nii.gz"))
    measured, of_maps = (json.loads(archive.read("measurements.json")) for archive in (region, maps))
    ml = np.count_nonzero(label.dataobj) * abs(np.linalg.det(label.affine[:3, :3])) / 1000
    assert ml == pytest.approx(measured["volumes_ml"]["6"], abs=0.01)
    for block in ("volumes_ml", "core", "mismatch_ml", "laterality", "notices", "model", "settings"):
        assert measured[block] == of_maps[block]
    assert measured["laterality"]["side"] == "left"
    assert measured["core"]["ml"] > 0, "the label holds the core, too"


def test_the_result_holds_the_label_in_the_place_of_the_maps(region, maps):
    assert sorted(region.namelist()) == ["brain.nii.gz", "hypoperfusion.nii.gz", "measurements.json"]
    assert {"tmax.nii.gz", "cbf.nii.gz"} < set(maps.namelist())
    assert json.loads(region.read("measurements.json"))["maps"] == []
    assert SYNTHETIC in nifti(region.read("hypoperfusion.nii.gz")).header["descrip"].item().decode()


def test_both_tasks_share_one_loaded_model(painted, region, maps):
    loads = (painted.home.parent / painting.LOADS).read_text().split()
    live = painted.call("GET", "/info/").json()["perfusynth"]["tasks"]
    assert loads == [live[MAPS]["model"]]
    assert live[REGION]["weights_sha256"] == live[MAPS]["weights_sha256"]


def test_info_tells_what_the_extension_asks_for(painted):
    info = painted.call("GET", "/info/").json()
    assert info["perfusynth"]["api"] >= 2
    assert [output["name"] for output in info["perfusynth"]["tasks"][REGION]["outputs"]] == ["hypoperfusion"]
    assert REGION not in info["trainers"]
    assert MAPS in info["trainers"]


def test_a_region_task_cannot_be_trained(painted):
    answer = painted.call("POST", f"/train/{REGION}", "admin", json={"data": "phantom"})
    assert (answer.status_code, answer.json()["code"]) == (422, "no_model_of_its_own")


# --- edited regions


@pytest.fixture
def mask() -> np.ndarray:
    return (painting.distance_mm(painting.SHAPE, painting.AFFINE) <= 12).astype(np.uint8)


def packed(array: np.ndarray, affine: np.ndarray = painting.AFFINE) -> bytes:
    image = nib.Nifti1Image(array, affine)
    image.header["descrip"] = b"DOE JOHN 1950"
    return gzip.compress(image.to_bytes(), 1)


def send(server, content: bytes, role: str = "annotator", name: str = "label.nii.gz", **params):
    files = {"label": (name, content), "params": (None, json.dumps(params))}
    return server.call("PUT", f"/datastore/label?image=case1__ncct&tag={TAG}", role, files=files)


def stored(server) -> nib.Nifti1Image:
    return nifti(server.call("GET", f"/datastore/label?label=case1__ncct&tag={TAG}").content)


def test_an_edited_region_is_kept_on_the_images_own_grid_without_the_uploads_header(painted, mask):
    answer = send(painted, packed(mask), comment="trimmed")
    assert answer.status_code == 200, answer.text
    label, image = stored(painted), nib.load(painted.studies / "case1" / "ncct.nii.gz")
    assert np.array_equal(np.asarray(label.dataobj), mask)
    assert np.array_equal(label.affine, image.affine)
    assert b"DOE" not in label.header.binaryblock
    info = painted.call("GET", f"/datastore/label/info?label=case1__ncct&tag={TAG}").json()
    assert (info["comment"], info["user"]) == ("trimmed", "annotator-person")
    assert info["ml"] == pytest.approx(mask.sum() * abs(np.linalg.det(painting.AFFINE[:3, :3])) / 1000, abs=0.01)


def test_what_another_programs_writer_makes_of_the_grid_fits(painted, mask, tmp_path):
    image = sitk.ReadImage(painted.studies / "case1" / "ncct.nii.gz")
    label = sitk.GetImageFromArray(mask.transpose(2, 1, 0))
    label.CopyInformation(image)
    for name in ("label.nii.gz", "label.nrrd"):
        sitk.WriteImage(label, tmp_path / name)
        assert send(painted, (tmp_path / name).read_bytes(), name=name).status_code == 200
        assert np.array_equal(np.asarray(stored(painted).dataobj), mask)
    files = list((painted.studies / ".perfusynth" / "labels" / TAG).iterdir())
    assert [file.name for file in files] == ["case1__ncct.nii.gz"]


def test_what_is_replaced_goes_into_the_history(painted, mask):
    first = send(painted, packed(mask), comment="first").json()["earlier"]
    empty = send(painted, packed(mask * 0), comment="none of it")
    assert empty.status_code == 200, "a reader may say that there is nothing"
    assert empty.json()["earlier"] == first + 1
    assert not np.asarray(stored(painted).dataobj).any()
    folder = painted.studies / ".perfusynth" / "label_history" / TAG / "case1__ncct"
    kept = nib.load(folder / f"{first + 1:04}.nii.gz")
    assert np.array_equal(np.asarray(kept.dataobj), mask), "the kept file is not the one that was written over"
    assert json.loads((folder / f"{first + 1:04}.info.json").read_text())["comment"] == "first"


def shifted(by_mm: float) -> np.ndarray:
    affine = painting.AFFINE.copy()
    affine[0, 3] += by_mm
    return affine


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda mask: packed(mask, shifted(0.5)), "other_grid"),
        (lambda mask: packed(mask[::-1].copy()[:-1]), "other_grid"),
        (lambda mask: packed(mask, painting.AFFINE @ np.diag([-1, 1, 1, 1.0])), "other_grid"),
        (lambda mask: packed(mask * 2), "not_a_mask"),
        (lambda mask: packed(mask * np.float32(0.5)), "not_a_mask"),
        (lambda mask: b"not an image", "unknown_format"),
        (lambda mask: packed(mask)[:200], "truncated_file"),
        (lambda mask: packed(np.stack([mask] * 2, -1)), "several_frames"),
    ],
)
def test_what_is_no_region_of_that_image_is_refused_and_changes_nothing(painted, mask, spoil, code):
    assert send(painted, packed(mask)).status_code == 200
    before = stored(painted).to_bytes()
    answer = send(painted, spoil(mask))
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert set(answer.json()) == {"code", "error", "expected", "got", "hint"}
    assert stored(painted).to_bytes() == before


def test_the_mask_of_everything_is_refused(tmp_path):
    from perfusynth.errors import InputError
    from perfusynth.server.edited_region import rewrite_edited_region

    affine = np.diag([2.0, 2.0, 4.0, 1.0])  # 80 x 80 x 80 voxels of 16 microlitres: 8.2 litres
    for name, value in (("image", 30), ("label", 1)):
        nib.save(nib.Nifti1Image(np.full((80, 80, 80), value, np.int16), affine), tmp_path / f"{name}.nii.gz")
    with pytest.raises(InputError) as refused:
        rewrite_edited_region(tmp_path / "label.nii.gz", tmp_path / "image.nii.gz", tmp_path / "out.nii.gz")
    assert refused.value.code == "not_a_mask"
    assert not (tmp_path / "out.nii.gz").exists()


def test_users_read_edited_regions_and_do_not_send_them(painted, mask):
    answer = send(painted, packed(mask), "user")
    assert (answer.status_code, answer.json()["expected"]) == (403, "the role annotator")


def test_the_shipped_bundle_says_what_the_label_says(painted):
    bundle = read_bundle(next(path for path in _model_folders() if path.name == "ncct_perfusion_compact"))
    [name] = painted.call("GET", "/info/").json()["models"][REGION]["labels"]
    assert name.startswith("Tmax > 6 s, SYNTHETIC - research use only")
    assert ("not valid for this patient" in name) == (bundle.spec.validated_on == "digital phantoms")


def _model_folders():
    from perfusynth.shared_files import shared_folders

    return [path for folder in shared_folders("models") for path in folder.iterdir()]
