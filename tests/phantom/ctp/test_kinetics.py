"""Bolus and tissue curves against their definitions, numerical integration, and published enhancement."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import gamma

from perfusynth.perfusion.deconvolution.deconvolve import deconvolve
from perfusynth.phantom.ctp.kinetics import (
    STANDARD_DECONVOLUTION,
    bolus_of,
    residue,
    tissue_curves,
    tmax_offset_s,
    transported,
)
from perfusynth.phantom.ctp.traits import draw_circulation
from tests.perfusion.deconvolution.curves import KH, RHO

FRAMES_S = np.arange(0, 60, 1.5)
STEP_S = 0.02


def width_at_half(time_s: np.ndarray, curve: np.ndarray) -> float:
    above = time_s[curve > curve.max() / 2]
    return float(above[-1] - above[0])


@pytest.fixture(scope="module")
def circulation():
    return replace(
        draw_circulation(3, 70.0), aif_peak_hu=300.0, aif_fwhm_s=9.0, residue="exponential", residue_shape=1.0
    )


def integrated(circulation, cbf, mtt_s, dispersion_s, delay_s):
    """A tissue curve by direct numerical integration of the model's definition, HU at `FRAMES_S`."""
    bolus = bolus_of(circulation, FRAMES_S[-1])
    time = np.arange(0, FRAMES_S[-1] + 5, STEP_S)
    curve = np.interp(time, bolus.time_s, bolus.aif)
    if dispersion_s:
        curve = np.convolve(curve, np.exp(-time / dispersion_s) / dispersion_s)[: len(time)] * STEP_S
    left = gamma.sf(time, circulation.residue_shape, scale=mtt_s / circulation.residue_shape)
    curve = cbf / 6000 * RHO / KH * np.convolve(curve, left)[: len(time)] * STEP_S
    return np.interp(FRAMES_S - delay_s, time, curve, left=0)


def test_bolus_has_the_drawn_peak_width_and_arrival(circulation):
    bolus = bolus_of(circulation, 60.0)
    time = np.arange(0, 60, 0.01)
    first = bolus_of(replace(circulation, recirculation_share=0.0), 60.0).aif_at(time)
    assert first.max() == pytest.approx(300, rel=0.01)
    assert width_at_half(time, first) == pytest.approx(9.0, abs=0.15)
    assert first[time < circulation.arrival_s].max() < 0.1
    again = bolus.aif_at(time) - first
    assert again[time < circulation.arrival_s + circulation.recirculation_delay_s].max() < 0.5
    assert 10 < again.max() < 0.3 * 300


def test_venous_output_is_later_lower_and_of_equal_area(circulation):
    bolus = bolus_of(replace(circulation, recirculation_share=0.0), 120.0)
    aif, vof = bolus.aif_at(bolus.time_s), bolus.vof_at(bolus.time_s)
    assert bolus.time_s[vof.argmax()] - bolus.time_s[aif.argmax()] > circulation.venous_delay_s
    assert vof.max() < aif.max()
    assert vof.sum() == pytest.approx(aif.sum(), rel=0.01)


def test_transport_keeps_area_and_adds_its_time_constant():
    time = np.arange(0, 200, 0.25)
    curve = np.exp(-0.5 * ((time - 30) / 4) ** 2)
    for tau in (0.05, 0.5, 3.0, 8.0):
        moved = transported(curve, tau, 0.25)
        assert moved.sum() == pytest.approx(curve.sum(), rel=1e-3)
        assert (time * moved).sum() / moved.sum() == pytest.approx(30 + tau, abs=0.02)
    np.testing.assert_array_equal(transported(curve, 0.0, 0.25), curve)


def test_residue_has_the_mean_transit_time_as_area():
    time = np.arange(0, 200, 0.01)
    for shape in (1.0, 1.5, 4.0):
        assert residue(time, 6.0, shape).sum() * 0.01 == pytest.approx(6.0, rel=2e-3)
    np.testing.assert_allclose(residue(time, 6.0, 1.0), np.exp(-time / 6), atol=1e-9)


@pytest.mark.parametrize("shape", [1.0, 3.0])
@pytest.mark.parametrize(
    ("cbf", "mtt_s", "dispersion_s", "delay_s"),
    [(60.0, 3.3, 0.0, 0.0), (21.0, 5.4, 0.7, 0.8), (25.0, 9.1, 2.5, 4.3), (10.0, 13.0, 5.0, 8.9)],
)
def test_table_equals_direct_integration(circulation, shape, cbf, mtt_s, dispersion_s, delay_s):
    circulation = replace(circulation, residue_shape=shape)
    table = tissue_curves(bolus_of(circulation, 60.0), FRAMES_S)
    curve = table(*(np.array([v]) for v in (cbf, mtt_s, dispersion_s, delay_s)))[0]
    expected = integrated(circulation, cbf, mtt_s, dispersion_s, delay_s)
    np.testing.assert_allclose(curve, expected, atol=0.03 * expected.max())


def test_grouped_voxels_are_averaged(circulation):
    table = tissue_curves(bolus_of(circulation, 60.0), FRAMES_S)
    values = (np.array([60.0, 20.0]), np.array([3.0, 8.0]), np.array([0.0, 3.0]), np.array([0.0, 5.0]))
    np.testing.assert_allclose(table(*values, group=2)[0], table(*values).mean(axis=0), rtol=1e-4, atol=1e-4)


def test_peak_enhancement_is_that_of_patients():
    # Grey matter 7-15, white 4-8, core 1-2.5 HU; the drawn peaks of the arterial input reach to the tails of those.
    peaks = []
    for seed in range(60):
        drawn = draw_circulation(seed, 70.0)
        table = tissue_curves(bolus_of(drawn, 60.0), FRAMES_S)
        grey, white = (53.0, 60 * 3.3 / 53, 0.0, 0.0), (drawn.cbf_white, 60 * 1.9 / drawn.cbf_white, 0.0, 0.5)
        core = (0.19 * 45, 60 * 1.0 / (0.19 * 45), 3.0, 7.0)
        values = (np.array(column) for column in zip(grey, white, core, strict=True))
        peaks.append(table(*values).max(axis=1))
    grey, white, core = np.median(peaks, axis=0)
    assert 7 < grey < 15
    assert 4 < white < 8
    assert 1 < core < 2.5


def test_flow_falls_with_age_and_residue_families_are_drawn():
    young, old = (np.mean([draw_circulation(s, age).cbf_grey for s in range(300)]) for age in (40.0, 80.0))
    assert 0.3 <= 100 * (young - old) / 40 / young <= 0.5
    drawn = [draw_circulation(s, 70.0) for s in range(300)]
    share = np.mean([d.residue == "gamma" for d in drawn])
    assert 0.4 < share < 0.6
    assert all((d.residue_shape == 1.0) == (d.residue == "exponential") for d in drawn)
    peaks = np.array([d.aif_peak_hu for d in drawn])
    assert peaks.mean() == pytest.approx(300, abs=15)
    assert peaks.std() == pytest.approx(80, abs=12)


@pytest.mark.parametrize("shape", [1.0, 2.0])
def test_the_tmax_offset_foretells_another_deconvolution(shape):
    drawn = replace(draw_circulation(1, 70.0), aif_peak_hu=300.0, aif_fwhm_s=9.0, residue_shape=shape)
    cbf = np.array([60.0, 25.0, 20.0, 12.0])
    mtt, dispersion, delay = np.array([3.3, 5.0, 8.0, 10.0]), np.array([0.0, 0.5, 2.0, 3.0]), np.array([0.3, 1, 4, 6.1])
    curves = np.array([integrated(drawn, *v) for v in zip(cbf, mtt, dispersion, delay, strict=True)])
    aif, expected = bolus_of(drawn, 60.0).aif_at(FRAMES_S), delay + tmax_offset_s(mtt, dispersion, shape)
    np.testing.assert_allclose(deconvolve(curves, aif, 1.5, STANDARD_DECONVOLUTION)["tmax"], expected, atol=0.5)
    # Without noise the patients' own method keeps more: its maximum lies between the true delay and that one.
    keen = deconvolve(curves, aif, 1.5)["tmax"]
    assert (keen < expected).all()
    assert (keen > delay).all()


def test_tmax_offset_rises_and_normal_tissue_lies_at_normal_tmax():
    mtt, dispersion = np.linspace(1, 30, 40)[:, None], np.linspace(0, 8, 30)[None]
    offset = tmax_offset_s(mtt, dispersion)
    assert offset.dtype == np.float32
    assert (np.diff(offset, axis=0) >= 0).all()
    assert (np.diff(offset, axis=1) >= 0).all()
    assert 1.0 < tmax_offset_s(np.array(3.3), np.array(0.0)) < 2.5
