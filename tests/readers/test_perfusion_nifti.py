"""CT perfusion out of 4-D NIfTI: values, places, times, and every doubtful file refused."""

import gzip
import tracemalloc
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk

from perfusynth.phantom.case.files import write_series as write_phantom_series
from perfusynth.phantom.ctp.frames import render_series
from perfusynth.phantom.ctp.protocols import PROTOCOLS, native_ctp_grid
from perfusynth.phantom.patient import draw_patient
from perfusynth.phantom.scene import scene_of
from perfusynth.readers.perfusion_series import read_perfusion
from tests.readers.perfusion_nifti_files import AFFINE, SHEARED, written
from tests.readers.perfusion_refusals import refusal, said


@pytest.fixture
def hu() -> np.ndarray:
    return np.random.default_rng(0).integers(-1000, 2000, (9, 8, 5, 20)).astype(np.int16)


@pytest.mark.parametrize("name", ["ctp.nii", "ctp.nii.gz"])
def test_a_series_is_read_as_it_was_written(name, hu, tmp_path):
    path = written(tmp_path / name, hu)
    scan = read_perfusion(path)
    assert scan.kind == "nifti"
    assert not scan.resampled
    assert scan.notes == ()
    assert scan.series.array.dtype == np.int16
    np.testing.assert_array_equal(scan.series.array, hu)
    np.testing.assert_array_equal(scan.series.affine, nib.load(path).affine)
    np.testing.assert_array_equal(scan.series.times_s, 1.5 * np.arange(20))
    assert scan.series.header is not None


@pytest.mark.parametrize(
    ("dtype", "slope", "intercept", "kept"),
    [
        (np.int16, 1, -24, np.int16),
        (np.uint16, 1, -1024, np.int16),
        (np.int32, 1, 0, np.int16),
        (np.uint8, 2, -100, np.int16),
        (">i2", 1, 0, np.int16),
        (np.int16, 0.5, 0, np.float32),
        (np.int16, 1, 0.25, np.float32),
        (np.uint16, 2, 0, np.int16),
        (np.float32, 1, 0, np.int16),
        (np.float64, 1, -10, np.int16),
        (np.float32, 1, 0.5, np.float32),
    ],
)
def test_values_are_scaled_and_stay_small_where_they_can(dtype, slope, intercept, kept, tmp_path):
    stored = np.random.default_rng(1).integers(0, 250, (4, 5, 3, 16)).astype(dtype)
    if stored.dtype == np.uint16 and slope == 2:
        stored[0, 0, 0, 3] = 40000
    image = nib.Nifti1Image(stored, AFFINE)
    image.header.set_data_dtype(stored.dtype)
    image.header.set_slope_inter(slope, intercept)
    image.header["pixdim"][4] = 1
    image.header.set_xyzt_units("mm", "sec")
    path = tmp_path / "ctp.nii"
    with open(path, "wb") as file:  # nibabel would scale again
        header = image.header.copy()
        header["scl_slope"], header["scl_inter"] = slope, intercept
        header["magic"], header["vox_offset"] = b"n+1", 352
        file.write(header.binaryblock + bytes(4) + stored.tobytes(order="F"))
    scan = read_perfusion(path)
    assert scan.series.array.dtype == kept
    assert said(scan, "to 80000", "clipped") == (stored.max() == 40000)
    np.testing.assert_array_equal(scan.series.array, np.clip(np.asarray(nib.load(path).dataobj), -1024, 32767))


def test_one_broken_number_in_a_late_frame_keeps_all_values(hu, tmp_path):
    values = np.maximum(hu, -1024).astype(np.float32)
    values[2, 3, 1, 17] = 40.25
    array = read_perfusion(written(tmp_path / "ctp.nii", values)).series.array
    assert array.dtype == np.float32
    np.testing.assert_array_equal(array, values)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_values_that_no_ct_has_are_clipped_and_told(kind, hu, tmp_path):
    values = hu.astype(kind) + kind(0.5)
    values[1, 1, 1, 4], values[1, 1, 1, 5] = 1e30, -1e30
    scan = read_perfusion(written(tmp_path / "ctp.nii", values))
    assert said(scan, "from -1e+30 to 1e+30", "clipped")
    assert scan.series.array[1, 1, 1, 4] == 32767
    assert scan.series.array[1, 1, 1, 5] == -1024
    np.testing.assert_array_equal(scan.series.array[..., 6:], np.maximum(values, -1024)[..., 6:])


def test_a_volume_is_no_series(hu, tmp_path):
    assert refusal(written(tmp_path / "a.nii", hu[..., 0])).code == "not_4d"
    assert refusal(written(tmp_path / "b.nii", hu[..., :1])).code == "not_4d"
    fault = refusal(written(tmp_path / "c.nii", hu[..., None, :]))
    assert fault.code == "not_4d"
    assert "squeeze the fourth" in fault.hint


def test_two_slices_are_no_volume_as_in_dicom(hu, tmp_path):
    assert refusal(written(tmp_path / "two.nii", hu[:, :, :2])).code == "too_few_slices"
    assert refusal(written(tmp_path / "sagittal.nii", hu[:2])).code == "too_few_slices"
    assert read_perfusion(written(tmp_path / "three.nii", hu[:, :, :3])).series.shape == (9, 8, 3)


def test_what_is_no_number_is_refused(hu, tmp_path):
    values = hu.astype(np.float32)
    values[3, 3, 3, 17] = np.nan
    fault = refusal(written(tmp_path / "ctp.nii", values))
    assert fault.code == "not_finite"
    assert fault.got.startswith("1 voxels")


@pytest.mark.parametrize("name", ["ctp.nii", "ctp.nii.gz"])
def test_a_cut_off_file_is_refused(name, hu, tmp_path):
    path = written(tmp_path / name, hu)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 3 // 4])
    assert refusal(path).code == "truncated_file"


def test_other_files_are_refused(tmp_path):
    (tmp_path / "text").write_text("no scan")
    assert refusal(tmp_path / "text").code == "unknown_format"
    (tmp_path / "scan.nrrd").write_bytes(b"NRRD0004\ndimension: 4\n\n")
    assert refusal(tmp_path / "scan.nrrd").code == "unknown_format"


def test_a_series_that_is_too_large_is_refused_before_it_is_read(tmp_path):
    header = nib.Nifti1Header()
    header.set_data_shape((512, 512, 65, 100))
    header.set_data_dtype(np.int16)
    header.set_sform(AFFINE, 1)
    header["magic"], header["vox_offset"] = b"n+1", 352
    with gzip.open(tmp_path / "ctp.nii.gz", "wb") as file:
        file.write(header.binaryblock + bytes(10_000_000))
    assert refusal(tmp_path / "ctp.nii.gz").code == "too_large"


def test_a_series_is_in_memory_once(tmp_path):
    path = written(tmp_path / "ctp.nii.gz", np.ones((128, 128, 16, 40), dtype=np.int16))
    read_perfusion(path)
    tracemalloc.start()
    array = read_perfusion(path).series.array
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.5 * array.nbytes


def test_forms_that_contradict_each_other_are_refused_or_told(hu, tmp_path):
    image = nib.Nifti1Image(hu, AFFINE)
    image.header["pixdim"][4] = 1.5
    image.header.set_xyzt_units("mm", "sec")
    for name, other in (("side", np.diag([-1.0, 1, 1, 1]) @ AFFINE), ("moved", AFFINE + np.eye(4, k=3) * 9)):
        image.set_sform(AFFINE, 1)
        image.set_qform(other, 1)
        nib.save(image, tmp_path / f"{name}.nii")
    assert refusal(tmp_path / "side.nii").code == "contradictory_sides"
    assert "disagree by 9.0 mm" in read_perfusion(tmp_path / "moved.nii").notes[0]
    image.set_sform(None, 0)
    image.set_qform(None, 0)
    nib.save(image, tmp_path / "nowhere.nii")
    assert refusal(tmp_path / "nowhere.nii").code == "no_orientation"


@pytest.mark.parametrize("dtype", [np.int16, np.float32])
def test_a_sheared_series_is_straightened(dtype, tmp_path):
    index = np.stack(np.meshgrid(*map(np.arange, (20, 30, 6)), indexing="ij"), axis=-1)
    places = index @ SHEARED[:3, :3].T + SHEARED[:3, 3]
    frames = np.stack([3 * places[..., 0] + places[..., 1] + 2 * places[..., 2] + 5 * k for k in range(4)], axis=-1)
    stored = np.rint(frames) if dtype == np.int16 else frames
    scan = read_perfusion(written(tmp_path / "ctp.nii", stored.astype(dtype), affine=SHEARED))
    assert scan.resampled
    assert "sheared" in scan.notes[0]
    series = scan.series
    assert series.array.dtype == dtype
    assert series.header is None
    index = np.stack(np.meshgrid(*map(np.arange, series.shape), indexing="ij"), axis=-1)
    places = index @ series.affine[:3, :3].T + series.affine[:3, 3]
    expected = 3 * places[..., 0] + places[..., 1] + 2 * places[..., 2]
    inside = np.zeros(series.shape, dtype=bool)
    inside[:, 10:-10] = True
    for k in range(4):
        assert np.abs(series.array[..., k] - expected - 5 * k)[inside].max() <= 1.5


def test_padding_becomes_air(hu, tmp_path):
    hu[0, 0, :, 3] = -3024
    scan = read_perfusion(written(tmp_path / "ctp.nii", hu))
    assert scan.series.array.min() == -1024
    assert "-3024" in scan.notes[0]


def test_the_hash_knows_the_voxels_in_any_order(hu, tmp_path):
    path = written(tmp_path / "a.nii", hu)
    flipped = AFFINE.copy()
    flipped[:3, 0], flipped[:3, 3] = -AFFINE[:3, 0], AFFINE[:3, 3] + 8 * AFFINE[:3, 0]
    known = read_perfusion(path).source_sha256
    assert read_perfusion(written(tmp_path / "b.nii", hu[::-1], affine=flipped)).source_sha256 == known
    assert read_perfusion(written(tmp_path / "c.nii", hu.astype(np.float32))).source_sha256 == known
    assert read_perfusion(written(tmp_path / "d.nii", hu[::-1])).source_sha256 != known
    assert read_perfusion(written(tmp_path / "e.nii", hu[..., ::-1])).source_sha256 != known


def test_what_simpleitk_writes_lies_where_simpleitk_says(hu, tmp_path):
    frames = []
    for k in range(4):
        frame = sitk.GetImageFromArray(hu[..., k].T)
        frame.SetSpacing((0.9, 0.8, 5.0))
        frame.SetOrigin((-100.0, 80.0, 12.0))
        frames.append(frame)
    joined = sitk.JoinSeries(frames, 0.0, 2.0)
    sitk.WriteImage(joined, str(tmp_path / "ctp.nii.gz"))
    series = read_perfusion(tmp_path / "ctp.nii.gz").series
    np.testing.assert_array_equal(series.array, hu[..., :4])
    np.testing.assert_allclose(series.times_s, [0, 2, 4, 6])
    lps = np.array(frames[0].TransformIndexToPhysicalPoint((7, 2, 3)))
    np.testing.assert_allclose((series.affine @ [7, 2, 3, 1])[:3], lps * [-1, -1, 1], atol=1e-3)


def test_the_phantoms_own_file_is_read(tmp_path):
    patient = draw_patient(5)
    protocol = replace(
        PROTOCOLS["wide_160mm"], matrix=64, pixel_mm=3.6, coverage_mm=20, duration_s=30, frame_s=1.25, motion="off"
    )
    rendered = render_series(scene_of(patient), protocol, 1)
    grid = native_ctp_grid(patient, protocol)
    frames = (rendered.hu[..., k] for k in range(24))
    write_phantom_series(tmp_path / "ctp.nii.gz", frames, 24, protocol.frame_s, grid, "CTP")
    scan = read_perfusion(tmp_path / "ctp.nii.gz")
    assert scan.notes == ()
    np.testing.assert_allclose(scan.series.times_s, protocol.times_s)
    np.testing.assert_array_equal(scan.series.array, np.maximum(rendered.hu, -1024))
    np.testing.assert_allclose(scan.series.affine, grid.affine, atol=1e-4)
