"""Which series of a study is read, and what is said about the others."""

import numpy as np
import pytest

from perfusynth.errors import InputError
from perfusynth.readers.read import read_scan

HEIGHTS = np.arange(0, 120, 5.0)


def said(scan, *words: str) -> bool:
    """Whether one note holds all words."""
    return any(all(word in note for word in words) for note in scan.notes)


def test_a_lone_clean_series_needs_no_note(write_series, tmp_path, along_z):
    write_series(tmp_path, along_z(HEIGHTS))
    assert read_scan(tmp_path).notes == ()


def test_localizer_dose_page_capture_and_reformat_are_set_aside(write_series, tmp_path, along_z):
    write_series(tmp_path / "ct", along_z(HEIGHTS), SeriesNumber=3)
    write_series(tmp_path / "a", along_z([0]), SeriesNumber=1, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    write_series(tmp_path / "b", along_z([0]), SeriesNumber=99, SOPClassUID="1.2.840.10008.5.1.4.1.1.7")
    write_series(tmp_path / "c", along_z(HEIGHTS), SeriesNumber=5, ImageType=["DERIVED", "SECONDARY", "MPR"])
    write_series(tmp_path / "d", along_z([0, 5]), SeriesNumber=6)
    write_series(tmp_path / "e", along_z(HEIGHTS), SeriesNumber=7, ImageType=["DERIVED", "PRIMARY", "AXIAL"])
    scan = read_scan(tmp_path)
    assert said(scan, "Read series 3", "24 slices")
    assert said(scan, "series 1 ", "localizer")
    assert said(scan, "series 99 ", "secondary capture")
    assert said(scan, "series 5 ", "reformat")
    assert said(scan, "series 6 ", "2 slices only")
    assert said(scan, "series 7 ", "derived")


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ({}, {"Modality": "MR"}),
        ({"ConvolutionKernel": "H31s"}, {"ConvolutionKernel": "H60s"}),
        ({"ConvolutionKernel": "STANDARD"}, {"ConvolutionKernel": "BONEPLUS"}),
        ({"ConvolutionKernel": "FC26"}, {"ConvolutionKernel": "FC30"}),
        ({"ConvolutionKernel": "UB"}, {"ConvolutionKernel": "YB"}),
        ({"ContrastBolusAgent": "NONE"}, {"ContrastBolusAgent": "Iohexol 350"}),
        ({"ContrastBolusAgent": "NO CONTRAST"}, {"ContrastBolusAgent": "NON IONIC 350"}),
        ({"SliceThickness": 5.0}, {"SliceThickness": 0.625}),
        ({}, {"ImageType": ["ORIGINAL", "SECONDARY", "AXIAL"]}),
    ],
)
def test_of_two_complete_series_the_plain_brain_one_is_read(better, worse, write_series, tmp_path, along_z):
    write_series(tmp_path / "1", along_z(HEIGHTS), SeriesNumber=11, **worse)
    write_series(tmp_path / "2", along_z(HEIGHTS), SeriesNumber=12, **better)
    scan = read_scan(tmp_path)
    assert said(scan, "Read series 12")
    assert said(scan, "series 11 ", "series 12 was read")


def test_cover_of_the_head_beats_the_kernel(write_series, tmp_path, along_z):
    write_series(tmp_path / "1", along_z(HEIGHTS[:6]), SeriesNumber=11, ConvolutionKernel="H31s")
    write_series(tmp_path / "2", along_z(HEIGHTS), SeriesNumber=12, ConvolutionKernel="H60s")
    assert said(read_scan(tmp_path), "Read series 12")


def test_a_bolus_monitoring_series_does_not_stop_the_scan(write_series, tmp_path, along_z):
    write_series(tmp_path / "1", along_z(HEIGHTS), SeriesNumber=2)
    write_series(tmp_path / "2", along_z([30] * 12), SeriesNumber=3)
    scan = read_scan(tmp_path)
    assert said(scan, "series 3 ", "one position")


def test_when_nothing_is_left_everything_set_aside_is_listed(write_series, tmp_path, along_z):
    write_series(tmp_path / "a", along_z([0]), SeriesNumber=1, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    write_series(tmp_path / "d", along_z([0, 5]), SeriesNumber=6)
    with pytest.raises(InputError) as caught:
        read_scan(tmp_path)
    assert caught.value.code == "no_usable_series"
    assert "series 1 (1 image): a localizer" in caught.value.got
    assert "series 6 (2 images)" in caught.value.got


def test_derived_series_alone_is_read_and_told(write_series, tmp_path, along_z):
    write_series(tmp_path, along_z(HEIGHTS), ImageType=["DERIVED", "PRIMARY", "AXIAL"])
    assert said(read_scan(tmp_path), "derived")


def test_missing_rescale_is_told(write_series, tmp_path, along_z):
    write_series(tmp_path, along_z(HEIGHTS), intercepts=[0.0] * 24, RescaleSlope=None, RescaleIntercept=None)
    assert said(read_scan(tmp_path), "taken as HU")


def test_the_brain_series_of_a_real_study_is_read(philips):
    scan = read_scan(philips / "S21570")
    assert scan.volume.shape == (512, 512, 28)
    assert not scan.resampled
    assert scan.acquisition.series_description == "STD BRAIN 5MM"
    assert said(scan, "Read series 201", "kernel UB")
    assert said(scan, "series 100 (1 image)", "localizer")
    assert said(scan, "series 401 (3 images)", "localizer")
    assert said(scan, "series 401 (3 images)", "dose or summary page")


def test_of_two_real_studies_the_one_that_covers_the_head_is_read(philips):
    scan = read_scan(philips)
    assert scan.volume.shape == (512, 512, 28)
    assert said(scan, "series 301 (12 images)", "another study")


def test_a_real_tilted_series_is_straightened(philips):
    scan = read_scan(philips / "S21610" / "S2010")
    assert scan.resampled
    assert scan.acquisition.gantry_tilt_deg == -18.5
    assert scan.volume.spacing[2] == pytest.approx(2.5 * np.cos(np.radians(18.5)), abs=1e-3)
