"""The probability of error: from all its figures, monotone, and right about pairs whose error is known."""

import itertools
import json
import math

import numpy as np
import pytest

from perfusynth.errors import InputError
from perfusynth.registration.error_probability import MODEL_FILE, error_model, error_probability, logistic
from perfusynth.registration.quality_figures import FIGURES

TERMS = {
    "one": {"scale": "linear", "weight": 2.0, "mean": 1.0, "sd": 0.5, "low": 0.0, "high": 2.0},
    "other": {"scale": "linear", "weight": -1.0, "mean": 0.0, "sd": 1.0, "low": -1.0, "high": 1.0},
}


def test_the_formula():
    # 0.5 + 2 x (1.25 - 1) / 0.5 - 1 x 0.5 = 1
    assert logistic(TERMS, 0.5, {"one": 1.25, "other": 0.5}) == pytest.approx(1 / (1 + math.exp(-1)))


def test_distances_and_shortfalls_enter_by_their_logarithms():
    terms = {
        "far_mm": {"scale": "distance", "weight": 1.0, "mean": 0.0, "sd": 1.0, "low": 0.0, "high": 10.0},
        "alike": {"scale": "shortfall", "weight": -1.0, "mean": 0.0, "sd": 1.0, "low": -1.0, "high": 1.0},
    }
    # log 3 + log(1 - 0.9) = log 0.3
    assert logistic(terms, 0.0, {"far_mm": 3.0, "alike": 0.9}) == pytest.approx(0.3 / 1.3)
    best = logistic(terms, 0.0, {"far_mm": 0.0, "alike": 1.0})
    assert best == pytest.approx(1e-4, rel=0.01)  # both begin at 0.01


def test_figures_beyond_what_was_seen_are_held_at_the_edge():
    assert logistic(TERMS, 0.0, {"one": 50.0, "other": 0.0}) == logistic(TERMS, 0.0, {"one": 2.0, "other": 0.0})


@pytest.mark.parametrize("bad", [{"one": 1.0}, {"one": 1.0, "other": math.nan}])
def test_a_missing_figure_is_refused(bad):
    with pytest.raises(InputError) as error:
        logistic(TERMS, 0.0, bad)
    assert error.value.code == "no_figures"
    assert "other" in error.value.got


def test_the_model_says_what_it_is_and_on_what_it_was_fitted():
    model = json.loads(MODEL_FILE.read_text(encoding="utf-8"))
    assert set(model["terms"]) <= set(FIGURES)
    seeds = [model[part]["seeds"] for part in ("fitted_on", "penalty_chosen_on", "reported_on_hard_pairs")]
    assert all(before[1] < after[0] for before, after in itertools.pairwise(seeds))  # no seed in two sets
    assert model["reported_on_hard_pairs"]["auc"]["value"] > 0.9


def test_a_worse_figure_never_lowers_the_probability():
    worse = {"bone_distance_mm": 1, "restart_spread_mm": 1}
    middle = {name: (term["low"] + term["high"]) / 2 for name, term in error_model()["terms"].items()}
    for name, term in error_model()["terms"].items():
        line = np.linspace(term["low"], term["high"], 9)[:: worse.get(name, -1)]
        found = [error_probability({**middle, name: value}) for value in line]
        assert (np.diff(found) >= 0).all(), name
        assert found[-1] > found[0], name
