"""Frames at even times: what passes, what is interpolated, what is refused."""

import numpy as np
import pytest

from perfusynth.errors import InputError
from perfusynth.perfusion.series.timing import TimingSettings, on_even_times
from perfusynth.volumes.series import Series

SETTINGS = TimingSettings()


def bolus(times: np.ndarray) -> np.ndarray:
    """A gamma-variate bolus that arrives at 8 s and peaks at 15 s, HU."""
    t = np.clip(times - 8, 0, None) / 7
    return 200 * t**3 * np.exp(3 * (1 - t))


def series_at(times: np.ndarray, dtype: type = np.float32, order: str = "F") -> Series:
    """A study of 3 x 4 x 2 voxels: a bolus, weaker from voxel to voxel; ``times`` (frames,) or (2, frames)."""
    curves = np.broadcast_to(bolus(np.asarray(times)), (2, np.shape(times)[-1]))
    strength = np.linspace(0.2, 1, 12).reshape(3, 4, 1, 1)
    return Series(np.asarray(40 + strength * curves, dtype=dtype, order=order), np.eye(4), times)


def refusal(times: np.ndarray) -> InputError:
    with pytest.raises(InputError) as caught:
        on_even_times(series_at(times), SETTINGS)
    assert all(caught.value.as_dict().values())
    return caught.value


@pytest.mark.parametrize("interval", [0.5, 1.0, 1.5, 3.1])
def test_even_frames_pass_unchanged(interval):
    series = series_at(interval * np.arange(60))
    even, notes = on_even_times(series, SETTINGS)
    assert even is series
    assert notes == ()


def test_jitter_within_the_tolerance_keeps_the_voxels():
    exact = 1.5 * np.arange(40)
    series = series_at(exact + np.random.default_rng(0).uniform(-0.08, 0.08, 40))
    even, notes = on_even_times(series, SETTINGS)
    assert even.array is series.array
    assert notes == ()
    assert np.ptp(np.diff(even.times_s)) < 1e-9
    np.testing.assert_allclose(even.times_s, exact, atol=0.08)


def test_slices_at_nearly_one_time_keep_the_voxels():
    times = 1.5 * np.arange(40) + np.array([[0.0], [0.15]])
    even, notes = on_even_times(series_at(times), SETTINGS)
    assert even.times_s.shape == (40,)
    np.testing.assert_allclose(even.times_s, times[0] + 0.075)
    assert notes == ()


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 0.0), (np.int16, 1.0)])
@pytest.mark.parametrize("order", ["C", "F"])
def test_a_slower_second_half_is_interpolated_to_the_interval_of_the_first(dtype, tolerance, order):
    times = np.concatenate([np.arange(0, 30, 1.0), np.arange(30, 63, 3.0)])
    even, notes = on_even_times(series_at(times, dtype, order), SETTINGS)
    np.testing.assert_allclose(even.times_s, np.arange(61.0), atol=1e-6)
    assert even.array.dtype == dtype
    assert even.array.flags[f"{order}_CONTIGUOUS"]
    wanted = series_at(np.arange(61.0)).array
    assert np.abs(even.array[..., :31] - wanted[..., :31]).max() <= 1e-3 + tolerance
    # Chords of 3 s of the falling curve.
    assert np.abs(even.array - wanted).max() <= 6 + tolerance
    (note,) = notes
    assert "1.0 to 3.0 s apart" in note
    assert "every 1.00 s" in note


def test_linear_changes_are_interpolated_exactly():
    rng = np.random.default_rng(1)
    times = np.cumsum(rng.uniform(0.6, 2.4, (2, 40)), axis=1)
    times = np.sort(times.mean(axis=0) + rng.uniform(-0.2, 0.2, (2, 40)), axis=1)
    array = np.broadcast_to(10 + 3 * times, (3, 4, 2, 40)).astype(np.float32)
    even, _ = on_even_times(Series(array, np.eye(4), times), SETTINGS)
    np.testing.assert_allclose(even.array, np.broadcast_to(10 + 3 * even.times_s, even.array.shape), rtol=1e-5)
    assert even.times_s[0] >= times[:, 0].max()
    assert even.times_s[-1] <= times[:, -1].min()


def test_slices_of_a_moving_table_come_to_one_time():
    times = 1.5 * np.arange(40) + np.array([[0.0], [0.9]])
    series = series_at(times)
    even, notes = on_even_times(series, SETTINGS)
    assert even.times_s.shape == (even.frames,)
    np.testing.assert_allclose(np.diff(even.times_s), 1.5)
    wanted = series_at(even.times_s).array
    assert np.abs(series.array[..., : even.frames] - wanted).max() > 20  # if all slices were taken as simultaneous
    assert np.abs(even.array - wanted).max() < 6  # chords of 1.5 s of the bolus
    assert "Slices of one frame were acquired up to 0.9 s apart" in notes[0]


def test_a_table_that_turns_at_its_ends_counts_with_its_mean_interval():
    bottom = np.repeat(np.arange(20) * 4.0, 2) + np.tile([0.0, 3.2], 20)
    even, _ = on_even_times(series_at(np.stack([bottom, 2.0 * np.arange(40) + 1.0])), SETTINGS)
    np.testing.assert_allclose(np.diff(even.times_s), 2.0, atol=0.1)


def test_late_frames_for_permeability_are_left_out():
    times = np.concatenate([np.arange(0, 46, 1.0), [60.0, 75, 90, 105]])
    series = series_at(times)
    even, notes = on_even_times(series, SETTINGS)
    np.testing.assert_array_equal(even.times_s, np.arange(46.0))
    assert np.shares_memory(even.array, series.array)
    assert "4 late frames" in notes[0]


def test_a_gap_within_the_first_pass_is_refused():
    fault = refusal(np.concatenate([np.arange(0, 15, 1.0), np.arange(20, 60, 1.0)]))
    assert fault.code == "frames_too_far_apart"
    assert "6.0 s" in fault.got


def test_frames_too_far_apart_on_average_are_refused():
    assert refusal(3.8 * np.arange(20)).code == "frames_too_far_apart"


def test_too_few_frames_and_too_short_studies_are_refused():
    assert refusal(3.0 * np.arange(14)).code == "too_few_frames"
    fault = refusal(1.0 * np.arange(20))
    assert fault.code == "too_short"
    assert "19.0 s" in fault.got


def test_fast_studies_do_not_grow_without_end():
    times = np.concatenate([0.1 * np.arange(40), 4 + 1.0 * np.arange(50)])
    even, _ = on_even_times(series_at(times), SETTINGS)
    assert np.diff(even.times_s)[0] == pytest.approx(SETTINGS.finest_interval_s)
    long = np.concatenate([0.5 * np.arange(20), 10 + 3.0 * np.arange(100)])
    assert on_even_times(series_at(long), SETTINGS)[0].frames <= SETTINGS.most_frames
