"""Figures on maps and curves that were made out of the truth itself."""

from types import SimpleNamespace

import numpy as np
import pytest

from perfusynth.evaluation.ctp_agreement.figures import curve_figures, dice, input_figures, region_figures, true_figures
from perfusynth.volumes.volume import Volume

TIMES_S = np.arange(0, 50, 1.5)
VOXEL_ML = 0.008
SHAPE = (40, 40, 10)


def first_pass(late_s: float = 0.0, height: float = 300.0) -> np.ndarray:
    return height * np.exp(-0.5 * ((TIMES_S - 15 - late_s) / 4) ** 2)


def truth_with(deficit: np.ndarray) -> SimpleNamespace:
    tmax = np.where(deficit, 9.0, 1.0)
    flow = np.full(SHAPE, 50.0)
    kinds = np.zeros((3, *SHAPE), dtype=bool)
    kinds[0, 0], kinds[1, 1], kinds[2, 2] = True, True, True
    return SimpleNamespace(
        tissue=np.ones(SHAPE, dtype=bool),
        tmax=tmax,
        deficit=deficit,
        healthy=~deficit & (np.arange(40) >= 20)[:, None, None],
        measured=SimpleNamespace(tmax=tmax, cbf=flow, valid=np.ones(SHAPE, dtype=bool)),
        open=kinds[0],
        behind=kinds[1],
        venous=kinds[2],
        bolus=SimpleNamespace(aif_at=lambda t: first_pass(), vof_at=lambda t: first_pass(6.0)),
    )


def found_with(tmax: np.ndarray, cbf: float = 50.0, aif: np.ndarray | None = None, rows: int = 0) -> SimpleNamespace:
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    voxels = np.array([[rows, 5, 5], [0, 6, 5]])
    vessel = SimpleNamespace(curve_hu=first_pass(6.0), voxels=voxels, position_mm=np.zeros(3))
    return SimpleNamespace(
        maps={"tmax": Volume(tmax, affine), "cbf": Volume(np.full(SHAPE, cbf), affine)},
        brain=SimpleNamespace(mask=np.ones(SHAPE, dtype=bool)),
        valid=np.ones(SHAPE, dtype=bool),
        series=SimpleNamespace(times_s=TIMES_S),
        arteries=SimpleNamespace(
            input_hu=first_pass() if aif is None else aif, aif=vessel, vof=vessel, partial_volume_factor=1.2
        ),
        in_stored_order=lambda v: v,
    )


@pytest.fixture
def deficit() -> np.ndarray:
    region = np.zeros(SHAPE, dtype=bool)
    region[2:14, 10:30, 2:8] = True
    return region


def test_dice_of_half_overlapping_and_of_empty_regions():
    a, b = np.zeros(8, dtype=bool), np.zeros(8, dtype=bool)
    assert dice(a, b) is None
    a[:4], b[2:6] = True, True
    assert dice(a, b) == 0.5


def test_maps_that_are_the_truth_agree_wholly(deficit: np.ndarray):
    truth = truth_with(deficit)
    found = region_figures(found_with(truth.tmax, cbf=60.0), truth)
    assert found["dice_raw"] == 1
    assert found["dice"] > 0.93  # cleaning rounds the corners of a block
    assert found["raw_ml"] == pytest.approx(deficit.sum() * VOXEL_ML)
    assert found["false_ml"] == found["raw_false_ml"] == 0
    assert found["cbf_ratio"] == pytest.approx(1.2)
    assert found["tmax_shift_s"] == 0
    assert true_figures(truth, VOXEL_ML)["true_ml"] == pytest.approx(deficit.sum() * VOXEL_ML)


def test_a_false_region_counts_as_such_and_a_speck_only_before_it_is_cleaned(deficit: np.ndarray):
    truth = truth_with(deficit)
    tmax = truth.tmax.copy()
    tmax[25:37, 10:25, 2:8] = 9
    tmax[38, 38, 1] = 9
    found = region_figures(found_with(tmax), truth)
    assert found["raw_false_ml"] == pytest.approx((12 * 15 * 6 + 1) * VOXEL_ML)
    assert found["false_ml"] == pytest.approx(12 * 15 * 6 * VOXEL_ML, rel=0.15)
    assert found["dice"] < 0.8


def test_a_later_and_lower_artery_is_told_by_its_figures():
    found = curve_figures(first_pass(2.0, 150.0), first_pass(), 1.5)
    assert found["late_s"] == pytest.approx(2.0, abs=0.1)
    assert found["peak_ratio"] == pytest.approx(0.5, abs=0.02)
    assert found["area_ratio"] == pytest.approx(0.5, abs=0.02)
    assert found["correlation"] < 0.97
    assert curve_figures(0.7 * first_pass(), first_pass(), 1.5)["correlation"] == pytest.approx(1)


@pytest.mark.parametrize(("row", "share"), [(0, (1, 0, 0)), (1, (0.5, 0.5, 0)), (2, (0.5, 0, 0.5)), (3, (0.5, 0, 0))])
def test_chosen_voxels_are_counted_by_the_vessel_that_they_lie_in(deficit: np.ndarray, row: int, share: tuple):
    found = input_figures(found_with(np.ones(SHAPE), rows=row), truth_with(deficit))
    assert (found["aif_in_open_artery"], found["aif_behind_clot"], found["aif_in_vein"]) == share
    assert found["vof_in_vein"] == share[2]
    assert found["vof_correlation"] == pytest.approx(1)
