"""Figures over patients against hand-made truths and other programs; the choice of the default; warnings."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import cohen_kappa_score

from perfusynth.evaluation.information_ceiling.agreement import icc as icc_of_any
from perfusynth.evaluation.model_figures.bootstrap import estimate, mean_of
from perfusynth.evaluation.model_figures.clinical_default import clinical_default
from perfusynth.evaluation.model_figures.features import FEATURES, frechet_distance
from perfusynth.evaluation.model_figures.mismatch import category_of
from perfusynth.evaluation.model_figures.names import CEILING, CEILING_PRIOR, CONSTANT
from perfusynth.evaluation.model_figures.skill import leak_warning, skill
from perfusynth.evaluation.model_figures.summary import kappa, summary_of
from perfusynth.evaluation.model_figures.volume_agreement import agreement_of, icc

RNG = np.random.default_rng(5)
TRUE = RNG.gamma(2, 40, 20)


def _varied(case: int) -> dict:
    return {f"{who}_ml_{t}": float(TRUE[case]) for who in ("truth", "made") for t in ("4", "6", "8", "10")}


def test_a_perfect_model_has_dice_1_icc_1_and_the_f_of_the_formula(rows_of):
    rows = rows_of("model", 20, _varied)
    rows += rows_of(CEILING, 20, lambda case: {"dice_6": 0.5}, kind="ceiling")
    rows += rows_of(CEILING_PRIOR, 20, lambda case: {"dice_6": 0.3}, kind="ceiling")
    found = summary_of(rows)["methods"]["model"]
    assert found["overlap"]["dice_6"]["value"] == 1
    assert found["volumes"]["tmax_6"]["all"]["icc"]["value"] == 1
    assert found["volumes"]["tmax_6"]["deficit"]["bias_ml"]["value"] == 0
    assert found["skill"]["value"] == pytest.approx((1 - 0.3) / (0.5 - 0.3))
    assert found["side"]["right_visible"]["value"] == 1
    assert found["mismatch"]["right"]["value"] == 1


def test_skill_is_0_at_the_prior_and_1_at_the_ceiling():
    prior, ceiling = RNG.random(30) * 0.3, 0.4 + RNG.random(30) * 0.3
    assert skill(prior, prior, ceiling) == 0
    assert skill(ceiling, prior, ceiling) == pytest.approx(1)
    assert np.isnan(skill(prior, ceiling, ceiling))


def test_skill_takes_the_patients_that_all_have(rows_of):
    rows = rows_of("model", 12, lambda case: {"dice_6": 0.4 if case < 10 else 0.9})
    rows += rows_of(CEILING, 12, lambda case: {"dice_6": 0.5 if case < 10 else None}, kind="ceiling")
    rows += rows_of(CEILING_PRIOR, 12, lambda case: {"dice_6": 0.3}, kind="ceiling")
    found = summary_of(rows)["methods"]["model"]["skill"]
    assert found["n"] == 10
    assert found["value"] == pytest.approx(0.5)


def test_a_model_on_the_wrong_side_is_never_right(rows_of):
    found = summary_of(rows_of("mirror", 10, lambda case: {"made_side": "left"}))["methods"]["mirror"]["side"]
    assert found["right_all"]["value"] == 0
    assert found["called_all"]["value"] == 1


def test_not_naming_a_side_is_not_being_right(rows_of):
    rows = rows_of("shy", 10, lambda case: {"made_side": "none" if case < 5 else "right"})
    found = summary_of(rows)["methods"]["shy"]["side"]
    assert found["right_visible"]["value"] == found["called_visible"]["value"] == 0.5
    assert found["right_of_called_visible"]["value"] == 1


def test_agreement_is_that_of_bland_and_altman():
    made = TRUE + RNG.normal(5, 20, len(TRUE))
    found = agreement_of(TRUE, made)
    difference = made - TRUE
    assert found["bias_ml"]["value"] == pytest.approx(difference.mean(), abs=1e-3)
    half = stats.norm.ppf(0.975) * np.sqrt(difference.var(ddof=1))
    assert found["limits_high_ml"]["value"] == pytest.approx(difference.mean() + half, abs=0.01)
    assert found["limits_low_ml"]["value"] == pytest.approx(difference.mean() - half, abs=0.01)
    assert found["absolute_error_ml"]["value"] == pytest.approx(np.abs(difference).mean(), abs=1e-3)


def test_icc_is_that_of_shrout_and_fleiss():
    # Psychological Bulletin 86 (1979), table 2: six targets, four judges; ICC(2,1) = 0.29.
    judges = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
    assert icc_of_any(np.array(judges)) == pytest.approx(0.29, abs=0.005)
    pair = np.array(judges, dtype=float)[:, [0, 3]]
    assert float(icc(*pair.T)) == pytest.approx(icc_of_any(pair))
    assert np.isnan(icc(np.ones(5), np.ones(5)))
    assert np.isnan(icc(np.ones(2), np.zeros(2)))


def test_bootstrap_intervals_hold_what_theory_says():
    values = RNG.normal(3, 2, 400)
    theory = stats.t.interval(0.95, 399, values.mean(), stats.sem(values))
    for found in (mean_of(values), estimate(lambda v: v.mean(axis=-1), values)):
        assert found["value"] == pytest.approx(values.mean(), abs=1e-4)
        assert (found["low"], found["high"]) == pytest.approx(theory, abs=0.03)
    assert mean_of([])["value"] is None
    assert mean_of([1.0, 2.0])["low"] is None


def test_kappa_is_sklearns():
    one, other = RNG.integers(0, 3, 60), RNG.integers(0, 3, 60)
    other[:40] = one[:40]
    assert kappa(one, other) == pytest.approx(cohen_kappa_score(one, other))


def test_differences_are_paired(rows_of):
    noise = RNG.random(12)
    rows = rows_of("a", 12, lambda case: {"dice_6": noise[case] + 0.1})
    rows += rows_of("b", 12, lambda case: {"dice_6": noise[case]})
    found = summary_of(rows)["differences"]["a"]["b"]["dice_6"]
    assert found["value"] == found["low"] == found["high"] == pytest.approx(0.1)


def test_error_saved_over_the_constant_map(rows_of):
    rows = rows_of("model", 10, lambda case: {"mae_tmax_brain": 0.3})
    rows += rows_of(CONSTANT, 10, lambda case: {"mae_tmax_brain": 1.2}, kind="baseline")
    found = summary_of(rows)["methods"]["model"]["skill_over_constant"]["mae_tmax_brain"]
    assert found["value"] == pytest.approx(0.75)


def test_false_alarms_are_counted_among_those_without_a_deficit(rows_of):
    without = {"deficit": False, "dice_6": None, "site": "none", "side": "none"}
    rows = rows_of(
        "model", 10, lambda case: {} if case < 6 else {**without, "made_ml_6": [0.0, 14.9, 15.0, 80.0][case - 6]}
    )
    found = summary_of(rows)["methods"]["model"]["false_positives"]
    assert found["share"] == {"value": 0.5, "low": None, "high": None, "n": 4}
    assert found["mean_ml"]["value"] == pytest.approx(27.475)


def test_strata_share_the_patients_out(rows_of):
    rows = rows_of("model", 10, lambda case: {"sign_clot": case < 4, "onset_h": float(case), "dice_6": case / 10})
    strata = summary_of(rows)["strata"]
    assert strata["sign on the NCCT"]["visible"]["model"]["patients"] == 4
    assert strata["sign on the NCCT"]["occult"]["model"]["dice_6"]["value"] == pytest.approx(0.65)
    assert {group: found["model"]["patients"] for group, found in strata["onset to imaging"].items()} == {
        "< 4.5 h": 5,
        "4.5–9 h": 4,
        "9–24 h": 1,
    }


def _model(icc: float, share: float) -> dict:
    return {
        "volumes": {"tmax_6": {"all": {"icc": {"value": icc}}}},
        "false_positives": {"share": {"value": share}},
    }


def test_the_default_is_the_best_of_the_specific_models():
    chosen = clinical_default({"a": _model(0.9, 0.2), "b": _model(0.6, 0.1), "c": _model(0.5, 0.0)})
    assert chosen is not None
    assert chosen["model"] == "b"
    assert "0.60" in chosen["why"]
    assert "a: ICC 0.90, 20%" in chosen["why"]


def test_without_a_specific_model_the_most_specific_is_the_default():
    chosen = clinical_default({"a": _model(0.9, 0.3), "b": _model(0.6, 0.2)})
    assert chosen is not None
    assert chosen["model"] == "b"
    assert chosen["why"].startswith("No model")


@pytest.mark.parametrize(
    ("dice", "ceiling", "warns"), [(0.52, 0.5, False), (0.54, 0.5, True), (0.71, None, True), (0.69, None, False)]
)
def test_what_is_too_good_is_a_leak(dice, ceiling, warns):
    assert (leak_warning(dice, ceiling) is not None) == warns


@pytest.mark.parametrize(
    ("volume", "core", "category"),
    [
        (0.0, 0.0, "no deficit"),
        (100.0, 20.0, "target mismatch"),
        (100.0, 70.0, "large core"),
        (18.0, 4.0, "no target mismatch"),
        (100.0, 60.0, "no target mismatch"),
        (20.0, 0.0, "target mismatch"),
    ],
)
def test_mismatch_categories(volume, core, category):
    assert category_of(volume, core) == category


def test_frechet_distance_of_gaussians():
    true = RNG.normal(0, 1, (4000, FEATURES))
    shifted = true + 0.5
    found = frechet_distance(true.tolist(), shifted.tolist())
    assert found == pytest.approx(FEATURES * 0.25, rel=0.02)
    assert frechet_distance(true.tolist(), true.tolist()) == pytest.approx(0, abs=1e-3)
    assert frechet_distance(true[:FEATURES].tolist(), true[:FEATURES].tolist()) is None
