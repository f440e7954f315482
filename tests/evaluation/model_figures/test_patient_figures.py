"""Figures of one patient against truths that were written by hand, and against scipy's distances."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from perfusynth.evaluation.model_figures.methods import Made
from perfusynth.evaluation.model_figures.overlap import hausdorff_mm
from perfusynth.evaluation.model_figures.patient_figures import figures_of
from tests.evaluation.model_figures.conftest import VOXEL_ML, block, case_with, maps_of

RANGES = {"tmax": (0.0, 16.0), "cbf": (0.0, 100.0)}
REGION_ML = 8 * 20 * 4 * VOXEL_ML


def figures(case, region, core=None, **made):
    return figures_of(case, Made(maps_of(region, core), **made), RANGES)


def test_the_truth_itself_is_perfect(ill):
    found = figures(ill, block(right=True))
    assert found["truth_ml_6"] == pytest.approx(found["made_ml_6"])
    assert found["truth_ml_6"] == pytest.approx(REGION_ML, rel=0.05)
    assert found["dice_4"] == found["dice_6"] == found["dice_8"] == found["sensitivity_6"] == 1
    assert found["hd95_6"] == 0
    assert found["mae_tmax_brain"] == found["mae_cbf_deficit"] == found["bias_tmax_deficit"] == 0
    assert found["made_side"] == found["truth_side"] == "right"
    assert found["ssim_tmax"] == pytest.approx(1)
    assert found["dice_10"] is None  # nothing there exceeds 10 s
    assert found["deficit"]


def test_a_mirrored_answer_is_on_the_wrong_side(ill):
    found = figures(ill, block(right=False))
    assert found["dice_6"] == found["sensitivity_6"] == 0
    assert (found["truth_side"], found["made_side"]) == ("right", "left")
    assert found["made_right_share"] == 0


def test_half_the_region_has_the_dice_that_sizes_say(ill):
    found = figures(ill, block(right=True, columns=4))
    true, made = found["truth_ml_6"], found["made_ml_6"]
    assert made < 0.6 * true
    assert found["dice_6"] == pytest.approx(2 * made / (true + made), abs=1e-4)
    assert found["sensitivity_6"] == pytest.approx(made / true, abs=1e-4)


def test_errors_are_those_of_the_maps_brain_and_deficit_apart(ill):
    shifted = {name: values + {"tmax": 0.5, "cbf": -2.0}[name] for name, values in maps_of(block(right=True)).items()}
    found = figures_of(ill, Made(shifted), RANGES)
    for where in ("brain", "deficit"):
        assert found[f"mae_tmax_{where}"] == found[f"bias_tmax_{where}"] == pytest.approx(0.5)
        assert found[f"mae_cbf_{where}"] == pytest.approx(2)
        assert found[f"bias_cbf_{where}"] == pytest.approx(-2)
    only_in_it = maps_of(block(right=True))
    only_in_it["tmax"][ill.true_regions.hypoperfusion] += 1
    found = figures_of(ill, Made(only_in_it), RANGES)
    share = np.count_nonzero(ill.true_regions.hypoperfusion) / np.count_nonzero(ill.brain)
    assert found["mae_tmax_deficit"] == pytest.approx(1)
    assert found["mae_tmax_brain"] == pytest.approx(share, abs=1e-4)


def test_what_lies_outside_the_covered_brain_does_not_count(ill):
    elsewhere = maps_of(block(right=True))
    for values in elsewhere.values():
        values[~ill.brain] = 15.0
    assert figures_of(ill, Made(elsewhere), RANGES)["dice_6"] == 1


def test_core_and_mismatch_are_measured_on_both_sides():
    core = block(right=True, columns=3)
    case = case_with(maps_of(block(right=True), core))
    found = figures(case, block(right=True), core)
    assert found["truth_core_ml"] == found["made_core_ml"] > 0
    assert found["dice_core"] == 1
    without = figures(case, block(right=True))
    assert without["made_core_ml"] == without["dice_core"] == 0
    assert without["truth_mismatch_ml"] == pytest.approx(without["truth_ml_6"] - without["truth_core_ml"], abs=1e-4)


def test_a_marked_region_has_no_map_errors(ill):
    found = figures_of(ill, Made(None, block(right=True)), RANGES)
    assert found["dice_6"] == 1
    assert found["made_side"] == "right"
    assert not {"mae_tmax_brain", "made_ml_4", "made_core_ml", "psnr_tmax"} & set(found)


def test_specks_of_a_marked_region_are_cleaned_away(ill):
    speck = block(right=True)
    speck[10:12, 10:12, 2] = True
    assert figures_of(ill, Made(None, speck), RANGES)["made_ml_6"] == pytest.approx(REGION_ML, rel=0.05)


def test_without_a_drawn_lesion_a_region_is_no_deficit_and_made_volume_is_false():
    case = case_with(maps_of(block(right=True)), site="none", side="none")
    found = figures(case, block(right=False))
    assert not found["deficit"]
    assert found["dice_6"] is None
    assert found["made_ml_6"] > 3


def test_a_probability_is_counted_by_tenth(ill):
    region = ill.true_regions.hypoperfusion
    told = np.where(region, 0.85, 0.05)
    found = figures(ill, block(right=True), probability=told)
    inside = np.count_nonzero(region)
    assert found["probability_voxels"][8] == found["probability_true"][8] == inside
    assert found["probability_voxels"][0] == np.count_nonzero(ill.brain) - inside
    assert found["probability_true"][0] == 0
    expected = (0.15**2 * inside + 0.05**2 * found["probability_voxels"][0]) / np.count_nonzero(ill.brain)
    assert found["brier"] == pytest.approx(expected, abs=1e-5)


def _surface(mask: np.ndarray) -> np.ndarray:
    """Voxels of a mask with a face neighbour outside it."""
    padded = np.pad(mask, 1)
    inner = np.all([np.roll(padded, step, axis)[1:-1, 1:-1, 1:-1] for axis in range(3) for step in (-1, 1)], axis=0)
    return np.argwhere(mask & ~inner)


def test_hausdorff_distance_is_that_of_all_surface_points():
    rng = np.random.default_rng(0)
    one, other = np.zeros((30, 30, 8), dtype=bool), np.zeros((30, 30, 8), dtype=bool)
    one[5:15, 6:18, 2:6] = True
    other[8:20, 9:17, 1:5] = rng.random((12, 8, 4)) < 0.9
    spacing = np.array([1.2, 1.2, 5.0])
    apart = cdist(_surface(one) * spacing, _surface(other) * spacing)
    both = max(np.percentile(apart.min(axis=axis), 95) for axis in (0, 1))
    assert hausdorff_mm(one, other, spacing) == pytest.approx(both, abs=0.7)
    assert hausdorff_mm(one, one, spacing) == 0
    assert hausdorff_mm(one, np.zeros_like(one), spacing) is None


def test_hausdorff_distance_knows_thick_slices():
    one, other = np.zeros((20, 20, 8), dtype=bool), np.zeros((20, 20, 8), dtype=bool)
    one[5:15, 5:15, 2], other[5:15, 5:15, 4] = True, True
    assert hausdorff_mm(one, other, np.array([1.2, 1.2, 5.0])) == pytest.approx(10)
