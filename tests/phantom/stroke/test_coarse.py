"""Deficits of many patients at 4 mm: volumes, what flow tells of the infarct, uptake, mimics."""

from dataclasses import dataclass

import numpy as np
import pytest
from scipy.stats import rankdata

from perfusynth.phantom.lattice import BRAIN_COARSE
from perfusynth.phantom.patient import Patient, draw_patient
from perfusynth.phantom.stroke.coarse import coarse_deficit, coarse_perfusion, scattered
from perfusynth.phantom.stroke.severity import coarse_brain, inside_share, voxel_ml
from perfusynth.phantom.stroke.traits import CHRONIC_TMAX6_ML, draw_stroke

PATIENTS = 150
#: Limits of core and penumbra by PET, mL/100 g/min, at a normal flow of 45, as relative flow.
PET_CORE, PET_PENUMBRA = 12 / 45, 22 / 45


@dataclass
class Case:
    """Flat values within the brain: weights in mL, with and without the fluid of the sulci, and the fields."""

    patient: Patient
    ml: np.ndarray
    tissue_ml: np.ndarray
    tmax: np.ndarray
    core: np.ndarray
    rcbf: np.ndarray
    water: np.ndarray
    delay: np.ndarray
    dispersion: np.ndarray

    @property
    def in_tissue(self) -> np.ndarray:
        return self.tissue_ml > 0

    def volume(self, where: np.ndarray) -> float:
        return float(self.ml[where].sum())

    def tissue_volume(self, where: np.ndarray) -> float:
        """Of what DWI shows, mL."""
        return float(self.tissue_ml[where].sum())

    def uptake(self, where: np.ndarray) -> float:
        """Mean net water uptake of the tissue there, %; the field is that of whole voxels."""
        return float((self.ml * self.water)[where].sum() / self.tissue_volume(where))


def case_of(patient: Patient) -> Case:
    at, found, _ = coarse_perfusion(patient)
    ml = inside_share(patient) * voxel_ml(patient, BRAIN_COARSE.step_mm)

    def field(values: np.ndarray, outside: float = 0.0) -> np.ndarray:
        return scattered(values, at, BRAIN_COARSE.shape, outside)

    brain = coarse_brain(patient.head.anatomy)
    tissue_ml = ml * np.clip(brain.grey + brain.white, 0, 1)
    core, rcbf = field(found.core) > 0.5, field(found.rcbf, 1.0)
    rows = (ml, tissue_ml, field(found.tmax_expected_s), core, rcbf, field(found.water_uptake_percent))
    rest = (field(found.delay_s), field(found.dispersion_s))
    inside = ml > 0
    return Case(patient, *(row[inside] for row in rows + rest))


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
    core = np.array([c.tissue_volume(c.core) / c.patient.stroke.core_target_ml for c in large])
    assert np.median(core) == pytest.approx(1, abs=0.03)
    assert (np.abs(core - 1) < 0.1).mean() > 0.85
    assert core.max() < 1.1


def test_the_infarct_is_part_of_the_tissue_with_a_long_tmax(cases: list[Case]):
    shut = [c for c in cases if c.patient.stroke.reperfused == 0 and c.patient.stroke.core_target_ml > 3]
    assert np.mean([c.tissue_volume(c.core & (c.tmax > 6)) / c.tissue_volume(c.core) for c in shut]) > 0.9
    assert max(c.tissue_volume(c.core) / c.tissue_volume(c.tmax > 6) for c in shut) < 1


def test_delay_is_graded_as_published(cases: list[Case]):
    hir = [c.volume(c.tmax > 10) / c.volume(c.tmax > 6) for c in cases if not c.patient.stroke.reperfused]
    drawn = [c.patient.stroke.hir_target for c in cases if not c.patient.stroke.reperfused]
    assert np.abs(np.array(hir) - drawn).mean() < 0.03
    assert np.mean(hir) > 0.4  # before the measurement, which shows 0.4 (realism table)
    # 220 mL above 4 s for 131 mL above 6 s behind an ICA occlusion.
    ratio = [c.volume(c.tmax > 4) / c.volume(c.tmax > 6) for c in cases if c.patient.stroke.site == "ICA"]
    assert np.median(ratio) == pytest.approx(220 / 131, abs=0.2)


def test_flow_is_that_of_core_and_penumbra(cases: list[Case]):
    """True flow: PET tells core (below 12) from penumbra (12-22 mL/100 g/min); maps show more, most in the core."""
    shut = [c for c in cases if c.patient.stroke.reperfused == 0]
    cores = [c for c in shut if c.tissue_volume(c.core) > 5]
    core = [np.average(c.rcbf[c.core], weights=c.tissue_ml[c.core]) for c in cores]
    assert np.mean(core) == pytest.approx(0.15, abs=0.07)
    below = [c.tissue_volume(c.core & (c.rcbf < PET_CORE)) / c.tissue_volume(c.core) for c in cores]
    assert np.mean(below) > 2 / 3
    penumbra = [(c.tmax > 6) & ~c.core & c.in_tissue for c in shut]
    flow = [c.rcbf[p].mean() for c, p in zip(shut, penumbra, strict=True) if c.tissue_volume(p) > 10]
    assert PET_CORE <= np.mean(flow) <= PET_PENUMBRA


def test_flow_is_no_function_of_delay(cases: list[Case]):
    spread = [c.rcbf[(c.tmax > 6.5) & (c.tmax < 7.5) & ~c.core].std() for c in cases if c.volume(c.tmax > 6) > 60]
    assert np.median(spread) > 0.03


def test_flow_tells_of_the_infarct_but_does_not_decide_it(cases: list[Case]):
    """Pooled voxels of the ischaemic region (Tmax > 6 s or infarct), true flow (maps show another)."""
    regions = [(c, c.in_tissue & ((c.tmax > 6) | c.core)) for c in cases if c.patient.stroke.reperfused == 0]
    flow, infarct, ml = (
        np.concatenate([values[region] for values, region in rows])
        for rows in zip(*([(v, region) for v in (c.rcbf, c.core, c.tissue_ml)] for c, region in regions), strict=True)
    )
    limits = np.linspace(0.02, 0.8, 79)
    hit = np.array([(ml * (infarct & (flow < limit))).sum() for limit in limits]) / (ml * infarct).sum()
    spared = np.array([(ml * (~infarct & (flow >= limit))).sum() for limit in limits]) / (ml * ~infarct).sum()
    best = (hit + spared - 1).max()
    # At least what a measured map tells, sensitivity 67, specificity 87 % [Cer]; and never everything.
    assert 0.67 + 0.87 - 1 < best < 0.95
    rank, n = rankdata(-flow), infarct.sum()
    auc = (rank[infarct].sum() - n * (n + 1) / 2) / (n * (len(infarct) - n))
    assert 0.80 < auc < 0.99


def test_only_the_infarct_takes_up_water(cases: list[Case]):
    whole, low, penumbra = [], [], []
    for c in cases:
        drawn = c.patient.stroke.nwu_percent
        for where, shares in ((c.core, whole), (c.core & (c.rcbf < PET_CORE), low)):
            if c.tissue_volume(where) > 3:
                shares.append(c.uptake(where) / drawn)
        at_risk = (c.tmax > 6) & ~c.core
        if c.tissue_volume(at_risk) > 5:
            penumbra.append(c.uptake(at_risk))
    # What low flow shows of the infarct, as drawn, lies between the two.
    assert 0.85 <= np.median(whole) <= np.median(low) <= 1.15
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
    drawn = [c.patient.stroke.tmax6_target_ml for c in found]
    assert np.median(six / drawn) == pytest.approx(1, abs=0.05)
    assert np.median(drawn) == pytest.approx(CHRONIC_TMAX6_ML[0], rel=0.35)
    # 81 mL above 4 s for 14 mL above 6 s [cICA].
    assert np.median(four / six) == pytest.approx(81 / 14, rel=0.2)
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
    assert np.array_equal(first.infarct, other.infarct)
    assert first.water_uptake_percent.any()
    assert not other.water_uptake_percent.any()
    assert not other.swelling.any()


def test_isolated_swelling_is_where_tissue_is_at_risk_without_water():
    patient = next(p for p in map(draw_patient, range(400)) if p.stroke.isolated_swelling and p.stroke.site == "M1")
    found = coarse_deficit(patient)
    penumbra = (found.tmax_expected_s > 8) & (found.infarct == 0)
    assert found.swelling[penumbra].mean() > 0.5 * patient.stroke.swelling
    assert found.water_uptake_percent[penumbra].max() == 0
    plain = coarse_deficit(patient.with_stroke(isolated_swelling=False))
    assert plain.swelling[penumbra].mean() < found.swelling[penumbra].mean()
