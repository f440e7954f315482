"""Volumes on disk: places and values as nibabel, the server and ITK see them."""

import gzip

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from PerfuSynthLib.grid_volume import GridVolume
from PerfuSynthLib.nifti_file import read_image, read_nifti, write_nifti
from PerfuSynthLib.problems import Problem

from perfusynth.volumes.nifti import read_nifti as read_as_server


def rotated(degrees: float, flips: tuple[float, float, float] = (1, 1, 1)) -> np.ndarray:
    """An oblique grid of 0.5 x 0.6 x 5 mm, some axes reversed."""
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    tilt = np.array([[1, 0, 0], [0, np.cos(angle / 2), -np.sin(angle / 2)], [0, np.sin(angle / 2), np.cos(angle / 2)]])
    affine = np.eye(4)
    affine[:3, :3] = turn @ tilt @ np.diag(np.array([0.5, 0.6, 5]) * flips)
    affine[:3, 3] = [-80.5, 31.25, -17]
    return affine


GRIDS = [rotated(0), rotated(0, (-1, -1, 1)), rotated(17), rotated(-40, (1, -1, -1)), rotated(0)[[1, 2, 0, 3]]]


@pytest.fixture
def values() -> np.ndarray:
    return np.random.default_rng(1).integers(-1000, 2000, (7, 8, 5)).astype(np.int16)


@pytest.mark.parametrize("affine", GRIDS)
@pytest.mark.parametrize("name", ["x.nii", "x.nii.gz"])
def test_every_voxel_lies_where_nibabel_and_the_server_find_it(tmp_path, values, affine, name):
    write_nifti(tmp_path / name, GridVolume(values, affine))

    found, there = nib.load(tmp_path / name), read_as_server(tmp_path / name)
    np.testing.assert_array_equal(np.asarray(found.dataobj), values)
    np.testing.assert_allclose(found.affine, affine, atol=1e-4)
    np.testing.assert_array_equal(there.array, values)
    np.testing.assert_allclose(there.affine, affine, atol=1e-4)
    assert sorted(path.name for path in tmp_path.iterdir()) == [name]


@pytest.mark.parametrize("affine", GRIDS)
def test_what_nibabel_wrote_is_read_at_its_place(tmp_path, values, affine):
    nib.save(nib.Nifti1Image(values, affine), tmp_path / "x.nii.gz")
    volume = read_nifti(tmp_path / "x.nii.gz")
    np.testing.assert_array_equal(volume.array, values)
    np.testing.assert_allclose(volume.affine, affine, atol=1e-4)
    assert volume.array.dtype == np.int16
    np.testing.assert_allclose(volume.spacing, nib.affines.voxel_sizes(affine), atol=1e-5)
    assert volume.voxel_ml == pytest.approx(abs(np.linalg.det(affine[:3, :3])) / 1000, rel=1e-5)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.float32])
def test_types_come_back(tmp_path, dtype):
    array = np.arange(24).reshape(2, 3, 4).astype(dtype)
    write_nifti(tmp_path / "x.nii.gz", GridVolume(array, np.eye(4)))
    assert read_nifti(tmp_path / "x.nii.gz").array.dtype == dtype


def test_masks_become_zeros_and_ones(tmp_path):
    mask = np.zeros((3, 4, 5), bool)
    mask[1, 2, 3] = True
    write_nifti(tmp_path / "x.nii", GridVolume(mask, np.eye(4)))
    found = np.asarray(nib.load(tmp_path / "x.nii").dataobj)
    assert found.dtype == np.uint8
    assert np.argwhere(found == 1).tolist() == [[1, 2, 3]]


def test_nothing_but_voxels_and_grid_travels(tmp_path, values):
    write_nifti(tmp_path / "patient-name.nii.gz", GridVolume(values, rotated(10)))
    raw = gzip.decompress((tmp_path / "patient-name.nii.gz").read_bytes())
    header = nib.Nifti1Header(raw[:348])
    assert all(not bytes(header[name]).strip(b"\0") for name in ("descrip", "aux_file", "intent_name", "db_name"))
    assert int(header["vox_offset"]) == 352 == len(raw) - values.nbytes
    assert b"patient" not in (tmp_path / "patient-name.nii.gz").read_bytes()


def test_the_order_in_memory_does_not_matter(tmp_path, values):
    write_nifti(tmp_path / "c.nii", GridVolume(np.ascontiguousarray(values), np.eye(4)))
    write_nifti(tmp_path / "f.nii", GridVolume(np.asfortranarray(values), np.eye(4)))
    assert (tmp_path / "c.nii").read_bytes() == (tmp_path / "f.nii").read_bytes()


def test_a_sheared_grid_is_refused_both_ways(tmp_path, values):
    sheared = np.eye(4)
    sheared[0, 2] = 0.3
    with pytest.raises(Problem, match="right angles"):
        write_nifti(tmp_path / "x.nii", GridVolume(values, sheared))
    assert not list(tmp_path.iterdir())
    nib.save(nib.Nifti1Image(values, sheared), tmp_path / "x.nii")
    with pytest.raises(Problem) as caught:
        read_nifti(tmp_path / "x.nii")
    assert caught.value.code == "bad_volume"


def test_what_is_no_volume_is_refused(tmp_path, values):
    nib.save(nib.Nifti1Image(np.stack([values, values], -1), np.eye(4)), tmp_path / "frames.nii")
    (tmp_path / "text.nii").write_text("no image")
    nib.save(nib.Nifti1Image(values, np.eye(4)), tmp_path / "cut.nii.gz")
    (tmp_path / "cut.nii.gz").write_bytes((tmp_path / "cut.nii.gz").read_bytes()[:200])
    nib.save(nib.Nifti1Image(values, np.eye(4)), tmp_path / "short.nii")
    (tmp_path / "short.nii").write_bytes((tmp_path / "short.nii").read_bytes()[:-1])
    for name in ("frames.nii", "text.nii", "cut.nii.gz", "short.nii", "missing.nii", "missing.nii.gz"):
        with pytest.raises(Problem) as caught:
            read_nifti(tmp_path / name)
        assert caught.value.code == "bad_volume", name
    with pytest.raises(Problem):
        write_nifti(tmp_path / "x.nii", GridVolume(values[0], np.eye(4)))
    with pytest.raises(Problem):
        write_nifti(tmp_path / "x.nii", GridVolume(values, np.zeros((4, 4))))


def test_a_damaged_byte_in_a_gzipped_file_is_told(tmp_path, values):
    write_nifti(tmp_path / "x.nii.gz", GridVolume(values, np.eye(4)))
    content = (tmp_path / "x.nii.gz").read_bytes()
    for place in range(20, len(content), 23):
        spoiled = content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]
        (tmp_path / "x.nii.gz").write_bytes(spoiled)
        with pytest.raises(Problem):
            read_nifti(tmp_path / "x.nii.gz")


def test_a_small_file_cannot_fill_the_disk(tmp_path, monkeypatch):
    monkeypatch.setattr("PerfuSynthLib.nifti_file.MAX_UNPACKED_BYTES", 2_000_000)
    write_nifti(tmp_path / "x.nii.gz", GridVolume(np.zeros((128, 128, 80), np.int16), np.eye(4)))
    assert (tmp_path / "x.nii.gz").stat().st_size < 20_000
    with pytest.raises(Problem, match="larger"):
        read_nifti(tmp_path / "x.nii.gz")


def test_values_that_are_no_numbers_are_refused(tmp_path):
    array = np.full((3, 3, 3), np.nan, np.float32)
    sitk.WriteImage(sitk.GetImageFromArray(array), str(tmp_path / "x.nrrd"))
    with pytest.raises(Problem, match="no numbers"):
        read_image(tmp_path / "x.nrrd")


def test_a_folder_that_is_not_there_is_told(tmp_path, values):
    with pytest.raises(Problem) as caught:
        write_nifti(tmp_path / "nowhere" / "x.nii.gz", GridVolume(values, np.eye(4)))
    assert caught.value.code == "disk"


@pytest.mark.parametrize("name", ["x.nii", "x.nii.gz", "x.nrrd"])
def test_a_strangers_file_is_known_by_its_content(tmp_path, values, name):
    affine = rotated(25)
    write_nifti(tmp_path / "y.nii", GridVolume(values, affine))
    sitk.WriteImage(sitk.ReadImage(str(tmp_path / "y.nii")), str(tmp_path / name))
    volume = read_image((tmp_path / name).rename(tmp_path / "download"))
    np.testing.assert_array_equal(volume.array, values)
    np.testing.assert_allclose(volume.affine, affine, atol=1e-4)


@pytest.mark.parametrize("field", ["data file: secret.raw", "datafile: secret.raw", "Data File: LIST"])
def test_a_nrrd_cannot_name_files_of_this_machine(tmp_path, field):
    (tmp_path / "secret.raw").write_bytes(bytes(8))
    head = f"NRRD0004\r\ntype: uchar\r\ndimension: 3\r\nsizes: 2 2 2\r\nencoding: raw\r\n{field}\r\n\r\n"
    (tmp_path / "download").write_bytes(head.encode())
    with pytest.raises(Problem, match="another file"):
        read_image(tmp_path / "download")
