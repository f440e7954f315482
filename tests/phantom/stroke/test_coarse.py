"""Deficits of many patients at 4 mm: volumes, what flow tells of the infarct, uptake, mimics."""

from dataclasses import dataclass

import numpy as np
import pytest
from scipy import ndimage
from scipy.stats import rankdata

from perfusynth.phantom.lattice import BRAIN_COARSE
from perfusynth.phantom.patient import Patient, draw_patient
from perfusynth.phantom.stroke.coarse import coarse_deficit, coarse_perfusion, scattered
from perfusynth.phantom.stroke.severity import inside_share, voxel_ml
from perfusynth.phantom.stroke.traits import draw_stroke

PATIENTS = 150


@dataclass
class Case:
    """Flat values within the brain: weights in mL, and the fields."""

    patient: Patient
    ml: np.ndarray
    tmax: np.ndarray
    core: np.ndarray
    rcbf: np.ndarray
    measured_rcbf: np.ndarray
    water: np.ndarray
    delay: np.ndarray
    dispersion: np.ndarray

    def volume(self, where: np.ndarray) -> float:
        return float(self.ml[where].sum())


def case_of(patient: Patient) -> Case:
    at, found, _ = coarse_perfusion(patient)
    ml = inside_share(patient) * voxel_ml(patient, BRAIN_COARSE.step_mm)

    def field(values: np.ndarray, outside: float = 0.0) -> np.ndarray:
        return scattered(values, at, BRAIN_COARSE.shape, outside)

    cbf, rcbf = field(found.cbf), field(found.rcbf, 1.0)
    # A map's resolution: 4 mm voxels, smoothed by 3 mm; relative to the mirrored, that is the healthy, tissue.
    measured = ndimage.gaussian_filter(cbf, 0.75) / np.maximum(ndimage.gaussian_filter(cbf / rcbf, 0.75), 1e-3)
    core = field(found.core) > 0.5
    rows = (field(found.tmax_expected_s), core, rcbf, measured, field(found.water_uptake_percent))
    rest = (field(found.delay_s), field(found.dispersion_s))
    inside = ml > 0
    return Case(patient, ml[inside], *(row[inside] for row in rows + rest))


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    ill = (seed for seed in range(50_000, 60_000) if draw_stroke(seed).site != "none")
    return [case_of(draw_patient(next(ill))) for _ in range(PATIENTS)]


def test_volumes_are_those_drawn_where_the_territory_allows(cases: list[Case]):
    six = np.array([c.volume(c.tmax > 6) / c.patient.stroke.tmax6_target_ml for c in cases])
    assert np.median(six) == pytest.approx(1, abs=0.03)
    assert (np.abs(six - 1) < 0.1).mean() > 0.85
    assert six.max() < 1.15
    large = [c for c in cases if c.patient.stroke.core_target_ml > 3]
    core = np.array([c.volume(c.core) / c.patient.stroke.core_target_ml for c in large])
    assert np.median(core) == pytest.approx(1, abs=0.03)
    assert (np.abs(core - 1) < 0.1).mean() > 0.85


def test_delay_is_graded_as_published(cases: list[Case]):
    hir = [c.volume(c.tmax > 10) / c.volume(c.tmax > 6) for c in cases]
    assert np.mean(hir) == pytest.approx(0.52, abs=0.06)  # before the measurement, which shows 0.4
    # 220 mL above 4 s for 131 mL above 6 s behind an ICA occlusion.
    ratio = [c.volume(c.tmax > 4) / c.volume(c.tmax > 6) for c in cases if c.patient.stroke.site == "ICA"]
    assert np.median(ratio) == pytest.approx(220 / 131, abs=0.2)


def test_flow_is_that_of_core_and_penumbra(cases: list[Case]):
    shut = [c for c in cases if c.patient.stroke.reperfused == 0]
    core = [np.average(c.rcbf[c.core], weights=c.ml[c.core]) for c in shut if c.volume(c.core) > 5]
    assert np.mean(core) == pytest.approx(0.19, abs=0.05)
    penumbra = [(c.tmax > 6) & ~c.core for c in shut]
    flow = [c.rcbf[p].mean() for c, p in zip(shut, penumbra, strict=True) if c.volume(p) > 10]
    assert 0.34 <= np.mean(flow) <= 0.46 + 0.09


def test_flow_is_no_function_of_delay(cases: list[Case]):
    spread = [c.rcbf[(c.tmax > 6.5) & (c.tmax < 7.5) & ~c.core].std() for c in cases if c.volume(c.tmax > 6) > 60]
    assert np.median(spread) > 0.03


def test_measured_flow_tells_of_the_infarct_as_much_as_published(cases: list[Case]):
    """Pooled voxels of the ischaemic region (Tmax > 6 s or infarct); rCBF relative to the same tissue when healthy."""
    flow, infarct, ml, error = [], [], [], []
    for c in cases:
        region = (c.tmax > 6) | c.core
        flow.append(c.measured_rcbf[region])
        infarct.append(c.core[region])
        ml.append(c.ml[region])
        error.append(abs(c.volume((c.measured_rcbf < 0.38) & (c.tmax > 6)) - c.volume(c.core)))
    score, truth, weight = (np.concatenate(v) for v in (flow, infarct, ml))
    low = score < 0.38
    assert (weight * (low & truth)).sum() / (weight * truth).sum() == pytest.approx(0.67, abs=0.08)
    assert (weight * (~low & ~truth)).sum() / (weight * ~truth).sum() == pytest.approx(0.87, abs=0.08)
    assert np.mean(error) == pytest.approx(14, abs=4)
    rank, n = rankdata(-score), truth.sum()
    auc = (rank[truth].sum() - n * (n + 1) / 2) / (n * (len(truth) - n))
    assert auc == pytest.approx(0.88, abs=0.08)


def test_only_the_infarct_takes_up_water(cases: list[Case]):
    uptake, drawn, penumbra = [], [], []
    for c in cases:
        seen = c.core & (c.measured_rcbf < 0.38)
        if c.volume(seen) > 3:
            uptake.append(np.average(c.water[seen], weights=c.ml[seen]))
            drawn.append(c.patient.stroke.nwu_percent)
        at_risk = (c.tmax > 6) & ~c.core
        if c.volume(at_risk) > 5:
            penumbra.append(np.average(c.water[at_risk], weights=c.ml[at_risk]))
    assert np.median(np.array(uptake) / drawn) == pytest.approx(1, abs=0.15)
    assert np.mean(penumbra) <= 1
    never_infarcted = [c.water[(c.tmax < 5) & (c.rcbf > 0.45)] for c in cases if c.patient.stroke.reperfused == 0]
    assert max(w.max() for w in never_infarcted) == 0


def test_a_reperfused_infarct_keeps_its_water_with_flow_restored(cases: list[Case]):
    opened = [c for c in cases if c.patient.stroke.reperfused > 0 and c.volume(c.core) > 10]
    assert opened
    found = [c.core & (c.rcbf > 0.95) for c in opened]
    assert np.mean([c.volume(f) / c.volume(c.core) for c, f in zip(opened, found, strict=True)]) > 0.15
    assert max(c.water[f].max() / c.patient.stroke.nwu_percent for c, f in zip(opened, found, strict=True)) > 0.8
    assert max(c.rcbf[f].max() for c, f in zip(opened, found, strict=True)) > 1.1


def test_fields_stay_within_what_a_measurement_can_follow(cases: list[Case]):
    for c in cases:
        assert c.delay.min() >= 0
        assert c.delay.max() <= 20
        assert c.dispersion.min() >= 0
        assert np.isfinite(c.tmax).all()


def test_a_chronic_ica_occlusion_delays_without_infarct():
    seeds = [seed for seed in range(1500) if draw_stroke(seed).chronic_ica][:24]
    found = [case_of(draw_patient(seed)) for seed in seeds]
    six, four, eight = (np.array([c.volume(c.tmax > t) for c in found]) for t in (6, 4, 8))
    assert np.median(six) == pytest.approx(14, abs=7)
    assert np.median(four) == pytest.approx(81, rel=0.35)
    assert (eight == 0).mean() == pytest.approx(24 / 31, abs=0.2)
    assert not any(c.core.any() or c.water.any() for c in found)


def test_a_seizure_raises_cortical_flow_and_shortens_tmax():
    patient = next(p for p in map(draw_patient, range(500)) if p.stroke.mimic == "seizure")
    ill, well = case_of(patient), case_of(patient.without_deficit())
    excited = ill.rcbf > 1.25
    assert ill.volume(excited) > 5
    assert ill.rcbf.max() <= 1.6 + 1e-3
    assert (ill.tmax[excited] <= well.tmax[excited]).all()
    assert ill.volume(ill.tmax > 3.5) <= well.volume(well.tmax > 3.5)


def test_other_traits_leave_the_pattern_of_severity_alone():
    patient = next(p for p in map(draw_patient, range(100)) if p.stroke.site == "M1" and not p.stroke.reperfused)
    first = coarse_deficit(patient)
    other = coarse_deficit(patient.with_stroke(nwu_percent=0.0, swelling=0.0, clot_contrast_hu=0.0))
    assert np.array_equal(first.tmax_expected_s, other.tmax_expected_s)
    assert np.array_equal(first.core, other.core)
    assert first.water_uptake_percent.any()
    assert not other.water_uptake_percent.any()
    assert not other.swelling.any()


def test_isolated_swelling_is_where_tissue_is_at_risk_without_water():
    patient = next(p for p in map(draw_patient, range(400)) if p.stroke.isolated_swelling and p.stroke.site == "M1")
    found = coarse_deficit(patient)
    penumbra = (found.tmax_expected_s > 8) & (found.core == 0)
    assert found.swelling[penumbra].mean() > 0.5 * patient.stroke.swelling
    assert found.water_uptake_percent[penumbra].max() == 0
    plain = coarse_deficit(patient.with_stroke(isolated_swelling=False))
    assert plain.swelling[penumbra].mean() < found.swelling[penumbra].mean()
