"""`read_scan` on files: content decides, one hash for one scan, nothing bad comes through."""

import gzip
import os
import subprocess
import sys

import nibabel as nib
import numpy as np
import pytest

from perfusynth.errors import InputError
from perfusynth.readers.read import read_scan
from perfusynth.volumes.fingerprint import voxel_sha256
from perfusynth.volumes.volume import Volume


@pytest.fixture
def hu():
    return np.random.default_rng(0).integers(-1000, 1000, (9, 8, 7)).astype(np.int16)


def save(path, array, affine=None):
    nib.save(nib.Nifti1Image(array, np.diag([-1, -1, 5.0, 1]) if affine is None else affine), path)
    return path


@pytest.mark.parametrize("name", ["scan", "scan.dcm", "scan.nrrd"])
@pytest.mark.parametrize("packed", [False, True])
def test_the_name_of_a_nifti_does_not_matter(name, packed, hu, tmp_path):
    path = save(tmp_path / ("a.nii.gz" if packed else "a.nii"), hu).rename(tmp_path / name)
    scan = read_scan(path)
    assert (scan.kind, scan.resampled, scan.notes) == ("nifti", False, ())
    np.testing.assert_array_equal(scan.volume.array, hu)


def test_one_scan_has_one_hash_however_it_is_stored(hu, tmp_path, write_series, along_z, headers):
    folder = write_series(tmp_path / "d", along_z([0, 5, 10, 15]))
    dicom = read_scan(folder)
    stored = np.stack([np.maximum(d.pixel_array.astype(int) - 1024, -1024) for d in headers(folder)], -1)
    array = stored.transpose(1, 0, 2).astype(np.int16)  # column, row, slice: left, back, head
    lps = save(tmp_path / "lps.nii.gz", array)
    ras = save(tmp_path / "ras.nii", array[::-1, ::-1], np.diag([1, 1, 5.0, 1]))
    hashes = {read_scan(lps).source_sha256, read_scan(ras).source_sha256, dicom.source_sha256}
    assert len(hashes) == 1
    other = array.copy()
    other[0, 0, 0] += 1
    assert read_scan(save(tmp_path / "other.nii", other)).source_sha256 not in hashes


def test_the_hash_is_what_it_says(hu):
    import hashlib

    flipped = Volume(hu[::-1].astype(np.float32) + 0.3, np.diag([-1, 1, 1, 1.0]))
    assert voxel_sha256(flipped) == hashlib.sha256(hu.astype("<i2").tobytes(order="C")).hexdigest()


def test_padding_becomes_air_and_is_told(hu, tmp_path):
    hu[0] = -3024
    scan = read_scan(save(tmp_path / "a.nii", hu))
    assert scan.volume.array.min() == -1024
    assert "padding" in scan.notes[0]


def test_a_sheared_nifti_is_resampled_at_true_positions(tmp_path):
    tilt = np.radians(18.5)
    affine = np.array([[-0.8, 0, 0, 60], [0, -0.8, 4 * np.sin(tilt), 80], [0, 0, 4 * np.cos(tilt), -9], [0, 0, 0, 1]])
    index = np.stack(np.meshgrid(*map(np.arange, (20, 90, 12)), indexing="ij"), -1)
    field = (index @ affine[:3, :3].T + affine[:3, 3]) @ [3.0, 1.0, 2.0]
    scan = read_scan(save(tmp_path / "a.nii.gz", field.astype(np.float32), affine))
    assert scan.resampled
    volume = scan.volume
    # A point in the middle of what was scanned holds the field's value at its own place.
    inner = np.stack(np.meshgrid(np.arange(1, 19), np.arange(25, 75), np.arange(12), indexing="ij"), -1)
    truth = (inner @ volume.affine[:3, :3].T + volume.affine[:3, 3]) @ [3.0, 1.0, 2.0]
    np.testing.assert_allclose(volume.array[1:19, 25:75], truth, atol=1e-2)
    assert volume.spacing == pytest.approx([0.8, 0.8, 4 * np.cos(tilt)])


def test_disagreeing_forms_are_told(hu, tmp_path):
    sform = np.diag([-1, -1, 5.0, 1])
    image = nib.Nifti1Image(hu, sform)
    qform = sform.copy()
    qform[:3, 3] = 3, -4, 12
    image.set_qform(qform, 1)
    nib.save(image, tmp_path / "a.nii")
    scan = read_scan(tmp_path / "a.nii")
    assert "disagree by 13.0 mm" in scan.notes[0]
    np.testing.assert_array_equal(scan.volume.affine, sform)


@pytest.mark.parametrize("qform", [np.diag([1, 1, 5.0, 1]), np.diag([1, -1, 5.0, 1])])
def test_forms_that_contradict_each_other_on_left_and_right_are_refused(hu, tmp_path, qform):
    image = nib.Nifti1Image(hu, np.diag([-1, -1, 5.0, 1]))
    image.set_qform(qform, 1)
    nib.save(image, tmp_path / "a.nii")
    with pytest.raises(InputError) as caught:
        read_scan(tmp_path / "a.nii")
    assert caught.value.code == "contradictory_sides"


@pytest.mark.parametrize(
    "content", [b"", b"x", os.urandom(5000), b"\x1f\x8b" + os.urandom(400), b"PK\x03\x04" + bytes(40)]
)
def test_bytes_that_are_no_scan_are_refused(content, tmp_path):
    (tmp_path / "a.nii.gz").write_bytes(content)
    with pytest.raises(InputError):
        read_scan(tmp_path / "a.nii.gz")


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(InputError) as caught:
        read_scan(tmp_path / "none.nii")
    assert caught.value.code == "file_missing"


def test_a_gzip_of_something_else_is_refused(tmp_path):
    (tmp_path / "a.gz").write_bytes(gzip.compress(b"hello" * 1000))
    with pytest.raises(InputError) as caught:
        read_scan(tmp_path / "a.gz")
    assert caught.value.code == "unknown_format"


def test_importing_the_reader_is_quick():
    """SimpleITK, pynrrd and pooch are imported when they are needed (nibabel imports pydicom by itself)."""
    code = "import sys, perfusynth.readers.read; print({'SimpleITK', 'nrrd', 'pooch'} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"
