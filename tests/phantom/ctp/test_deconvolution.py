"""Deconvolution against public reference curves and against curves with a closed form."""

import csv

import numpy as np
import pytest
from scipy.stats import spearmanr

from perfusynth.phantom.ctp.deconvolution import KH, RHO, TMAX_LIMITS_S, deconvolve

FRAME_S = 1.0
TIMES_S = np.arange(0, 60, FRAME_S)
FINE_S = 0.01


def first_pass(time_s: np.ndarray) -> np.ndarray:
    """A gamma variate with peak 300 HU at 15.5 s, 9 s wide at half its height."""
    x = np.clip((time_s - 9) / 6.5, 0, None)
    return 300 * x**3 * np.exp(3 * (1 - x))


def tissue(cbf: np.ndarray, cbv: np.ndarray, delay_s: float = 0.0) -> np.ndarray:
    """Curves with an exponential residue function by numerical integration on a fine axis, HU, ``(n, frames)``."""
    time = np.arange(0, 80, FINE_S)
    curves = []
    for flow, volume in zip(cbf, cbv, strict=True):
        mtt = 60 * volume / flow
        whole = np.convolve(first_pass(time), np.exp(-time / mtt))[: len(time)] * FINE_S
        curves.append(np.interp(TIMES_S - delay_s, time, flow / 6000 * RHO / KH * whole, left=0))
    return np.array(curves)


def test_public_reference_curves(public_data):
    # The reference is per 100 mL and without the correction for haematocrit, so that kH / rho is taken out.
    csv.field_size_limit(10**8)
    with open(public_data / "osipi_dsc" / "dsc_data.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 14
    for row in rows:
        curve, aif = (np.array(row[name].split(), dtype=float) for name in ("C_tis", "C_aif"))
        maps = deconvolve(curve[None], aif, float(row["tr"]))
        np.testing.assert_allclose(maps["cbv"] * RHO / KH, float(row["cbv"]), atol=1, rtol=0.1)
        np.testing.assert_allclose(maps["cbf"] * RHO / KH, float(row["cbf"]), atol=15, rtol=0.1)


def test_volume_comes_back_and_flow_keeps_its_order_though_it_is_underestimated():
    cbf = np.array([80.0, 60.0, 50.0, 40.0, 30.0, 22.0, 15.0, 10.0, 6.0])
    cbv = np.array([4.4, 3.6, 3.3, 2.9, 2.4, 1.9, 1.6, 1.3, 1.0])
    maps = deconvolve(tissue(cbf, cbv), first_pass(TIMES_S), FRAME_S)
    assert spearmanr(maps["cbf"], cbf).statistic >= 0.99
    # The truncation lowers flow, the more the shorter the transit (3.3 to 10 s here): about half in normal tissue.
    left = maps["cbf"] / cbf
    assert (np.diff(left) > 0).all()
    assert 0.4 < left[0] < left[-1] < 1
    np.testing.assert_allclose(maps["cbv"], cbv, rtol=0.03)
    np.testing.assert_allclose(maps["mtt"], 60 * maps["cbv"] / maps["cbf"], rtol=1e-5)


@pytest.mark.parametrize("delay_s", [0.4, 1.0, 2.3, 5.0, 8.7])
def test_delay_moves_tmax_and_leaves_flow(delay_s):
    cbf, cbv = np.array([55.0, 22.0, 12.0]), np.array([3.3, 1.9, 1.5])
    aif = first_pass(TIMES_S)
    at_once, late = deconvolve(tissue(cbf, cbv), aif, FRAME_S), deconvolve(tissue(cbf, cbv, delay_s), aif, FRAME_S)
    np.testing.assert_allclose(late["cbf"], at_once["cbf"], rtol=0.03)
    np.testing.assert_allclose(late["tmax"] - at_once["tmax"], delay_s, atol=0.1)


def test_tissue_that_fills_before_the_artery_has_tmax_zero_and_its_flow():
    cbf, cbv = np.array([55.0]), np.array([3.3])
    aif = first_pass(TIMES_S)
    early = deconvolve(tissue(cbf, cbv, delay_s=-3.0), aif, FRAME_S)
    assert early["tmax"][0] == TMAX_LIMITS_S[0]
    np.testing.assert_allclose(early["cbf"], deconvolve(tissue(cbf, cbv), aif, FRAME_S)["cbf"], rtol=0.03)


def test_frame_interval_does_not_scale_flow_or_volume():
    cbf, cbv = np.array([55.0, 22.0, 12.0]), np.array([3.3, 1.9, 1.5])
    curves, aif = tissue(cbf, cbv), first_pass(TIMES_S)
    every, second = deconvolve(curves, aif, FRAME_S), deconvolve(curves[:, ::2], aif[::2], 2 * FRAME_S)
    np.testing.assert_allclose(second["cbf"], every["cbf"], rtol=0.08)
    np.testing.assert_allclose(second["cbv"], every["cbv"], rtol=0.02)
    np.testing.assert_allclose(second["tmax"], every["tmax"], atol=0.4)


def test_no_enhancement_is_zero_everywhere():
    maps = deconvolve(np.zeros((2, len(TIMES_S))), first_pass(TIMES_S), FRAME_S)
    for name in ("cbf", "cbv", "mtt"):
        np.testing.assert_array_equal(maps[name], 0)
    assert all(np.isfinite(values).all() and values.dtype == np.float32 for values in maps.values())
