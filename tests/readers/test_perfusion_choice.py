"""Which series of a study is its CT perfusion, and what is no perfusion study at all."""

from datetime import datetime, timedelta

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from perfusynth.readers.perfusion_series import read_perfusion
from tests.readers.perfusion_refusals import refusal, said

HEIGHTS = np.arange(6) * 5.0
TIMES = np.arange(8) * 1.5


def at(start: datetime):
    """Writes times that begin at ``start``."""

    def put(ds: Dataset, seconds: float, k: int) -> None:
        moment = start + timedelta(seconds=seconds)
        ds.AcquisitionDate, ds.AcquisitionTime = moment.strftime("%Y%m%d"), moment.strftime("%H%M%S.%f")

    return put


NOON = at(datetime(2024, 5, 6, 12))
LATER = at(datetime(2024, 5, 6, 13, 30))


def test_the_time_series_of_a_study_is_read(write_ctp, write_series, tmp_path, along_z, assert_true_frames):
    write_series(tmp_path / "scout", along_z([0]), SeriesNumber=1, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    write_series(tmp_path / "ncct", along_z(np.arange(28) * 5.0), SeriesNumber=2)
    write_series(tmp_path / "bolus", along_z([30] * 12), SeriesNumber=3)
    write_ctp(tmp_path / "ctp", along_z(HEIGHTS), TIMES, NOON, SeriesNumber=4)
    write_ctp(
        tmp_path / "mip", along_z(HEIGHTS), TIMES, NOON, SeriesNumber=5, ImageType=["DERIVED", "SECONDARY", "MIP"]
    )
    write_series(tmp_path / "cbf", along_z(HEIGHTS), SeriesNumber=6, ImageType=["DERIVED", "PRIMARY", "CBF"])
    write_ctp(tmp_path / "mr", along_z(HEIGHTS), TIMES, NOON, SeriesNumber=7, Modality="MR")
    scan = read_perfusion(tmp_path)
    assert scan.series.array.shape == (24, 20, 6, 8)
    assert_true_frames(scan.series)
    assert said(scan, "Read series 4", "6 slices at 8 times")
    assert said(scan, "series 1 ", "localizer")
    assert said(scan, "series 2 ", "28 images", "single scan")
    assert said(scan, "series 3 ", "one position")
    assert said(scan, "series 5 ", "projection")
    assert said(scan, "series 6 ", "single scan")
    assert said(scan, "series 7 ", "no CT but MR")
    assert not said(scan, "Secret")


def test_a_series_for_each_time_point_is_joined(write_series, tmp_path, along_z, assert_true_frames):
    for k, seconds in enumerate(TIMES):

        def timed(n: int, ds: Dataset, seconds: float = float(seconds)) -> None:
            NOON(ds, seconds, 0)

        write_series(
            tmp_path / str(k),
            along_z(HEIGHTS),
            SeriesNumber=401 + k,
            SeriesDescription=f"CTP Head {seconds:.1f}s",
            change=timed,
            change_pixels=lambda n, stored, seconds=seconds: (stored + 4 * seconds).astype(np.int16),
        )
    write_series(tmp_path / "ncct", along_z(HEIGHTS), SeriesNumber=2, SeriesDescription="Head native 5.0")
    scan = read_perfusion(tmp_path)
    np.testing.assert_allclose(scan.series.times_s, TIMES, atol=1e-4)
    assert_true_frames(scan.series)
    assert said(scan, "series 2 ", "single scan")


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ({}, {"ImageType": ["DERIVED", "SECONDARY", "REFORMATTED"]}),
        ({"ConvolutionKernel": "H20f"}, {"ConvolutionKernel": "H60s"}),
        ({"SliceThickness": 5.0}, {"SliceThickness": 0.625}),
    ],
)
def test_of_two_reconstructions_the_usual_one_is_read(better, worse, write_ctp, tmp_path, along_z):
    write_ctp(tmp_path / "1", along_z(HEIGHTS), TIMES, NOON, SeriesNumber=11, **worse)
    write_ctp(tmp_path / "2", along_z(HEIGHTS), TIMES, NOON, SeriesNumber=12, **better)
    scan = read_perfusion(tmp_path)
    assert said(scan, "Read series 12")
    assert said(scan, "series 11 (48 images)", "series 12 was read")


def test_a_derived_time_series_alone_is_read_and_told(write_ctp, tmp_path, along_z, assert_true_frames):
    write_ctp(tmp_path, along_z(HEIGHTS), TIMES, NOON, ImageType=["DERIVED", "PRIMARY", "REFORMATTED", "AVERAGE"])
    scan = read_perfusion(tmp_path)
    assert_true_frames(scan.series)
    assert said(scan, "derived")


def test_two_kernels_within_one_series_are_told_apart(write_ctp, tmp_path, along_z, assert_true_frames):
    uid = pydicom.uid.generate_uid()
    write_ctp(tmp_path / "1", along_z(HEIGHTS), TIMES, NOON, series_uid=uid, ConvolutionKernel="H20f")
    write_ctp(
        tmp_path / "2", along_z(HEIGHTS), TIMES, NOON, series_uid=uid, ConvolutionKernel="H60s", RescaleIntercept=-900.0
    )
    assert_true_frames(read_perfusion(tmp_path).series)


def test_two_acquisitions_are_not_guessed_between(write_ctp, tmp_path, along_z):
    write_ctp(tmp_path / "1", along_z(HEIGHTS), TIMES, NOON, SeriesNumber=11)
    write_ctp(tmp_path / "2", along_z(HEIGHTS), TIMES, LATER, SeriesNumber=12)
    fault = refusal(tmp_path)
    assert fault.code == "several_perfusion_series"
    assert "series 11 (6 slices at 8 times)" in fault.got
    assert "series 12 (6 slices at 8 times)" in fault.got


def test_a_short_test_bolus_is_no_rival(write_ctp, tmp_path, along_z):
    write_ctp(tmp_path / "1", along_z(HEIGHTS), TIMES, NOON, SeriesNumber=11)
    write_ctp(tmp_path / "2", along_z(HEIGHTS[:3]), TIMES, LATER, SeriesNumber=12)
    scan = read_perfusion(tmp_path)
    assert said(scan, "Read series 11")
    assert said(scan, "series 12 ", "time series too")


def test_several_patients_are_refused(write_ctp, tmp_path, along_z):
    write_ctp(tmp_path / "1", along_z(HEIGHTS), TIMES, NOON)
    write_ctp(tmp_path / "2", along_z(HEIGHTS), TIMES, NOON, PatientID="ANOTHER")
    assert refusal(tmp_path).code == "several_patients"


def test_a_plain_scan_is_no_perfusion_study(write_series, tmp_path, along_z):
    write_series(tmp_path, along_z(np.arange(28) * 5.0))
    fault = refusal(tmp_path)
    assert fault.code == "not_a_perfusion_study"
    assert "single scan" in fault.got


def test_a_scan_and_its_repetition_are_no_perfusion_study(write_series, tmp_path, along_z):
    for number in (2, 3):
        write_series(tmp_path / str(number), along_z(HEIGHTS), SeriesNumber=number)
    assert refusal(tmp_path).code == "not_a_perfusion_study"


def test_one_slice_in_time_is_no_perfusion_study(write_ctp, tmp_path, along_z):
    write_ctp(tmp_path, along_z([30]), TIMES, NOON)
    assert "one position" in refusal(tmp_path).got


def test_a_single_slice_and_an_empty_folder_are_refused(write_series, tmp_path, along_z):
    (tmp_path / "empty").mkdir()
    assert refusal(tmp_path / "empty").code == "no_images"
    write_series(tmp_path / "one", along_z([0]))
    assert refusal(next((tmp_path / "one").iterdir())).code == "single_slice"
    assert refusal(tmp_path / "nothing").code == "file_missing"


def test_real_head_ct_is_no_perfusion_study(public_data):
    fault = refusal(public_data / "ge_ncct_tilt" / "dicom")
    assert fault.code == "not_a_perfusion_study"
    assert "28 images" in fault.got


def test_a_real_study_of_several_plain_series_is_no_perfusion_study(philips):
    fault = refusal(philips)
    assert fault.code == "not_a_perfusion_study"
    assert "localizer" in fault.got
