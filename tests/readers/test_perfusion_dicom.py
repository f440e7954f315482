"""CT perfusion out of DICOM: every voxel at its true place and time, and what is missing or twice there."""

import shutil
import zipfile
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from perfusynth.errors import Cancelled
from perfusynth.readers.perfusion_series import read_perfusion
from perfusynth.volumes.geometry import corners
from tests.readers.perfusion_refusals import refusal, said

HEIGHTS = np.arange(6) * 5.0
TIMES = np.arange(8) * 1.5
LATE = datetime(2024, 2, 28, 23, 59, 54)  # the study crosses midnight


def acquisition_datetime(ds: Dataset, seconds: float, k: int) -> None:
    ds.AcquisitionDateTime = (LATE + timedelta(seconds=seconds)).strftime("%Y%m%d%H%M%S.%f+0100")


C, S = np.cos(0.3), np.sin(0.3)


@pytest.mark.parametrize(
    ("orientation", "step"),
    [
        ((1, 0, 0, 0, 1, 0), (0, 0, 5)),
        ((1, 0, 0, 0, 1, 0), (0, 0, -5)),
        ((-1, 0, 0, 0, 1, 0), (0, 0, 5)),  # feet first
        ((-1, 0, 0, 0, -1, 0), (0, 0, 5)),  # prone
        ((C, S, 0, -S, C, 0), (0, 0, 5)),
        ((1, 0, 0, 0, C, S), (0, -5 * S, 5 * C)),
        ((1, 0, 0, 0, 0, -1), (0, 5, 0)),  # coronal
    ],
)
def test_every_voxel_lies_where_it_was_measured(orientation, step, write_ctp, tmp_path, assert_true_frames):
    positions = np.array([-14.0, -11.0, 3.0]) + np.arange(5)[:, None] * np.array(step)
    write_ctp(tmp_path, positions.tolist(), TIMES, acquisition_datetime, orientation=orientation)
    scan = read_perfusion(tmp_path)
    assert scan.notes == ()
    assert not scan.resampled
    assert_true_frames(scan.series)
    first = corners(scan.series.shape, scan.series.affine).min(axis=0)
    row, column = np.array(orientation[:3]), np.array(orientation[3:])
    ends = positions[[0, -1], None, None] + np.array([0, 23])[:, None, None] * 1.25 * row
    ends = ends + np.array([0, 19])[None, :, None] * 1.5 * column
    np.testing.assert_allclose(first, (ends * [-1, -1, 1]).reshape(-1, 3).min(axis=0), atol=1e-3)


def test_a_tilted_gantry_is_straightened_in_every_frame(write_ctp, tmp_path, assert_true_frames):
    tilt = np.radians(18)
    orientation = (1, 0, 0, 0, np.cos(tilt), np.sin(tilt))
    positions = [[-14.0, -11.0, 4.0 * z] for z in range(6)]
    times = TIMES[None, :] + 0.3 * np.arange(6)[:, None]
    write_ctp(tmp_path, positions, times, acquisition_datetime, orientation=orientation)
    scan = read_perfusion(tmp_path)
    assert said(scan, "gantry tilt, 18.0 degrees")
    assert scan.resampled
    inside = np.zeros(scan.series.array.shape, dtype=bool)
    inside[:, 8:-8] = True  # what every slice covers
    assert_true_frames(scan.series, where=inside, tolerance=1.6)
    assert scan.series.times_s.shape == (6, 8)


def test_uneven_slices_are_read_at_their_true_heights_and_times(write_ctp, tmp_path, along_z, assert_true_frames):
    heights = np.array([0, 4, 8, 12, 19, 26.0])
    times = TIMES[None, :] + 0.2 * np.arange(6)[:, None]
    write_ctp(tmp_path, along_z(heights), times, acquisition_datetime)
    scan = read_perfusion(tmp_path)
    assert said(scan, "4.00 to 7.00 mm apart")
    assert scan.resampled
    assert scan.series.shape[2] > 6
    assert_true_frames(scan.series)


def test_a_few_missing_images_are_interpolated_in_time(write_ctp, tmp_path, along_z, assert_true_frames):
    write_ctp(tmp_path, along_z(HEIGHTS), TIMES, acquisition_datetime, without=[(1, 4), (5, 2)])
    scan = read_perfusion(tmp_path)
    assert scan.series.array.shape == (24, 20, 6, 8)
    np.testing.assert_allclose(scan.series.times_s, TIMES, atol=1e-4)
    assert_true_frames(scan.series, tolerance=1.51)
    assert said(scan, "2 of 48 images are missing")


def test_many_missing_images_are_refused(write_ctp, tmp_path, along_z):
    write_ctp(tmp_path, along_z(HEIGHTS), TIMES, acquisition_datetime, without=[(1, 4), (5, 2), (2, 2)])
    assert refusal(tmp_path).code == "missing_images"


def test_a_long_hole_at_one_position_is_refused(write_ctp, tmp_path, along_z):
    times = np.arange(20) * 1.5
    write_ctp(tmp_path, along_z(HEIGHTS), times, acquisition_datetime, without=[(1, 7), (1, 8)])
    fault = refusal(tmp_path)
    assert fault.code == "missing_images"
    assert "4.5 s" in fault.got


def test_an_unfinished_last_pass_is_left_out(write_ctp, tmp_path, along_z, assert_true_frames):
    write_ctp(tmp_path, along_z(HEIGHTS), TIMES, acquisition_datetime, without=[(z, 7) for z in (2, 3, 4, 5)])
    scan = read_perfusion(tmp_path)
    assert scan.series.frames == 7
    assert_true_frames(scan.series)
    assert said(scan, "1 frame(s) at the ends")


def test_copies_are_read_once_and_of_two_images_at_one_time_the_later(write_ctp, tmp_path, along_z):
    write_ctp(tmp_path, along_z(HEIGHTS), TIMES, acquisition_datetime)
    paths = sorted(tmp_path.iterdir())
    for path in paths[:3]:
        shutil.copy(path, tmp_path / f"copy-{path.name}")
    again = pydicom.dcmread(paths[0])
    again.SOPInstanceUID = again.file_meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid()
    again.InstanceNumber = 9999
    again.PixelData = np.full(20 * 24, 1100, dtype="<i2").tobytes()
    again.save_as(tmp_path / "again")
    scan = read_perfusion(tmp_path)
    assert said(scan, "3 images are there twice")
    assert said(scan, "1 image(s) share position and time")
    alone = (scan.series.array == 76).all(axis=(0, 1))
    assert alone.sum() == 1
    assert scan.series.times_s[np.argwhere(alone)[0][1]] == pytest.approx((again.AcquisitionNumber - 1) * 1.5)


def test_a_position_of_another_scan_is_left_out(write_ctp, write_series, tmp_path, along_z, assert_true_frames):
    uid = pydicom.uid.generate_uid()
    write_ctp(tmp_path / "a", along_z(HEIGHTS), TIMES, acquisition_datetime, series_uid=uid)
    write_series(tmp_path / "b", along_z([30, 35]), series_uid=uid, AcquisitionDateTime="20240228235000")
    scan = read_perfusion(tmp_path)
    assert scan.series.shape == (24, 20, 6)
    assert said(scan, "2 of 8 positions")
    assert_true_frames(scan.series)


def test_frames_that_move_in_plane_are_refused(write_ctp, tmp_path, along_z):
    def moved(ds: Dataset, seconds: float, k: int) -> None:
        acquisition_datetime(ds, seconds, k)
        ds.ImagePositionPatient = [ds.ImagePositionPatient[0] + k, *ds.ImagePositionPatient[1:]]

    write_ctp(tmp_path, along_z(HEIGHTS), TIMES, moved)
    assert refusal(tmp_path).code == "moving_grid"


def test_fractional_slopes_give_floats(write_ctp, tmp_path, along_z):
    write_ctp(tmp_path, along_z(HEIGHTS), TIMES, acquisition_datetime, RescaleSlope=1.5)
    array = read_perfusion(tmp_path).series.array
    assert array.dtype == np.float32
    write_ctp(tmp_path / "whole", along_z(HEIGHTS), TIMES, acquisition_datetime)
    np.testing.assert_allclose(array, (read_perfusion(tmp_path / "whole").series.array + 1024.0) * 1.5 - 1024)


def test_padding_becomes_air(write_ctp, tmp_path, along_z):
    write_ctp(tmp_path, along_z(HEIGHTS), TIMES, acquisition_datetime, RescaleIntercept=-3000.0)
    assert read_perfusion(tmp_path).series.array.min() == -1024


def test_a_zip_is_read_like_its_folder(write_ctp, tmp_path, along_z):
    folder = write_ctp(tmp_path / "study", along_z(HEIGHTS), TIMES, acquisition_datetime)
    zipped = read_perfusion(Path(shutil.make_archive(str(tmp_path / "z"), "zip", folder)))
    plain = read_perfusion(folder)
    assert zipped.source_sha256 == plain.source_sha256
    np.testing.assert_array_equal(zipped.series.array, plain.series.array)


def test_a_zip_that_is_too_large_may_be_given_as_a_folder(tmp_path):
    with zipfile.ZipFile(tmp_path / "z.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(20 * 2**20))
    fault = refusal(tmp_path / "z.zip")
    assert fault.code == "archive_too_large"
    assert "give the folder" in fault.hint


def test_an_enhanced_multi_frame_file_is_read(enhanced_ct, tmp_path, assert_true_frames):
    heights = [5.0 * z for _ in TIMES for z in range(4)]
    path = enhanced_ct(tmp_path / "enhanced.dcm", heights)
    ds = pydicom.dcmread(path)
    ds.AcquisitionDateTime = "20240228235954"  # of the whole study
    for n, group in enumerate(ds.PerFrameFunctionalGroupsSequence):
        seconds, content = TIMES[n // 4], Dataset()
        content.FrameAcquisitionDateTime = (LATE + timedelta(seconds=seconds)).strftime("%Y%m%d%H%M%S.%f")
        group.FrameContentSequence = [content]
        group.PixelValueTransformationSequence[0].RescaleIntercept += 4 * seconds
    ds.save_as(path)
    for source in (path, tmp_path):
        scan = read_perfusion(source)
        assert scan.series.array.shape == (24, 20, 4, 8)
        np.testing.assert_allclose(scan.series.times_s, TIMES, atol=1e-4)
        assert_true_frames(scan.series)


def test_reading_can_be_cancelled(write_ctp, tmp_path, along_z):
    write_ctp(tmp_path, along_z(HEIGHTS), TIMES, acquisition_datetime)

    def stop(stage: str, fraction: float) -> None:
        if fraction > 0.5:
            raise Cancelled

    with pytest.raises(Cancelled):
        read_perfusion(tmp_path, on_progress=stop)
