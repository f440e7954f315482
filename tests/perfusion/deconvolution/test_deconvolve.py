"""Deconvolution against public reference curves, curves integrated numerically, and literal per-voxel algebra."""

import csv

import numpy as np
import pytest
from scipy.stats import spearmanr

from perfusynth.errors import Cancelled
from perfusynth.perfusion.deconvolution.deconvolve import deconvolve
from perfusynth.perfusion.deconvolution.inverse import continuation, retained_basis
from perfusynth.perfusion.deconvolution.settings import METHODS, DeconvolutionSettings
from tests.perfusion.deconvolution.curves import KH, RESIDUES, RHO, bolus, tissue

DELAYS_S = (-2.0, 0.0, 0.4, 1.3, 3.0, 5.5, 8.7, 12.0)
OSVD, CSVD = DeconvolutionSettings(), DeconvolutionSettings(method="csvd")
#: MTT 3, 6 and 12 s.
CBF, CBV = np.array([66.0, 25.0, 10.0]), np.array([3.3, 2.5, 2.0])


def times(frame_s: float, duration_s: float = 60.0) -> np.ndarray:
    return np.arange(0, duration_s, frame_s)


@pytest.mark.parametrize("method", METHODS)
def test_all_public_reference_curves_are_within_the_tolerances_of_their_authors(public_data, method):
    # The reference is per 100 mL and without the correction for haematocrit. OSIPI: CBV 1 and 10 %, CBF 15 and 10 %.
    plain = DeconvolutionSettings(method=method, haematocrit_factor=1, density_g_per_ml=1)
    csv.field_size_limit(10**8)
    with open(public_data / "osipi_dsc" / "dsc_data.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 14
    for row in rows:
        curve, aif = (np.array(row[name].split(), dtype=float) for name in ("C_tis", "C_aif"))
        maps = deconvolve(curve[None], aif, float(row["tr"]), plain)
        np.testing.assert_allclose(maps["cbv"], float(row["cbv"]), atol=1, rtol=0.1)
        np.testing.assert_allclose(maps["cbf"], float(row["cbf"]), atol=15, rtol=0.1)


@pytest.mark.parametrize("shape", RESIDUES.values(), ids=RESIDUES.keys())
@pytest.mark.parametrize(
    ("settings", "frame_s", "duration_s", "flow", "tmax_s"),
    [
        (CSVD, 1.0, 60.0, 0.01, 0.15),
        (CSVD, 2.0, 60.0, 0.02, 0.15),
        (CSVD, 1.0, 45.0, 0.02, 0.25),
        (CSVD, 2.0, 45.0, 0.03, 0.25),
        (OSVD, 1.0, 60.0, 0.03, 0.25),
        # Thin sampling and a short study: what each voxel keeps then depends on its delay (docs/perfusion.md).
        (OSVD, 2.0, 60.0, 0.08, 0.5),
        (OSVD, 1.0, 45.0, 0.15, 0.9),
        (OSVD, 2.0, 45.0, 0.15, 0.9),
    ],
    ids=lambda value: value.method if isinstance(value, DeconvolutionSettings) else f"{value:g}",
)
def test_delay_moves_tmax_and_leaves_flow_and_volume(shape, settings, frame_s, duration_s, flow, tmax_s):
    frames = times(frame_s, duration_s)
    maps = [
        deconvolve(tissue(CBF, CBV, frames, delay_s=delay, shape=shape), bolus(frames), frame_s, settings)
        for delay in DELAYS_S
    ]
    at_once = maps[DELAYS_S.index(0.0)]
    for found in maps:
        np.testing.assert_allclose(found["cbf"], at_once["cbf"], rtol=flow)
        np.testing.assert_allclose(found["cbv"], CBV, rtol=0.06 if duration_s == 60 else 0.2)
    offsets = np.array([found["tmax"] - delay for delay, found in zip(DELAYS_S, maps, strict=True)])
    assert np.ptp(offsets, axis=0).max() <= tmax_s
    # Also before the artery: nothing is held at 0.
    assert (maps[0]["tmax"] < at_once["tmax"] - 1.5).all()


@pytest.mark.parametrize("shape", RESIDUES.values(), ids=RESIDUES.keys())
@pytest.mark.parametrize("frame_s", [1.0, 2.0])
def test_flow_keeps_its_order_at_each_blood_volume_and_is_underestimated_by_the_truncation(shape, frame_s):
    frames, mtt = times(frame_s), np.linspace(3, 12, 25)
    for volume in (1.0, 2.5, 4.0):
        cbv = np.full(len(mtt), volume)
        maps = deconvolve(tissue(60 * cbv / mtt, cbv, frames, shape=shape), bolus(frames), frame_s, CSVD)
        assert spearmanr(maps["cbf"], 60 * cbv / mtt).statistic >= 0.99
        left = maps["cbf"] / (60 * cbv / mtt)
        assert 0.35 < left[0] < 0.65
        assert left[-1] > left[0] + 0.2


@pytest.mark.parametrize("frame_s", [1.0, 2.0])
def test_flow_keeps_its_order_over_all_volumes_and_transit_times(frame_s):
    rng = np.random.default_rng(0)
    frames, mtt, cbv = times(frame_s), rng.uniform(3, 12, 250), rng.uniform(1, 5, 250)
    cbf = 60 * cbv / mtt
    for shape in (1.0, 3.0):
        curves = tissue(cbf, cbv, frames, shape=shape)
        rank = {
            method: spearmanr(deconvolve(curves, bolus(frames), frame_s, settings)["cbf"], cbf).statistic
            for method, settings in {
                "csvd": CSVD,
                "osvd": OSVD,
            }.items()
        }
        # A fixed truncation mixes flow with transit time (docs/perfusion.md); one for each voxel does less.
        assert rank["csvd"] >= 0.93
        assert rank["osvd"] >= 0.98


def test_frame_interval_does_not_scale_flow_or_volume():
    every = deconvolve(tissue(CBF, CBV, times(1.0)), bolus(times(1.0)), 1.0)
    second = deconvolve(tissue(CBF, CBV, times(2.0)), bolus(times(2.0)), 2.0)
    np.testing.assert_allclose(second["cbf"], every["cbf"], rtol=0.05)
    np.testing.assert_allclose(second["cbv"], every["cbv"], rtol=0.02)
    np.testing.assert_allclose(second["tmax"], every["tmax"], atol=0.2)


def test_standard_svd_loses_flow_with_delay_as_it_is_known_to():
    frames, settings = times(1.0), DeconvolutionSettings(method="ssvd", threshold=0.2)
    at_once, late = (
        deconvolve(tissue(CBF, CBV, frames, delay_s=d), bolus(frames), 1.0, settings)["cbf"] for d in (0.0, 3.0)
    )
    # Normal tissue loses a third: the reason why the circulant is the default.
    assert late[0] < 0.7 * at_once[0]
    assert (late < at_once).all()


@pytest.mark.parametrize("frame_s", [1.0, 1.5])
def test_circulant_svd_equals_the_literal_algebra_voxel_by_voxel(frame_s):
    frames = times(frame_s, 45.0)
    curves, aif = tissue(CBF, CBV, frames, delay_s=3.0), bolus(frames)
    settings = DeconvolutionSettings(method="csvd", threshold=0.12)
    maps = deconvolve(curves, aif, frame_s, settings)
    longer = continuation(len(frames), frame_s)
    np.testing.assert_array_equal(longer[: len(frames)] @ aif, aif)
    matrix = frame_s * np.array([np.roll(longer @ aif, k) for k in range(2 * len(frames))]).T
    u, s, vt = np.linalg.svd(matrix)
    inverse = np.where(s > 0.12 * s[0], 1 / s, 0)
    for k, curve in enumerate(curves):
        residue = vt.T @ (inverse * (u.T @ (longer @ curve)))
        # On whole frames the literal maximum is at most what lies between them.
        literal = residue.max() * 6000 * KH / RHO
        assert literal * (1 - 1e-4) <= maps["cbf"][k] <= literal * 1.06
        assert abs(residue.argmax() * frame_s - maps["tmax"][k]) <= frame_s / 2 + 0.05
        np.testing.assert_allclose(residue.sum() * frame_s * 100 * KH / RHO, maps["cbv"][k], rtol=1e-4)


def test_oscillation_limit_picks_for_each_voxel_the_least_truncation_that_is_quiet():
    rng, frames = np.random.default_rng(1), times(1.0)
    clean = np.repeat(tissue(CBF, CBV, frames), 20, axis=0)
    noisy = clean + rng.normal(0, 1.0, clean.shape)
    quiet, loud = (
        deconvolve(c, bolus(frames), 1.0, DeconvolutionSettings(method="osvd", oscillation=0.05))["cbf"]
        for c in (clean, noisy)
    )
    fixed = deconvolve(noisy, bolus(frames), 1.0, DeconvolutionSettings(method="csvd", threshold=0.01))["cbf"]
    truth = np.repeat(CBF, 20)
    # Without noise it keeps more than the fixed truncation; with noise it does not ring as an untruncated one does.
    assert (quiet[:20] > deconvolve(clean, bolus(frames), 1.0, CSVD)["cbf"][:20]).all()
    assert np.abs(loud / truth - 1).mean() < 0.5 * np.abs(fixed / truth - 1).mean()


def test_projection_on_what_is_retained_changes_nothing():
    rng, frames = np.random.default_rng(2), times(1.5)
    curves = tissue(CBF, CBV, frames) + rng.normal(0, 1, (3, len(frames)))
    for method in METHODS:
        settings = DeconvolutionSettings(method=method)
        basis = retained_basis(bolus(frames), 1.5, settings)
        assert method == "osvd" or len(basis) < len(frames)
        whole, kept = (deconvolve(c, bolus(frames), 1.5, settings) for c in (curves, curves @ basis.T @ basis))
        for name, values in whole.items():
            np.testing.assert_allclose(kept[name], values, rtol=2e-3, atol=2e-3)


def test_chunks_change_nothing_and_tell_how_far_they_are():
    rng, frames = np.random.default_rng(3), times(2.0)
    curves = tissue(CBF, CBV, frames).repeat(40, axis=0) + rng.normal(0, 1, (120, len(frames)))
    told: list[float] = []
    whole = deconvolve(curves, bolus(frames), 2.0)
    parts = deconvolve(
        curves, bolus(frames), 2.0, chunk_voxels=32, on_progress=lambda stage, fraction: told.append(fraction)
    )
    for name, values in whole.items():
        np.testing.assert_allclose(parts[name], values, rtol=1e-4, atol=1e-4)
    assert told == [32 / 120, 64 / 120, 96 / 120, 1.0]

    def stop(stage: str, fraction: float) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        deconvolve(curves, bolus(frames), 2.0, chunk_voxels=32, on_progress=stop)


def test_no_enhancement_is_zero_everywhere():
    frames = times(1.0)
    for method in METHODS:
        maps = deconvolve(np.zeros((2, len(frames))), bolus(frames), 1.0, DeconvolutionSettings(method=method))
        for name in ("cbf", "cbv"):
            np.testing.assert_array_equal(maps[name], 0)
        assert all(np.isfinite(values).all() and values.dtype == np.float32 for values in maps.values())


@pytest.mark.parametrize(
    ("aif", "frame_s"),
    [(np.zeros(40), 1.0), (np.full(40, np.nan), 1.0), (np.ones(39), 1.0), (np.ones(40), 0.0)],
    ids=["empty", "not a number", "another length", "no interval"],
)
def test_an_input_that_cannot_be_divided_by_is_refused(aif, frame_s):
    with pytest.raises(ValueError, match="expected"):
        deconvolve(np.ones((2, 40)), aif, frame_s)


@pytest.mark.parametrize("field", [{"method": "tikhonov"}, {"threshold": 0.0}, {"earliest_s": 1.0}, {"oscillation": 2}])
def test_settings_out_of_their_range_are_refused(field):
    with pytest.raises(ValueError, match="expected"):
        DeconvolutionSettings(**field)
