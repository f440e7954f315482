"""When the frames of a NIfTI series were acquired: header, sidecar and user, and what of it is refused or told."""

import json

import numpy as np
import pytest

from perfusynth.readers.perfusion_series import read_perfusion
from tests.readers.perfusion_nifti_files import written
from tests.readers.perfusion_refusals import refusal, said


@pytest.fixture
def hu() -> np.ndarray:
    return np.random.default_rng(0).integers(-1000, 2000, (9, 8, 5, 20)).astype(np.int16)


@pytest.mark.parametrize(
    ("interval", "unit", "read"), [(2.0, "sec", 2.0), (1500.0, "msec", 1.5), (5e5, "usec", 0.5), (2.0, None, 2.0)]
)
def test_the_interval_has_a_unit(interval, unit, read, hu, tmp_path):
    scan = read_perfusion(written(tmp_path / "ctp.nii", hu, interval, unit))
    np.testing.assert_allclose(scan.series.times_s, read * np.arange(20))
    assert [("without a unit" in note) for note in scan.notes] == [True] * (unit is None)


@pytest.mark.parametrize(
    ("interval", "unit"),
    [(0.0, "sec"), (1500.0, "sec"), (1500.0, None), (1.5, "msec"), (0.1, None), (np.nan, "sec"), (1.0, "hz")],
)
def test_an_implausible_interval_is_refused_unless_the_user_gives_it(interval, unit, hu, tmp_path):
    path = written(tmp_path / "ctp.nii", hu, interval, unit)
    fault = refusal(path)
    assert fault.code == "no_frame_times"
    assert "--interval" in fault.hint
    np.testing.assert_allclose(read_perfusion(path, interval_s=1.25).series.times_s, 1.25 * np.arange(20))
    uneven = np.cumsum(1 + np.arange(20) % 3) + 7.0
    np.testing.assert_allclose(read_perfusion(path, times_s=uneven).series.times_s, uneven - uneven[0])


def test_given_times_must_fit(hu, tmp_path):
    path = written(tmp_path / "ctp.nii", hu)
    assert refusal(path, times_s=[0, 1, 2]).code == "bad_times"
    assert refusal(path, times_s=[0.0] * 20).code == "bad_times"
    fault = refusal(path, times_s=[0.0, np.inf, *range(2, 20)])
    assert (fault.code, fault.got) == ("bad_times", "1 that are none")


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("interval", [0, -1.5, np.nan, np.inf, -np.inf, 1e308])
def test_an_interval_that_is_none_is_refused(interval, hu, tmp_path):
    fault = refusal(written(tmp_path / "ctp.nii", hu), interval_s=interval)
    assert fault.code == "bad_times"
    assert "finite" in fault.expected
    assert fault.got == f"{interval:g}"


def test_a_bids_sidecar_comes_before_the_header(hu, tmp_path):
    path = written(tmp_path / "ctp.nii.gz", hu, 1.0)
    uneven = np.cumsum(1 + np.arange(20) % 3).astype(float)
    (tmp_path / "ctp.json").write_text(json.dumps({"VolumeTiming": uneven.tolist(), "RepetitionTime": 9}))
    scan = read_perfusion(path)
    np.testing.assert_allclose(scan.series.times_s, uneven - uneven[0])
    assert said(scan, "1 to 3 s", "header 1 s", "JSON file was followed")
    (tmp_path / "ctp.json").write_text(json.dumps({"RepetitionTime": 1.75}))
    scan = read_perfusion(path)
    np.testing.assert_allclose(scan.series.times_s, 1.75 * np.arange(20))
    assert "1.75 s" in scan.notes[0]
    assert "1 s" in scan.notes[0]


@pytest.mark.parametrize("key", ["RepetitionTime", "VolumeTiming"])
def test_a_sidecar_that_agrees_with_the_header_needs_no_word(key, hu, tmp_path):
    path = written(tmp_path / "ctp.nii", hu, 1.5)
    (tmp_path / "ctp.json").write_text(
        json.dumps({key: 1.5 if key == "RepetitionTime" else [1.5 * k for k in range(20)]})
    )
    assert read_perfusion(path).notes == ()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("{", "could not be read"),
        ("[1, 2]", "could not be read"),
        ("[" * 100_000, "could not be read"),
        ('{"RepetitionTime": "fast"}', "RepetitionTime"),
        ('{"RepetitionTime": true}', "RepetitionTime"),
        ('{"RepetitionTime": 9}', "says 9 s"),
        ('{"RepetitionTime": 1' + "0" * 400 + "}", "RepetitionTime"),
        ('{"VolumeTiming": 2}', "VolumeTiming"),
        ('{"VolumeTiming": []}', "VolumeTiming"),
        ('{"SliceTiming": [0, 0.1, 0.2, 0.3, 0.4]}', "SliceTiming"),
        ("{}", None),
    ],
)
def test_a_sidecar_without_times_is_passed_over_and_told(content, told, hu, tmp_path):
    path = written(tmp_path / "ctp.nii", hu, 2.0)
    (tmp_path / "ctp.json").write_text(content)
    scan = read_perfusion(path)
    np.testing.assert_allclose(scan.series.times_s, 2.0 * np.arange(20))
    assert said(scan, told) if told else scan.notes == ()


@pytest.mark.parametrize("key", ["RepetitionTime", "VolumeTiming"])
@pytest.mark.parametrize("interval", [200, 1500, 5000])
def test_a_sidecar_in_milliseconds_is_refused(key, interval, hu, tmp_path):
    path = written(tmp_path / "ctp.nii", hu, 1.0)
    times = interval if key == "RepetitionTime" else [interval * k for k in range(20)]
    (tmp_path / "ctp.json").write_text(json.dumps({key: times}))
    fault = refusal(path)
    assert fault.code == "bad_times"
    assert "probably in ms" in fault.got
    assert "--interval" in fault.hint
    np.testing.assert_allclose(read_perfusion(path, interval_s=1.5).series.times_s, 1.5 * np.arange(20))


@pytest.mark.parametrize("timing", [[0, 1], ["a"] * 20, [0] * 20, [None] * 20, [*range(19), 10**400]])
def test_a_sidecar_that_does_not_fit_is_refused(timing, hu, tmp_path):
    path = written(tmp_path / "ctp.nii", hu, 2.0)
    (tmp_path / "ctp.json").write_text(json.dumps({"VolumeTiming": timing}))
    assert refusal(path).code == "bad_times"
