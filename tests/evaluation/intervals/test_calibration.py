"""Intervals hold the truth as often as they say, on simulated pairs of volumes with many exact zeros."""

from functools import lru_cache

import numpy as np
import pytest

from perfusynth.errors import InputError
from perfusynth.evaluation.intervals.calibration import CalibrationSettings, groups_of, pairs_of_rows
from perfusynth.evaluation.intervals.coverage import ROW_KEYS, coverage_figures, coverage_of
from perfusynth.evaluation.intervals.picture import draw_coverage
from perfusynth.evaluation.intervals.table import table_of_rows
from perfusynth.perfusion.volume_intervals import IntervalTable

SETTINGS = CalibrationSettings()


def simulated(n: int, seed: int, *, occult: float = 0.5, healthy: float = 0.2) -> tuple[np.ndarray, np.ndarray]:
    """Predicted and true volumes: healthy patients, occult deficits, regions below 3 mL lost."""
    rng = np.random.default_rng(seed)
    own = np.where(rng.random(n) < healthy, 0, np.exp(rng.normal(4, 0.9, n)))
    own = np.where(own < 3, 0, np.minimum(own, 400))
    seen = np.maximum(0, 0.8 * np.sqrt(own) + 1.5 * rng.normal(size=n)) ** 2
    guessed = np.maximum(0, 2 + 3 * rng.normal(size=n)) ** 2
    predicted = np.where(rng.random(n) < occult, guessed, seen)
    return np.where(predicted < 3, 0, predicted), own


def table_of(predicted: np.ndarray, own: np.ndarray, settings: CalibrationSettings = SETTINGS) -> IntervalTable:
    return any_table().model_copy(update={"groups": {"6": groups_of(predicted, own, settings)}})


@lru_cache(maxsize=1)
def any_table() -> IntervalTable:
    return whole_table(*simulated(10, 0))


def whole_table(predicted: np.ndarray, own: np.ndarray, minimum: int = 2) -> IntervalTable:
    rows = [
        {name: value for names in ROW_KEYS.values() for name, value in zip(names, pair, strict=True)}
        for pair in zip(predicted, own, strict=True)
    ]
    return table_of_rows(rows, "0:1", "ab" * 32, CalibrationSettings(patients_minimum=minimum))


def test_coverage_is_the_level_over_all_and_by_predicted_volume():
    predicted, own = simulated(100_000, 1)
    assert 0.25 < (predicted == 0).mean() < 0.45, "many predictions are exactly 0 mL"
    assert 0.2 < (own[predicted == 0] == 0).mean() < 0.6, "and so are many of their own volumes"
    finer = np.searchsorted(np.quantile(predicted[predicted > 0], np.linspace(0.07, 0.93, 14)), predicted)
    whole, by_group, by_finer = [], [], []
    for k in range(20):
        table = table_of(*simulated(3000, 100 + k))
        low, high = table.ends_ml("6", predicted)
        inside, group = (low <= own) & (own <= high), table.group_of("6", predicted)
        whole.append(inside.mean())
        by_group.append([inside[group == number].mean() for number in range(9)])
        by_finer.append([inside[finer == number].mean() for number in range(15)])
    assert np.mean(whole) == pytest.approx(0.90, abs=0.005)
    np.testing.assert_allclose(np.mean(by_group, axis=0), 0.90, atol=0.01)
    # Within a group the residual may still depend on the prediction: the least volumes are guesses of the least seen.
    np.testing.assert_allclose(np.mean(by_finer, axis=0), 0.90, atol=0.05)


def test_a_thousand_calibration_patients_suffice():
    predicted, own = simulated(20_000, 2)
    whole = []
    for k in range(30):
        low, high = table_of(*simulated(1000, 200 + k)).ends_ml("6", predicted)
        whole.append(((low <= own) & (own <= high)).mean())
    assert np.mean(whole) == pytest.approx(0.90, abs=0.01)
    assert np.std(whole) < 0.015


def test_few_patients_in_a_group_cost_width_and_not_coverage():
    """The level is exact in expectation: quantiles without (n + 1) would cover 3 % too little of 30 patients."""
    settings = CalibrationSettings(patients_minimum=2, group_patients=1000)
    rng = np.random.default_rng(3)
    found = []
    for _ in range(150):
        own = rng.uniform(10, 20, 30) ** 2
        table = table_of(np.full(30, 225.0), own, settings)
        low, high = table.ends_ml("6", np.array([225.0]))
        fresh = rng.uniform(10, 20, 500) ** 2
        found.append(((low <= fresh) & (fresh <= high)).mean())
    assert np.mean(found) == pytest.approx(0.90, abs=0.01)


def test_predictions_of_zero_have_an_interval_from_zero_that_does_not_cover_too_much():
    predicted, own = simulated(4000, 5)
    table = table_of(predicted, own)
    first, second = table.groups["6"][:2]
    assert (first.above_ml, second.above_ml) == (-1, 0)
    low, high = table.ends_ml("6", np.zeros(1))
    assert low == 0
    zero = predicted == 0
    # The own volumes of the patients with a prediction of 0: nine in ten lie below the upper end.
    assert (own[zero] <= high).mean() == pytest.approx(0.9, abs=2 / zero.sum())


def test_an_interval_of_nothing_at_all_is_counted_as_such():
    """Where more than nine in ten truly have 0 mL no interval can cover less: the figures tell these apart."""
    predicted, own = simulated(4000, 6, occult=0.0, healthy=0.9)
    table = table_of(predicted, own)
    fresh = simulated(4000, 7, occult=0.0, healthy=0.9)
    figures = coverage_of(fresh, "6", table)
    assert figures["certain_zero"] == pytest.approx((fresh[0] == 0).mean(), abs=1e-3)
    assert figures["coverage"] > 0.95
    assert figures["coverage_beyond_zero"] == pytest.approx(0.9, abs=0.04)


def test_ends_are_sensible():
    table = table_of(*simulated(2000, 8))
    predicted = np.linspace(0, 1000, 20_001)
    low, high = table.ends_ml("6", predicted)
    assert (low >= 0).all()
    assert (low <= high).all()
    assert np.isfinite(high).all()
    group = table.group_of("6", predicted)
    within = np.diff(group) == 0
    for ends in (low, high):
        assert (np.diff(ends)[within] >= 0).all(), "they rise with the prediction within a group"
    assert len(table.groups["6"]) == 9
    assert sum(entry.patients for entry in table.groups["6"]) == 2000


@pytest.mark.parametrize(
    "predicted", [np.zeros(200), np.full(200, 7.0), np.r_[np.zeros(199), 30.0], np.r_[0.0, np.arange(1.0, 200)]]
)
def test_any_set_of_predictions_gives_a_table(predicted):
    own = np.linspace(0, 100, 200)
    settings = CalibrationSettings(patients_minimum=2)
    groups = groups_of(predicted, own, settings)
    assert sum(group.patients for group in groups) == 200
    low, high = table_of(predicted, own, settings).ends_ml("6", predicted)
    assert ((low <= own) & (own <= high)).mean() == pytest.approx(0.9, abs=0.06)


def test_fewer_than_a_thousand_are_refused_unless_told():
    predicted, own = simulated(999, 9)
    with pytest.raises(InputError) as caught:
        whole_table(predicted, own, 1000)
    assert caught.value.code == "few_patients"
    assert "1000" in caught.value.expected
    assert whole_table(predicted, own, 500).patients == 999


def rows(n: int, seed: int) -> list[dict]:
    predicted, own = simulated(n, seed)
    volumes = [
        {name: value for names in ROW_KEYS.values() for name, value in zip(names, pair, strict=True)}
        for pair in zip(predicted, own, strict=True)
    ]
    return [
        row
        | {
            "site": "M1" if row["truth_ml_6"] else "none",
            "scanner": "thin_1mm",
            "sign_clot": k % 2 == 0,
            "sign_core": False,
        }
        for k, row in enumerate(volumes)
    ]


def test_coverage_is_told_with_its_own_interval_and_by_stratum(tmp_path):
    predicted, own = np.full(1000, 25.0), np.r_[np.full(900, 30.0), np.full(100, 900.0)]
    table = whole_table(*simulated(2000, 10))
    low, high = table.ends_ml("6", np.array([25.0]))
    assert low < 30 < high < 900
    figures = coverage_of((predicted, own), "6", table)
    # Clopper-Pearson of 900 of 1000, from a table of the binomial distribution.
    assert (figures["low"], figures["high"]) == (pytest.approx(0.8797, abs=1e-4), pytest.approx(0.9179, abs=1e-4))
    assert figures["holds_level"]
    assert figures["above"] == 0.1
    tested = rows(1500, 11)
    found = coverage_figures(tested, table)
    assert found.keys() == {"4", "6", "8", "10", "core"}
    block = found["6"]
    assert block["all"]["n"] == 1500
    assert block["sign"].keys() == {"no deficit", "visible", "occult"}
    for stratum in ("predicted_ml", "sign", "site", "own_tmax6_ml", "scanner"):
        assert sum(part["n"] for part in block[stratum].values()) == 1500
        assert sum(part.get("covered", 0) for part in block[stratum].values()) == block["all"]["covered"]
    assert block["own_tmax6_ml"]["none"]["n"] == block["site"]["none"]["n"]
    draw_coverage(tmp_path / "coverage.png", tested, table, found)
    assert (tmp_path / "coverage.png").read_bytes().startswith(b"\x89PNG")


def test_patients_without_a_core_figure_do_not_count_for_the_core():
    some = rows(20, 12)
    some[0]["made_core_ml"] = None
    pairs = pairs_of_rows(some, ROW_KEYS)
    assert len(pairs["core"][0]) == 19
    assert len(pairs["6"][0]) == 20


def test_patients_of_whom_none_has_a_core_figure_leave_it_out(tmp_path):
    without = [row | {"made_core_ml": None} for row in rows(60, 13)]
    table = whole_table(*simulated(500, 14))
    figures = coverage_figures(without, table)
    assert figures["core"]["all"] == {"n": 0}
    draw_coverage(tmp_path / "coverage.png", without, table, figures)
    assert "core" not in table_of_rows(without, "0:60", "ab" * 32, CalibrationSettings(patients_minimum=2)).groups
