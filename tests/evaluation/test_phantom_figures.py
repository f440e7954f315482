"""Figures of a method whose answer is known: the truth itself, its mirror image, and a constant."""

import numpy as np
import pytest

from perfusynth.evaluation.phantom_figures import constant_normal, patient_figures, summary
from perfusynth.phantom.patient import draw_patient
from perfusynth.phantom.render import render_on_model_grid


def _large_right_deficit(seed: int) -> bool:
    stroke = draw_patient(seed).stroke
    return stroke.site == "M1" and stroke.side == "right" and stroke.tmax6_target_ml > 120


SEED = next(filter(_large_right_deficit, range(1000, 2000)))


@pytest.fixture(scope="module")
def case():
    return render_on_model_grid(SEED)


def test_the_truth_scores_perfectly(case):
    figures = patient_figures(SEED, "truth", case, case.volumes)
    assert figures.truth_ml > 30
    assert figures.dice_tmax6 == 1
    assert figures.made_ml == figures.truth_ml
    assert figures.mae_tmax_brain == figures.mae_cbf_deficit == 0
    assert figures.made_side == figures.side == "right"


def test_the_mirrored_truth_is_on_the_wrong_side(case):
    mirrored = {name: np.flip(case.volumes[name], 0) for name in ("tmax", "cbf")}
    figures = patient_figures(SEED, "mirror", case, mirrored)
    assert figures.dice_tmax6 < 0.2
    assert figures.made_side == "left"
    assert summary([figures])["side_right_of_called"] == 0


def test_a_constant_map_calls_nothing(case):
    figures = patient_figures(SEED, "constant", case, constant_normal(2.0, 40.0)(case))
    assert (figures.made_ml, figures.dice_tmax6, figures.made_side) == (0, 0, "none")
    brain = case.volumes["brain"] > 0.5
    assert figures.mae_tmax_brain == pytest.approx(np.abs(case.volumes["tmax"][brain] - 2).mean(), rel=1e-4)
    means = summary([figures])
    assert means["volume_bias_ml"] == pytest.approx(-figures.truth_ml, abs=1e-3)
    assert means["no_deficit_patients"] == 0
