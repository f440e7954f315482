"""Estimates against closed forms, and intervals that cover the truth as often as they say."""

import numpy as np
import pytest
from scipy.stats import norm

from perfusynth.evaluation.realism import estimates


@pytest.mark.parametrize("shift", [0.0, 0.5, 2.0])
def test_the_area_under_the_curve_of_two_normals_is_the_closed_form(shift: float):
    rng = np.random.default_rng(1)
    ill, well = rng.normal(shift, 1, 20_000), rng.normal(0, 1, 20_000)
    assert estimates.area_under_curve(ill, well) == pytest.approx(norm.cdf(shift / np.sqrt(2)), abs=0.012)


def test_ties_count_half():
    assert estimates.area_under_curve(np.array([1.0, 2.0]), np.array([1.0, 0.0])) == pytest.approx(3.5 / 4)


def test_sensitivity_at_a_specificity_of_two_normals_is_the_closed_form():
    rng = np.random.default_rng(2)
    ill, well = rng.normal(1.5, 1, 20_000), rng.normal(0, 1, 20_000)
    expected = norm.sf(norm.ppf(0.95) - 1.5)
    assert estimates.sensitivity_at_specificity(ill, well, 0.95) == pytest.approx(expected, abs=0.02)


def test_the_interval_of_a_mean_is_that_of_theory():
    values = np.random.default_rng(3).normal(10, 2, 400)
    low, high = estimates.interval(estimates.mean, [values])
    half = 1.96 * values.std() / 20
    assert (low, high) == (pytest.approx(values.mean() - half, abs=0.04), pytest.approx(values.mean() + half, abs=0.04))


def test_intervals_of_a_median_cover_the_truth():
    rng = np.random.default_rng(4)
    hits = 0
    for _ in range(60):
        low, high = estimates.interval(estimates.median, [rng.lognormal(2.5, 1, 80)])
        hits += low <= np.exp(2.5) <= high
    assert 51 <= hits <= 60  # expected 57; fewer than 51 in one of a thousand sets


def test_a_property_that_all_have_does_not_make_its_share_certain():
    low, high = estimates.interval(estimates.share, [np.ones(20, dtype=bool)])
    assert high == pytest.approx(1)
    assert low == pytest.approx(20 / (20 + 1.96**2), abs=1e-3)  # Wilson


def test_patients_are_resampled_with_all_their_columns():
    first = np.arange(50.0)
    low, high = estimates.interval(lambda a, b: float(np.abs(a - b).max()), [first, first + 1])
    assert low == high == 1
