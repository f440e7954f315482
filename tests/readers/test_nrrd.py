"""NRRD files, against SimpleITK's own writer."""

import nrrd
import numpy as np
import pytest
import SimpleITK as sitk

from perfusynth.errors import InputError
from perfusynth.readers.read import read_scan
from perfusynth.volumes.geometry import corners


@pytest.fixture
def image() -> sitk.Image:
    rng = np.random.default_rng(1)
    image = sitk.GetImageFromArray(rng.integers(-1000, 1000, (5, 7, 9)).astype(np.int16))
    image.SetSpacing((0.5, 0.6, 4.0))
    image.SetOrigin((-30.0, 20.0, 7.0))
    image.SetDirection((-1, 0, 0, 0, 0.8, -0.6, 0, 0.6, 0.8))
    return image


def code_of(path) -> str:
    with pytest.raises(InputError) as caught:
        read_scan(path)
    return caught.value.code


@pytest.mark.parametrize("compressed", [False, True])
def test_grid_and_values_equal_those_of_simpleitk(compressed, image, tmp_path):
    path = tmp_path / "odd name"
    sitk.WriteImage(image, str(tmp_path / "a.nrrd"), useCompression=compressed)
    (tmp_path / "a.nrrd").rename(path)
    scan = read_scan(path)
    assert (scan.kind, scan.resampled) == ("nrrd", False)
    np.testing.assert_array_equal(scan.volume.array, sitk.GetArrayFromImage(image).T)
    ends = [[i, j, k] for i in (0, 8) for j in (0, 6) for k in (0, 4)]
    lps = np.array([image.TransformIndexToPhysicalPoint(end) for end in ends])
    np.testing.assert_allclose(corners(scan.volume.shape, scan.volume.affine), lps * [-1, -1, 1], atol=1e-6)


@pytest.mark.parametrize(
    ("space", "signs"), [("RAS", (1, 1, 1)), ("left-anterior-superior", (-1, 1, 1)), ("LPS", (-1, -1, 1))]
)
@pytest.mark.parametrize("encoding", ["raw", "gzip", "bzip2"])
def test_every_space_becomes_ras(space, signs, encoding, tmp_path):
    array = np.arange(60, dtype=np.float32).reshape(3, 4, 5)
    header = {
        "space": space,
        "space directions": np.diag([2.0, 3, 4]),
        "space origin": [10, 20, 30],
        "encoding": encoding,
    }
    nrrd.write(str(tmp_path / "a.nrrd"), array, header)
    volume = read_scan(tmp_path / "a.nrrd").volume
    np.testing.assert_array_equal(volume.array, array)
    np.testing.assert_allclose(volume.affine[:3], np.diag(signs) @ np.c_[np.diag([2.0, 3, 4]), [10, 20, 30]])


def test_a_detached_header_reads_its_neighbour_only(tmp_path):
    array = np.arange(60, dtype=np.int16).reshape(3, 4, 5)
    header = {"space": "RAS", "space directions": np.eye(3), "space origin": [0, 0, 0], "encoding": "raw"}
    nrrd.write(str(tmp_path / "a.nhdr"), array, header)
    np.testing.assert_array_equal(read_scan(tmp_path / "a.nhdr").volume.array, array)
    elsewhere = tmp_path / "b"
    elsewhere.mkdir()
    text = (tmp_path / "a.nhdr").read_text().replace("data file: a.raw", "data file: ../a.raw")
    assert "../a.raw" in text
    (elsewhere / "a.nhdr").write_text(text)
    assert code_of(elsewhere / "a.nhdr") == "bad_nrrd"


def test_a_sheared_grid_is_straightened(tmp_path):
    x, y, z = np.mgrid[:12, :14, :6].astype(np.float32)
    directions = np.array([[1.0, 0, 0], [0, 1, 0], [0, 1.5, 4]])
    values = 5 * x + 3 * (y + 1.5 * z) + 2 * 4 * z
    header = {"space": "RAS", "space directions": directions, "space origin": [0, 0, 0]}
    nrrd.write(str(tmp_path / "a.nrrd"), values, header)
    scan = read_scan(tmp_path / "a.nrrd")
    assert scan.resampled
    assert any("sheared" in note for note in scan.notes)


def _write(path, change):
    header = {"space": "RAS", "space directions": np.eye(3), "space origin": [0, 0, 0], "encoding": "raw"}
    nrrd.write(str(path), np.zeros((3, 4, 5), np.float32), header)
    head, voxels = path.read_bytes().split(b"\n\n", 1)
    path.write_bytes(change(head) + b"\n\n" + voxels)


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        (b"space: RAS", b"space: scanner-xyz", "no_orientation"),
        (b"space: RAS\n", b"", "no_orientation"),
        (b"space origin: (0,0,0)", b"space origin: (0,nan,0)", "no_orientation"),
        (b"sizes: 3 4 5", b"sizes: 5000 5000 5000", "too_large"),
        (b"sizes: 3 4 5", b"sizes: 3 4 6", "bad_nrrd"),
        (b"sizes: 3 4 5", b"sizes: 3 20", "not_3d"),
        (b"type: float", b"type: block", "unsupported_type"),
        (b"encoding: raw", b"encoding: ascii", "bad_nrrd"),
        (b"encoding: raw", b"encoding: gzip", "bad_nrrd"),
        (b"encoding: raw", b"encoding: raw\nbyte skip: 3", "bad_nrrd"),
        (b"dimension: 3", b"dimension: x", "bad_nrrd"),
    ],
)
def test_a_header_that_cannot_be_trusted_is_refused(old, new, code, tmp_path):
    def change(head):
        assert old in head
        return head.replace(old, new)

    _write(tmp_path / "a.nrrd", change)
    assert code_of(tmp_path / "a.nrrd") == code


def test_nan_is_refused(tmp_path):
    array = np.zeros((3, 4, 5), np.float32)
    array[1, 1, 1] = np.nan
    nrrd.write(
        str(tmp_path / "a.nrrd"), array, {"space": "RAS", "space directions": np.eye(3), "space origin": [0, 0, 0]}
    )
    assert code_of(tmp_path / "a.nrrd") == "not_finite"
