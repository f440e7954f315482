"""The maps: units, masks, side, and volumes."""

from collections.abc import Callable

import numpy as np
import pytest

from perfusynth.phantom.ct.scanners import SCANNERS
from perfusynth.phantom.patient import Patient, draw_patient
from perfusynth.phantom.render import MODEL_GRID, RenderedCase, render_on_model_grid

ML = 7.2e-3
Tissue = Callable[[RenderedCase], dict[str, np.ndarray]]


def volume(case: RenderedCase, threshold: float) -> float:
    return float((case.volumes["tmax"] > threshold).sum()) * ML


def test_rendering_is_deterministic():
    first, second = render_on_model_grid(17), render_on_model_grid(17)
    assert first.scanner == second.scanner
    assert np.array_equal(first.affine, second.affine)
    for name, array in first.volumes.items():
        assert np.array_equal(array, second.volumes[name])


def test_the_scanner_is_drawn_among_those_for_training_or_given(model_cases: list[RenderedCase]):
    names = {case.scanner.name for case in model_cases}
    assert len(names) >= 3
    assert all(SCANNERS[name].training for name in names)
    given = SCANNERS["external_2_5mm"]
    assert render_on_model_grid(1, given).scanner is given


def test_model_grid_cases_have_the_grid_the_names_and_the_types(model_cases: list[RenderedCase]):
    for case in model_cases:
        assert set(case.volumes) == {"ncct", "tmax", "cbf", "brain", "core", "valid"}
        for array in case.volumes.values():
            assert array.dtype == np.float32
            assert array.shape[:2] == (MODEL_GRID.size, MODEL_GRID.size)
            assert 22 <= array.shape[2] <= 40
        assert np.array_equal(np.diag(case.affine), [1.2, 1.2, 5.0, 1.0])
        for name in ("brain", "core", "valid"):
            assert set(np.unique(case.volumes[name])) <= {0.0, 1.0}
        at = np.argwhere(case.volumes["brain"] > 0)
        middle = (at.min(0) + at.max(0)) / 2 - (np.array(case.volumes["brain"].shape) - 1) / 2
        assert np.abs(middle * [1.2, 1.2, 5]).max() < 10


def test_maps_are_finite_and_zero_outside_the_brain(model_cases: list[RenderedCase]):
    for case in model_cases:
        outside = case.volumes["brain"] == 0
        for name in ("tmax", "cbf", "core"):
            assert np.isfinite(case.volumes[name]).all()
            assert case.volumes[name].min() >= 0
            assert not case.volumes[name][outside].any()
        assert case.volumes["tmax"].max() < 16
        assert case.volumes["cbf"].max() < 160


def test_normal_tissue_has_the_published_flow_and_delay(model_cases: list[RenderedCase], tissue_on_grid: Tissue):
    grey, white, delay, csf = [], [], [], []
    for case in model_cases[:8]:
        tissue, normal = tissue_on_grid(case), (case.volumes["brain"] > 0) & (case.volumes["tmax"] < 3)
        grey.append(case.volumes["cbf"][normal & (tissue["grey"] > 0.85)].mean())
        white.append(case.volumes["cbf"][normal & (tissue["white"] > 0.9)].mean())
        delay.append(np.median(case.volumes["tmax"][normal & (tissue["white"] > 0.9)]))
        csf.append((case.volumes["tmax"] == 0)[(case.volumes["brain"] > 0)].mean())
    assert np.mean(grey) == pytest.approx(53, abs=7)
    assert np.mean(white) == pytest.approx(25, abs=4)
    assert min(delay) >= 1.0
    assert max(delay) <= 2.5
    assert 0 < np.mean(csf) < 0.08  # the ventricles


def test_measured_volumes_are_those_that_were_drawn(model_cases: list[RenderedCase]):
    ill = [case for case in model_cases if case.patient.stroke.site != "none"]
    drawn = np.array([case.patient.stroke.tmax6_target_ml for case in ill])
    found = np.array([volume(case, 6) for case in ill])
    small = drawn < 180  # larger ones may be limited by the territory
    assert np.median(found[small] / drawn[small]) == pytest.approx(1.0, abs=0.15)
    assert (np.abs(np.log(found[small] / drawn[small])) < 0.5).all()
    hir = [volume(case, 10) / volume(case, 6) for case in ill]
    assert np.mean(hir) == pytest.approx(0.4, abs=0.1)
    core = np.array([case.volumes["core"].sum() * ML for case in ill])
    target = np.array([case.patient.stroke.core_target_ml for case in ill])
    assert np.median(core[target > 3] / target[target > 3]) == pytest.approx(1.0, abs=0.2)


def test_the_core_lies_in_the_deficit_and_its_flow_is_low(model_cases: list[RenderedCase]):
    for case in model_cases:
        core = case.volumes["core"] > 0
        if core.sum() * ML < 5:
            continue
        assert (case.volumes["tmax"][core] > 5).mean() > 0.9
        normal = (case.volumes["brain"] > 0) & (case.volumes["tmax"] < 3)
        assert case.volumes["cbf"][core].mean() < 0.45 * case.volumes["cbf"][normal].mean()


def test_patients_without_deficit_have_normal_maps(model_cases: list[RenderedCase]):
    well = [case for case in model_cases if case.patient.stroke.site == "none"]
    assert well
    for case in well:
        assert case.volumes["core"].sum() == 0
        assert volume(case, 6) < (40 if case.patient.stroke.chronic_ica else 0.1)


def test_a_chronic_ica_occlusion_delays_without_core():
    seed = next(s for s in range(5000) if draw_patient(s).chronic_ica)
    case = render_on_model_grid(seed)
    assert 3 < volume(case, 6) < 40
    assert volume(case, 4) > 1.3 * volume(case, 6)
    assert case.volumes["tmax"].max() < 8
    assert case.volumes["core"].sum() == 0


@pytest.mark.parametrize(("side", "sign"), [("left", -1), ("right", 1)])
def test_left_is_negative_x_in_ras(side: str, sign: int):
    seed = next(s for s in range(500) if (p := draw_patient(s)).side == side and p.stroke.site == "M1")
    case = render_on_model_grid(seed)
    at = np.argwhere(case.volumes["tmax"] > 6)
    brain = np.argwhere(case.volumes["brain"] > 0)
    shift = (at.mean(0) - brain.mean(0)) @ case.affine[:3, :3].T
    assert shift[0] * sign > 15


@pytest.mark.parametrize(
    ("site", "direction"),
    [("A2", (0, 1, 0)), ("P2", (0, -1, 0)), ("basilar", (0, 0, -1)), ("M2-sup", (0, 0, 1)), ("M2-inf", (0, 0, -1))],
)
def test_deficits_lie_in_the_territory_of_the_occluded_artery(site: str, direction: tuple[int, int, int]):
    def wanted(patient: Patient) -> bool:
        return patient.stroke.site == site and patient.stroke.tmax6_target_ml > 15

    case = render_on_model_grid(next(s for s in range(3000) if wanted(draw_patient(s))))
    at, brain = np.argwhere(case.volumes["tmax"] > 6), np.argwhere(case.volumes["brain"] > 0)
    shift = (at.mean(0) - brain.mean(0)) @ case.affine[:3, :3].T
    assert shift @ direction > 8
