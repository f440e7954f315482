"""The oscillation-limited truncation against its literal algebra, voxel by voxel in double precision."""

import numpy as np
import pytest
import torch

from perfusynth.perfusion.deconvolution.deconvolve import deconvolve
from perfusynth.perfusion.deconvolution.inverse import Circulant, lags_of
from perfusynth.perfusion.deconvolution.oscillation import LADDER, OSCILLATION_STEP_S, OscillationLimited
from perfusynth.perfusion.deconvolution.settings import DeconvolutionSettings
from tests.perfusion.deconvolution.curves import bolus, tissue

SETTINGS = DeconvolutionSettings()


def noisy(frame_s: float) -> tuple[np.ndarray, np.ndarray]:
    """Curves ``(n, frames)`` from quiet to loud, and their input."""
    rng, frames = np.random.default_rng(5), np.arange(0, 60.0, frame_s)
    clean = tissue(np.array([66.0, 25.0, 10.0, 4.0]), np.array([3.3, 2.5, 2.0, 1.0]), frames, delay_s=2.0)
    levels = np.array([0.0, 0.2, 1.0, 4.0])
    curves = clean[:, None] + levels[:, None] * rng.standard_normal((4, len(levels), len(frames)))
    return curves.reshape(-1, len(frames)), bolus(frames)


def literal(curve: np.ndarray, aif: np.ndarray, frame_s: float, lags: np.ndarray) -> np.ndarray:
    """Each threshold in turn until the index is below the limit; mixed with the one before to lie on the limit."""
    circulant = Circulant(aif, frame_s)
    whole = np.arange(0, 2 * len(aif) * frame_s, OSCILLATION_STEP_S)
    previous: tuple[float, np.ndarray] | None = None
    for share in (SETTINGS.least_threshold, *(s for s in LADDER if s > SETTINGS.least_threshold)):
        kept = circulant.above(share)
        residue = circulant.inverse(kept, whole) @ curve
        index = np.abs(np.diff(residue, n=2)).sum() / (len(residue) * max(residue.max(), 1e-30))
        found = circulant.inverse(kept, lags) @ curve
        if index < SETTINGS.oscillation:
            break
        if share == LADDER[-1] or (previous is not None and previous[0] == index):
            continue
        previous = (index, found)
    if previous is None or index >= SETTINGS.oscillation:
        return found
    weight = (SETTINGS.oscillation - index) / (previous[0] - index)
    return found + weight * (previous[1] - found)


@pytest.mark.parametrize("frame_s", [1.0, 1.5, 2.0])
def test_every_voxel_gets_the_function_that_the_literal_algebra_gives(frame_s):
    curves, aif = noisy(frame_s)
    lags = lags_of(len(aif), frame_s, SETTINGS)
    ours = OscillationLimited(aif, frame_s, SETTINGS, lags, torch.device("cpu"))
    found = ours(torch.as_tensor(curves, dtype=torch.float32)).numpy()
    for own, curve in zip(found, curves, strict=True):
        expected = literal(curve, aif, frame_s, lags)
        np.testing.assert_allclose(own, expected, atol=1e-3 * np.abs(expected).max())


def test_the_last_step_takes_whoever_is_never_quiet():
    curves, aif = noisy(1.0)
    strict = DeconvolutionSettings(oscillation=1e-6)
    maps = deconvolve(curves, aif, 1.0, strict)
    last = DeconvolutionSettings(method="csvd", threshold=LADDER[-1])
    np.testing.assert_allclose(maps["cbv"], deconvolve(curves, aif, 1.0, last)["cbv"], rtol=1e-5)
    assert all(np.isfinite(values).all() for values in maps.values())
    # All but the area is gone: what is left hardly bends.
    assert (maps["cbf"] <= deconvolve(curves, aif, 1.0)["cbf"] + 1e-3).all()
