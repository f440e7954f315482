"""When the frames of a DICOM perfusion study were acquired: every convention for times, and none."""

from datetime import datetime, timedelta

import numpy as np
import pytest
from pydicom.dataset import Dataset

from perfusynth.readers.perfusion_series import read_perfusion
from tests.readers.perfusion_refusals import refusal, said

HEIGHTS = np.arange(6) * 5.0
TIMES = np.arange(8) * 1.5
LATE = datetime(2024, 2, 28, 23, 59, 54)  # the study crosses midnight
NOON = datetime(2024, 2, 28, 12, 0, 0)


def tm(moment: datetime) -> str:
    return moment.strftime("%H%M%S.%f")


def acquisition_datetime(ds: Dataset, seconds: float, k: int) -> None:
    ds.AcquisitionDateTime = (LATE + timedelta(seconds=seconds)).strftime("%Y%m%d%H%M%S.%f+0100")


def acquisition_date_and_time(ds: Dataset, seconds: float, k: int) -> None:
    moment = LATE + timedelta(seconds=seconds)
    ds.AcquisitionDate, ds.AcquisitionTime = moment.strftime("%Y%m%d"), tm(moment)


def acquisition_time_alone(ds: Dataset, seconds: float, k: int) -> None:
    ds.AcquisitionTime = tm(LATE + timedelta(seconds=seconds))


def date_that_stands_still(ds: Dataset, seconds: float, k: int) -> None:
    ds.AcquisitionDate = LATE.strftime("%Y%m%d")
    acquisition_time_alone(ds, seconds, k)


def content_time(ds: Dataset, seconds: float, k: int) -> None:
    ds.AcquisitionTime = "235900"  # of the whole study
    ds.ContentTime = tm(LATE + timedelta(seconds=seconds))


def temporal_position(ds: Dataset, seconds: float, k: int) -> None:
    ds.TemporalPositionIdentifier, ds.TemporalResolution = k + 1, 1500.0
    ds.AcquisitionTime = ds.ContentTime = "235900"


def trigger_time(ds: Dataset, seconds: float, k: int) -> None:
    ds.TriggerTime = 1000 * seconds


def content_time_of_a_fast_computer(ds: Dataset, seconds: float, k: int) -> None:
    ds.ContentTime = tm(NOON + timedelta(seconds=0.07 * k))
    ds.TriggerTime = 1000 * seconds


def numbers_that_run_backwards(ds: Dataset, seconds: float, k: int) -> None:
    acquisition_datetime(ds, seconds, k)
    ds.AcquisitionNumber, ds.InstanceNumber = 1000 - k, 1000 - k


def zones_that_change(ds: Dataset, seconds: float, k: int) -> None:
    moment = LATE + timedelta(seconds=seconds, hours=k % 3)
    ds.AcquisitionDateTime = moment.strftime("%Y%m%d%H%M%S.%f") + f"+0{k % 3}00"


def no_time(ds: Dataset, seconds: float, k: int) -> None:
    ds.AcquisitionTime = ds.ContentTime = "235900"


@pytest.mark.parametrize(
    ("put_time", "told"),
    [
        (acquisition_datetime, None),
        (acquisition_date_and_time, None),
        (acquisition_time_alone, None),
        (date_that_stands_still, None),
        (numbers_that_run_backwards, None),
        (zones_that_change, None),
        (content_time, "ContentTime"),
        (temporal_position, "TemporalPositionIdentifier"),
        (trigger_time, "TriggerTime"),
        (content_time_of_a_fast_computer, "TriggerTime"),
    ],
)
def test_each_convention_for_times_is_understood(put_time, told, write_ctp, tmp_path, along_z, assert_true_frames):
    write_ctp(tmp_path, along_z(HEIGHTS), TIMES, put_time)
    scan = read_perfusion(tmp_path)
    assert scan.kind == "dicom"
    assert scan.series.array.dtype == np.int16
    assert scan.series.array.shape == (24, 20, 6, 8)
    np.testing.assert_allclose(scan.series.times_s, TIMES, atol=1e-4)
    assert_true_frames(scan.series)
    if told is None:
        assert scan.notes == ()
    else:
        assert said(scan, told)
        assert len(scan.notes) == 1


def test_slices_keep_their_own_times(write_ctp, tmp_path, along_z, assert_true_frames):
    up, down = np.arange(6) * 0.2, np.arange(6)[::-1] * 0.2
    times = np.stack([2.0 * k + (down if k % 2 else up) for k in range(7)], axis=1)
    write_ctp(tmp_path, along_z(HEIGHTS), times, acquisition_time_alone)
    scan = read_perfusion(tmp_path)
    np.testing.assert_allclose(scan.series.times_s, times, atol=1e-4)
    assert_true_frames(scan.series)
    assert said(scan, "1.0 s apart")


def test_slabs_that_take_turns_keep_their_own_times(write_ctp, tmp_path, along_z, assert_true_frames):
    times = TIMES[None, :] + np.repeat([0.0, 0.75], 3)[:, None]
    write_ctp(tmp_path, along_z(HEIGHTS), times, acquisition_time_alone, without=[(4, 3)])
    scan = read_perfusion(tmp_path)
    np.testing.assert_allclose(scan.series.times_s, times, atol=1e-4)
    assert_true_frames(scan.series)


def test_times_cut_to_whole_seconds_are_taken_as_even(write_ctp, tmp_path, along_z):
    def whole(ds: Dataset, seconds: float, k: int) -> None:
        ds.AcquisitionTime = (LATE + timedelta(seconds=seconds)).strftime("%H%M%S")

    write_ctp(tmp_path, along_z(HEIGHTS), np.arange(30) * 1.5, whole)
    scan = read_perfusion(tmp_path)
    np.testing.assert_allclose(np.diff(scan.series.times_s), 1.5, atol=0.02)
    assert said(scan, "whole seconds", "1.50 s")


def test_whole_seconds_that_are_true_stay(write_ctp, tmp_path, along_z):
    times = np.array([0, 1, 2, 3, 4, 7, 10, 13.0])
    write_ctp(tmp_path, along_z(HEIGHTS), times, acquisition_datetime)
    np.testing.assert_allclose(read_perfusion(tmp_path).series.times_s, times, atol=1e-4)


def test_without_times_the_user_gives_them(write_ctp, tmp_path, along_z, assert_true_frames):
    write_ctp(tmp_path, along_z(HEIGHTS), TIMES, no_time)
    fault = refusal(tmp_path)
    assert fault.code == "no_frame_times"
    assert "--interval" in fault.hint
    for scan in (read_perfusion(tmp_path, interval_s=1.5), read_perfusion(tmp_path, times_s=100 + TIMES)):
        np.testing.assert_allclose(scan.series.times_s, TIMES)
        assert_true_frames(scan.series)
    assert refusal(tmp_path, times_s=TIMES[:-1]).code == "bad_times"
    assert refusal(tmp_path, times_s=TIMES[::-1]).code == "bad_times"


def test_given_times_override_the_headers(write_ctp, tmp_path, along_z):
    write_ctp(tmp_path, along_z(HEIGHTS), TIMES, acquisition_datetime)
    np.testing.assert_allclose(read_perfusion(tmp_path, interval_s=2).series.times_s, 2 * np.arange(8))
