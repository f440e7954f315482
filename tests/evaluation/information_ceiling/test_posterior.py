"""The mathematics of the posterior against analytic answers and brute force."""

import itertools

import numpy as np
import pytest

from perfusynth.evaluation.information_ceiling.posterior import (
    dice,
    dice_optimal_set,
    representatives,
    twin_weights,
    weighted_quantiles,
)


def expected_dice(chosen: np.ndarray, regions: np.ndarray, weights: np.ndarray) -> float:
    return float(sum(w * dice(chosen, region) for w, region in zip(weights, regions, strict=True)) / weights.sum())


def test_a_gaussian_generator_has_its_analytic_posterior():
    rng, noise_sd, seen = np.random.default_rng(1), 0.6, 1.1
    theta = rng.standard_normal(200_000)
    twins = twin_weights(((theta - seen) / noise_sd) ** 2)
    shrink = 1 / (1 + noise_sd**2)
    mean, sd = twins.weights @ theta, np.sqrt(twins.weights @ (theta - twins.weights @ theta) ** 2)
    assert twins.inflation == 1
    assert mean == pytest.approx(seen * shrink, abs=0.01)
    assert sd == pytest.approx(noise_sd * np.sqrt(shrink), abs=0.01)
    low, high = weighted_quantiles(theta, twins.weights, (0.05, 0.95))
    assert (low, high) == pytest.approx((seen * shrink - 1.645 * sd, seen * shrink + 1.645 * sd), abs=0.02)


def test_too_few_twins_are_tempered_by_the_smallest_factor():
    rng = np.random.default_rng(2)
    squared = ((rng.standard_normal((5000, 20)) - 0.5) ** 2 / 0.05).sum(axis=1)
    twins = twin_weights(squared, minimum=100)

    def effective(factor: float) -> float:
        weights = np.exp(-(squared - squared.min()) / 2 / factor)
        return float(weights.sum() ** 2 / (weights**2).sum())

    assert effective(1.0) < 100
    assert twins.effective == pytest.approx(100, rel=1e-3)
    assert effective(twins.inflation) == pytest.approx(twins.effective, rel=1e-6)
    assert effective(0.99 * twins.inflation) < 100
    assert twins.weights.sum() == pytest.approx(1)


def test_enough_twins_are_left_alone():
    twins = twin_weights(np.zeros(300))
    assert twins.inflation == 1
    assert twins.effective == pytest.approx(300)


def test_a_bank_smaller_than_the_minimum_ends_with_equal_weights():
    twins = twin_weights(np.arange(10.0) ** 2, minimum=100)
    assert twins.effective > 9.9


def test_representatives_keep_expectations():
    rng = np.random.default_rng(3)
    weights = rng.exponential(size=20_000) ** 2
    weights /= weights.sum()
    values = rng.standard_normal(20_000)
    found = []
    for seed in range(50):
        index, kept = representatives(weights, np.random.default_rng(seed), kept=1000)
        assert len(index) <= 1000
        assert kept.sum() == pytest.approx(1)
        found.append(kept @ values[index])
    assert np.mean(found) == pytest.approx(weights @ values, abs=4 * np.std(found) / np.sqrt(50) + 1e-6)


def test_no_set_at_all_is_better_than_the_optimal_one():
    rng = np.random.default_rng(4)
    for _ in range(20):
        voxels = 9
        regions = rng.random((15, voxels)) < rng.random(voxels)
        regions[regions.sum(axis=1) == 0, 0] = True
        weights = rng.random(15)
        found, expected = dice_optimal_set(regions, weights, sizes=np.arange(1, voxels + 1))
        every = [np.array(bits, dtype=bool) for bits in itertools.product((0, 1), repeat=voxels)]
        best = max(expected_dice(chosen, regions, weights) for chosen in every)
        assert expected == pytest.approx(best, abs=1e-5)
        assert expected_dice(found, regions, weights) == pytest.approx(best, abs=1e-5)


def test_no_threshold_of_the_probability_is_better_than_the_optimal_set():
    rng = np.random.default_rng(5)
    x = np.linspace(-1, 1, 400)
    # Intervals of very different sizes: size matters, and marginal probability does not know it.
    centres, widths = 0.5 * rng.standard_normal(300), np.exp(rng.normal(-1.5, 0.9, 300))
    regions = np.abs(x[None] - centres[:, None]) < widths[:, None]
    weights = rng.random(300) * regions.any(axis=1)
    weights /= weights.sum()
    found, expected = dice_optimal_set(regions, weights)
    probability = weights @ regions
    thresholds = [expected_dice(probability > t, regions, weights) for t in np.linspace(0, 0.99, 100)]
    assert expected_dice(found, regions, weights) == pytest.approx(expected, abs=1e-5)
    assert expected >= max(thresholds) - 2e-3
    assert expected < 1


def test_patients_without_a_region_do_not_count():
    regions = np.zeros((4, 6), dtype=bool)
    regions[0, :3] = True
    found, expected = dice_optimal_set(regions, np.array([0.1, 0.3, 0.3, 0.3]))
    assert found.tolist() == [True, True, True, False, False, False]
    assert expected == pytest.approx(1)
    found, expected = dice_optimal_set(regions[1:], np.ones(3))
    assert not found.any()
    assert expected == 0
