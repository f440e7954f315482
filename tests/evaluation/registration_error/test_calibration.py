"""Brier score, AUC and reliability against other people's programs, and the model against known coefficients."""

import numpy as np
import pytest
from sklearn import linear_model, metrics

from perfusynth.evaluation.registration_error.calibration import auc, brier, reliability
from perfusynth.evaluation.registration_error.fit import SCALE, SIGNS, fit_model, log_loss, probabilities
from perfusynth.evaluation.registration_error.study import is_wrong


@pytest.fixture(scope="module")
def told():
    rng = np.random.default_rng(0)
    p = np.round(rng.uniform(size=300), 2)  # with ties
    return p, rng.uniform(size=300) < p


def test_brier_score_and_auc_agree_with_scikit_learn(told):
    assert brier(*told)["value"] == pytest.approx(metrics.brier_score_loss(told[1], told[0]), abs=1e-4)
    assert auc(*told)["value"] == pytest.approx(metrics.roc_auc_score(told[1], told[0]), abs=1e-4)
    assert log_loss(*told) == pytest.approx(metrics.log_loss(told[1], np.clip(told[0], 1e-6, 1 - 1e-6)), rel=1e-6)


def test_intervals_hold_the_value(told):
    for found in (brier(*told), auc(*told)):
        assert found["low"] < found["value"] < found["high"]
        assert found["n"] == 300


def test_auc_without_any_wrong_pair_is_not_told():
    assert auc([0.1] * 20, [False] * 20)["value"] is None


def test_reliability_counts_every_pair_once(told):
    bins = reliability(*told)
    assert sum(part.pairs for part in bins) == 300
    assert sum(part.wrong for part in bins) == told[1].sum()
    for part in bins:
        inside = (told[0] >= part.low) & (told[0] < part.high if part.high < 1 else True)
        assert part.pairs == inside.sum()
        share, low, high = part.observed
        assert share == told[1][inside].mean()
        assert low <= share <= high
        assert part.low <= part.mean_probability <= part.high


#: The other way round of the model's scales.
UNSCALED = {"linear": lambda z: z, "distance": np.exp, "shortfall": lambda z: 1 - np.exp(-z)}


def rows_of(count, seed, slopes):
    """Rows whose errors follow their figures by known coefficients of a logistic model with intercept 0.5."""
    rng = np.random.default_rng(seed)
    rows = []
    for k in range(count):
        scaled = {name: float(rng.normal()) for name in SIGNS}
        figures = {name: UNSCALED[SCALE.get(name, "linear")](value) for name, value in scaled.items()}
        score = 0.5 + sum(slopes[name] * value for name, value in scaled.items())
        wrong = rng.uniform() < 1 / (1 + np.exp(-score))
        rows.append(
            {"seed": k, "figures": figures, "scaled": scaled, "error_mm": (None if k % 2 else 5.0) if wrong else 0.5}
        )
    return rows


def test_the_fit_finds_known_coefficients_as_scikit_learn_does():
    slopes = {name: 0.8 * sign for name, sign in SIGNS.items()}
    rows = rows_of(3000, 1, slopes)
    model = fit_model(rows, rows_of(1000, 2, slopes))
    weights = [model["terms"][name]["weight"] for name in SIGNS]
    values = np.array([[row["scaled"][name] for name in SIGNS] for row in rows])
    values = (values - values.mean(axis=0)) / values.std(axis=0)
    other = linear_model.LogisticRegression(C=1 / (2 * model["penalty"]), tol=1e-8, max_iter=1000)
    other.fit(values, [is_wrong(row) for row in rows])
    np.testing.assert_allclose(weights, other.coef_[0], atol=2e-3)
    assert model["intercept"] == pytest.approx(other.intercept_[0], abs=2e-3)
    np.testing.assert_allclose(weights, list(slopes.values()), atol=0.2)
    np.testing.assert_allclose(probabilities(model, rows), other.predict_proba(values)[:, 1], atol=1e-3)


def test_a_weight_never_gets_the_wrong_sign():
    slopes = {name: 0.8 * sign for name, sign in SIGNS.items()} | {"bone_distance_mm": -2.0}
    model = fit_model(rows_of(1500, 3, slopes), rows_of(500, 4, slopes))
    assert set(model["terms"]) == set(SIGNS) - {"bone_distance_mm"}
    assert all(term["weight"] * SIGNS[name] > 0 for name, term in model["terms"].items())
