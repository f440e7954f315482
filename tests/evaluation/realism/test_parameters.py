"""Rows of the acceptance table that need only what is drawn, on thousands of patients."""

import numpy as np
import pytest

from perfusynth.evaluation.realism import table
from perfusynth.evaluation.realism.acceptance import ROWS
from perfusynth.evaluation.realism.patients import drawn_figures
from perfusynth.evaluation.realism.rows import within
from perfusynth.phantom.patient import draw_patient

#: Seeds of nobody's training, calibration or test patients.
SEEDS = range(6_900_000, 6_904_000)
BY_KEY = {row.key: row for row in ROWS}


@pytest.fixture(scope="module")
def drawn() -> list[dict]:
    rows = [drawn_figures(draw_patient(seed)) for seed in SEEDS]
    return [{**row, "core_ml": row["drawn_core_ml"]} for row in rows]


@pytest.mark.parametrize("key", ["core_ml", "core_over_70", "core_up_to_30"])
def test_core_volumes_are_those_of_published_patients(drawn: list[dict], key: str):
    found = table.measure(BY_KEY[key], drawn)
    assert found.patients > 700
    assert found.verdict == "within", found


def test_onset_to_imaging_has_the_published_quartiles(drawn: list[dict]):
    hours = np.array([row["onset_h"] for row in drawn if row["site"] != "none"])
    assert np.percentile(hours, [25, 50, 75]) == pytest.approx([3.9, 7.6, 13.2], rel=0.12)


def test_sites_and_collaterals_have_their_shares(drawn: list[dict]):
    ill = [row for row in drawn if row["site"] != "none"]
    assert len(ill) / len(drawn) == pytest.approx(0.75, abs=0.03)
    for site, share in {"ICA": 0.15, "M1": 0.40, "basilar": 0.09}.items():
        assert np.mean([row["site"] == site for row in ill]) == pytest.approx(share, abs=0.035)
    for grade, share in {"poor": 0.16, "middle": 0.45, "good": 0.39}.items():
        assert np.mean([row["collaterals"] == grade for row in ill]) == pytest.approx(share, abs=0.035)
    sides = [row["side"] for row in ill if row["site"] != "basilar"]
    assert np.mean([side == "left" for side in sides]) == pytest.approx(0.5, abs=0.04)


@pytest.mark.parametrize(("site", "quartiles"), [("M1", (75, 115, 160)), ("M2", (25, 50, 85))])
def test_hypoperfused_volumes_have_their_quartiles(drawn: list[dict], site: str, quartiles: tuple[float, ...]):
    volumes = [row["drawn_tmax6_ml"] for row in drawn if row["site"].startswith(site)]
    assert np.percentile(volumes, [25, 50, 75]) == pytest.approx(quartiles, rel=0.2)


@pytest.mark.parametrize(("low_h", "high_h", "percent", "tolerance"), [(2, 4, 6, 2), (18, 48, 22, 4)])
def test_water_uptake_follows_its_published_course(
    drawn: list[dict], low_h: float, high_h: float, percent: float, tolerance: float
):
    chosen = within(low_h, high_h)
    uptake = [row["drawn_nwu_percent"] for row in drawn if chosen(row)]
    assert len(uptake) > 300
    assert np.median(uptake) == pytest.approx(percent, abs=tolerance)


def test_the_head_moves_by_millimetres_and_degrees_with_a_tail(drawn: list[dict]):
    for name, mean, most in (("shift_mm", 2.0, 10.0), ("turn_deg", 2.0, 8.0)):
        values = np.array([row[name] for row in drawn])
        assert values.mean() == pytest.approx(mean, abs=0.2)
        assert values.std() == pytest.approx(2.0, abs=0.4)
        assert 0.9 * most < values.max() <= most + 1e-6


def test_a_sixtieth_of_a_turn_is_measured_as_six_degrees(monkeypatch: pytest.MonkeyPatch):
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(np.pi / 30), -np.sin(np.pi / 30)], [np.sin(np.pi / 30), np.cos(np.pi / 30)]]
    turn[:3, 3] = 1.0, 2.0, 2.0
    monkeypatch.setattr("perfusynth.evaluation.realism.patients.draw_misregistration", lambda seed: turn)
    found = drawn_figures(draw_patient(1))
    assert found["turn_deg"] == pytest.approx(6)
    assert found["shift_mm"] == pytest.approx(3)
