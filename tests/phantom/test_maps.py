"""A rendered case: units, masks, side, and volumes of the maps as a perfusion study measures them."""

import numpy as np
import pytest
from scipy import ndimage

from perfusynth.phantom.ct.scanners import SCANNERS
from perfusynth.phantom.patient import draw_patient
from perfusynth.phantom.render import MODEL_GRID, RenderedCase, render_on_model_grid

ML = 7.2e-3
#: Components below this are noise to a reader, mL.
SPECKLE_ML = 2.0


def deficit(case: RenderedCase, threshold_s: float) -> np.ndarray:
    """Tmax above a threshold without speckle."""
    labels, count = ndimage.label(case.volumes["tmax"] > threshold_s)
    sizes = ndimage.sum_labels(np.ones(labels.shape), labels, np.arange(count + 1)) * ML
    return (sizes > SPECKLE_ML)[labels] & (labels > 0)


def shift_mm(case: RenderedCase, region: np.ndarray) -> np.ndarray:
    """From the brain's centre to the region's, RAS mm."""
    brain = np.argwhere(case.volumes["brain"] > 0)
    return (np.argwhere(region).mean(0) - brain.mean(0)) @ case.affine[:3, :3].T


def test_rendering_is_deterministic():
    first, second = render_on_model_grid(17), render_on_model_grid(17)
    assert (first.scanner, first.protocol) == (second.scanner, second.protocol)
    assert np.array_equal(first.affine, second.affine)
    for name, array in first.volumes.items():
        assert np.array_equal(array, second.volumes[name])


def test_scanner_and_protocol_are_drawn_among_those_for_training_or_given(model_cases: list[RenderedCase]):
    scanners, protocols = ({getattr(c, kind).name for c in model_cases} for kind in ("scanner", "protocol"))
    assert len(scanners) >= 3
    assert len(protocols) >= 3
    assert all(case.scanner.training and case.protocol.training for case in model_cases)
    given = SCANNERS["external_2_5mm"]
    assert render_on_model_grid(1, given).scanner is given


def test_model_grid_cases_have_the_grid_the_names_and_the_types(model_cases: list[RenderedCase]):
    for case in model_cases:
        assert set(case.volumes) == {"ncct", "tmax", "cbf", "cbv", "mtt", "brain", "core", "valid"}
        for array in case.volumes.values():
            assert array.dtype == np.float32
            assert array.shape[:2] == (MODEL_GRID.size, MODEL_GRID.size)
            assert 22 <= array.shape[2] <= 40
        assert np.linalg.norm(case.affine[:3, :3], axis=0) == pytest.approx([1.2, 1.2, 5.0])
        assert np.linalg.det(case.affine[:3, :3]) == pytest.approx(7.2)  # right-angled, not mirrored
        for name in ("brain", "core", "valid"):
            assert set(np.unique(case.volumes[name])) <= {0.0, 1.0}
        at = np.argwhere(case.volumes["brain"] > 0)
        middle = (at.min(0) + at.max(0)) / 2 - (np.array(case.volumes["brain"].shape) - 1) / 2
        assert np.abs(middle * [1.2, 1.2, 5]).max() < 10
        assert case.volumes["valid"].all()  # in training no slab is lost to a short coverage


def test_maps_are_finite_and_zero_outside_the_brain(model_cases: list[RenderedCase]):
    for case in model_cases:
        outside = case.volumes["brain"] == 0
        for name in ("tmax", "cbf", "cbv", "mtt", "core"):
            assert np.isfinite(case.volumes[name]).all()
            assert case.volumes[name].min() >= 0
            assert not case.volumes[name][outside].any()
        assert case.volumes["tmax"].max() <= 16
        assert case.volumes["cbf"].max() < 200


def test_measured_volumes_are_those_that_were_drawn(model_cases: list[RenderedCase]):
    ill = [case for case in model_cases if case.patient.stroke.site != "none"]
    drawn = np.array([case.patient.stroke.tmax6_target_ml for case in ill])
    found = np.array([deficit(case, 6).sum() * ML for case in ill])
    fitting = (drawn > 20) & (drawn < 180)  # larger ones may be limited by the territory
    assert fitting.sum() >= 4
    assert np.median(found[fitting] / drawn[fitting]) == pytest.approx(1.0, abs=0.2)
    core = np.array([case.volumes["core"].sum() * ML for case in ill])  # infarcted tissue, as it is drawn
    target = np.array([case.patient.stroke.core_target_ml for case in ill])
    assert np.median(core[target > 3] / target[target > 3]) == pytest.approx(1.0, abs=0.2)


def test_the_core_lies_in_the_deficit_unless_it_was_reperfused(model_cases: list[RenderedCase]):
    flow = []
    for case in model_cases:
        core = case.volumes["core"] > 0
        if core.sum() * ML < 5 or case.patient.stroke.reperfused:
            continue
        tissue = core & (case.volumes["cbf"] > 0)
        assert (case.volumes["tmax"][tissue] > 4).mean() > 0.8
        normal = (case.volumes["cbf"] > 0) & (case.volumes["tmax"] < 3)
        flow.append(np.median(case.volumes["cbf"][tissue]) / np.median(case.volumes["cbf"][normal]))
    assert len(flow) >= 3
    assert np.median(flow) < 0.55


def test_measured_flow_tells_of_the_core_about_as_published(model_cases: list[RenderedCase]):
    """Relative CBF below 38 % against the DWI core where Tmax > 6 s: 67 and 87 % [Cer], twice the table's limits."""
    hit = missed = spared = wrong = 0
    for case in model_cases:
        core, cbf = case.volumes["core"] > 0, case.volumes["cbf"]
        normal = (cbf > 0) & (case.volumes["tmax"] < 4)
        late = case.volumes["tmax"] > 6
        low = late & (cbf < 0.38 * cbf[normal].mean())
        if case.patient.stroke.site == "none" or case.patient.stroke.reperfused:
            continue
        hit, missed = hit + (low & core).sum(), missed + (core & ~low).sum()
        spared, wrong = spared + (late & ~low & ~core).sum(), wrong + (low & ~core).sum()
    assert hit / (hit + missed) == pytest.approx(0.67, abs=0.16)
    assert spared / (spared + wrong) == pytest.approx(0.87, abs=0.16)


def test_patients_without_deficit_have_no_core_and_no_large_deficit(model_cases: list[RenderedCase]):
    well = [case for case in model_cases if case.patient.stroke.site == "none"]
    assert well
    assert all(case.volumes["core"].sum() == 0 for case in well)
    assert np.median([deficit(case, 6).sum() * ML for case in well]) < 15


@pytest.mark.parametrize(("side", "sign"), [("left", -1), ("right", 1)])
def test_left_is_negative_x_in_ras(side: str, sign: int):
    def wanted(seed: int) -> bool:
        stroke = draw_patient(seed).stroke
        return stroke.side == side and stroke.site == "M1" and stroke.tmax6_target_ml > 60

    case = render_on_model_grid(next(filter(wanted, range(500))))
    assert shift_mm(case, deficit(case, 6))[0] * sign > 15


@pytest.mark.parametrize(
    ("site", "direction"),
    [("A2", (0, 1, 0)), ("P2", (0, -1, 0)), ("basilar", (0, 0, -1)), ("M2-sup", (0, 1, 0)), ("M2-inf", (0, -1, 0))],
)
def test_deficits_lie_in_the_territory_of_the_occluded_artery(site: str, direction: tuple[int, int, int]):
    def wanted(seed: int) -> bool:
        stroke = draw_patient(seed).stroke
        return stroke.site == site and stroke.tmax6_target_ml > 25

    case = render_on_model_grid(next(filter(wanted, range(3000))))
    assert shift_mm(case, deficit(case, 6)) @ direction > 8
