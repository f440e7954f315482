"""Agreement against a published worked example."""

import numpy as np
import pytest

from perfusynth.evaluation.information_ceiling.agreement import icc, mean_with_interval

#: Shrout and Fleiss 1979, table 2: six targets, four judges; their ICC(2,1) is 0.29.
SHROUT_FLEISS = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]])


def test_icc_of_shrout_and_fleiss():
    assert icc(SHROUT_FLEISS) == pytest.approx(0.29, abs=0.005)


def test_icc_punishes_a_bias_and_is_one_for_equality():
    volumes = np.array([10.0, 50, 90, 130, 20])
    assert icc(np.column_stack([volumes, volumes])) == pytest.approx(1)
    assert icc(np.column_stack([volumes, volumes + 40])) < 0.8
    assert icc(np.column_stack([volumes, volumes])[:2]) is None


def test_interval_of_a_mean():
    values = np.random.default_rng(0).normal(0.5, 0.2, 400)
    found = mean_with_interval(values)
    assert found["n"] == 400
    assert found["high"] - found["low"] == pytest.approx(2 * 1.96 * 0.2 / 20, rel=0.15)
    assert mean_with_interval(np.array([])) == {"mean": None, "low": None, "high": None, "n": 0}
