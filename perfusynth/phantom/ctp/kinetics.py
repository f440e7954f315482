"""Tracer kinetics: arterial input, residue functions, and tissue curves of many voxels from one table.

A tissue's curve is ``C(t) = CBF (rho / kH) / 6000 * (AIF * h * R)(t - delay)`` in HU: ``h`` the exponential transport
through the vessels that lead there (dispersion), ``R`` the share of tracer that is still in the tissue.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import sparse
from scipy.interpolate import RegularGridInterpolator
from scipy.special import gammaincc

from perfusynth.perfusion.deconvolution.deconvolve import deconvolve
from perfusynth.perfusion.deconvolution.settings import DeconvolutionSettings
from perfusynth.phantom.ctp.traits import AIF_FWHM_S, AIF_PEAK_HU, CirculationTraits

#: mL/100 g/min of a residue function of 1/s: simulated and measured flow mean the same blood.
FLOW_UNIT = DeconvolutionSettings().flow_unit
#: Step of the time axis on which curves are convolved, s.
FINE_STEP_S = 0.25
#: Exponent of the gamma variate of the first pass, and its width at half maximum relative to its rise time.
AIF_EXPONENT, WIDTH_OF_RISE = 3.0, 1.377
#: Time constant by which the body spreads the recirculating bolus, s [d].
RECIRCULATION_SPREAD_S = 12.0
#: Transit time of the normal tissue before the veins, s [d].
VENOUS_TRANSIT_S = 4.0
#: Nodes of the table of curves: mean transit time, dispersion, delay, s.
MTT_NODES_S = np.geomspace(1.0, 60.0, 24)
DISPERSION_NODES_S = np.array([0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 10.0])
DELAY_NODES_S = np.arange(0.0, 20.01, 0.5)
#: The measurement for which biases are tabulated: frame interval, duration and arrival, s.
STANDARD_FRAME_S, STANDARD_DURATION_S, STANDARD_ARRIVAL_S = 1.5, 60.0, 8.0
#: True delays over which those biases are averaged, s: within one frame, so that no phase is preferred.
STANDARD_DELAYS_S = STANDARD_FRAME_S * np.arange(6) / 6
#: How that measurement is deconvolved: by the truncation that the noise of a study asks for; free of noise, the
#: patients' own method would keep more, and its Tmax would lie up to 1 s lower.
STANDARD_DECONVOLUTION = DeconvolutionSettings(method="csvd", threshold=0.10)


def gamma_variate(time_s: np.ndarray, start_s: float, fwhm_s: float) -> np.ndarray:
    """First pass of a bolus with peak 1 and a given width at half maximum."""
    rise = fwhm_s / WIDTH_OF_RISE
    x = np.clip((time_s - start_s) / rise, 0, None)
    return x**AIF_EXPONENT * np.exp(AIF_EXPONENT * (1 - x))


def residue(time_s: np.ndarray, mtt_s: np.ndarray | float, shape: float) -> np.ndarray:
    """Share of tracer left after ``time_s`` where transit times are gamma-distributed (shape 1: exponential)."""
    return gammaincc(shape, time_s * shape / mtt_s)


def convolved(first: np.ndarray, second: np.ndarray, step_s: float) -> np.ndarray:
    """Causal convolution along the last axis by the trapezoidal rule, as long as the inputs (which broadcast)."""
    n = first.shape[-1]
    product = np.fft.rfft(first, 2 * n) * np.fft.rfft(second, 2 * n)
    ends = first[..., :1] * second + first * second[..., :1]
    return step_s * (np.fft.irfft(product, 2 * n)[..., :n] - ends / 2)


def transported(curve: np.ndarray, time_constant_s: float, step_s: float) -> np.ndarray:
    """``curve`` after exponential vascular transport; unchanged where the time constant is 0."""
    if time_constant_s <= 0:
        return curve
    # Exact for a curve that is linear between its samples; a short constant would be missed by sampling h.
    fall = np.exp(-step_s / time_constant_s)
    slope = 1 - time_constant_s / step_s * (1 - fall)
    result = np.zeros_like(curve)
    for k in range(1, curve.shape[-1]):
        before, now = curve[..., k - 1], curve[..., k]
        result[..., k] = result[..., k - 1] * fall + before * (1 - fall) + (now - before) * slope
    return result


def shifted(curve: np.ndarray, delay_s: np.ndarray | float, time_s: np.ndarray, step_s: float) -> np.ndarray:
    """Values along the last axis of curves (from time 0 in steps) at ``time_s - delay_s``, 0 before the start."""
    at = np.clip((np.asarray(time_s) - np.asarray(delay_s)[..., None]) / step_s, 0, curve.shape[-1] - 1.001)
    low = at.astype(int)
    return curve[..., low] + (at - low) * (curve[..., low + 1] - curve[..., low])


@dataclass(frozen=True, eq=False)
class Bolus:
    """Arterial input and venous output on a fine time axis (steps of `FINE_STEP_S` from the first frame), HU."""

    circulation: CirculationTraits
    time_s: np.ndarray
    aif: np.ndarray

    def aif_at(self, time_s: np.ndarray) -> np.ndarray:
        """Arterial input at any times, HU."""
        return np.interp(time_s, self.time_s, self.aif)

    def arterial(self, time_s: np.ndarray, delay_s: float, dispersion_s: float) -> np.ndarray:
        """Arterial curve behind a longer way (through collaterals), HU."""
        return np.interp(time_s - delay_s, self.time_s, transported(self.aif, dispersion_s, FINE_STEP_S))

    def vof_at(self, time_s: np.ndarray) -> np.ndarray:
        """Venous output at any times, HU: the arterial input after normal tissue."""
        left = transported(self.aif, VENOUS_TRANSIT_S, FINE_STEP_S)
        return np.interp(time_s - self.circulation.venous_delay_s, self.time_s, left)


def bolus_of(circulation: CirculationTraits, duration_s: float) -> Bolus:
    """The bolus of one patient over ``duration_s``."""
    time = np.arange(0, duration_s + FINE_STEP_S, FINE_STEP_S)
    first = circulation.aif_peak_hu * gamma_variate(time, circulation.arrival_s, circulation.aif_fwhm_s)
    again = transported(first, RECIRCULATION_SPREAD_S, FINE_STEP_S)
    again = shifted(again, circulation.recirculation_delay_s, time, FINE_STEP_S)
    return Bolus(circulation, time, first + circulation.recirculation_share * again)


def _responses(bolus: Bolus, dispersion_s: np.ndarray) -> np.ndarray:
    """Curves on the fine axis of tissue with a flow of 1 mL/100 g/min, HU, ``(mtt nodes, dispersions, time)``."""
    inputs = np.stack([transported(bolus.aif, float(d), FINE_STEP_S) for d in dispersion_s])
    left = residue(bolus.time_s, MTT_NODES_S[:, None], bolus.circulation.residue_shape)
    return convolved(inputs[None], left[:, None], FINE_STEP_S) / FLOW_UNIT


@dataclass(frozen=True, eq=False)
class TissueCurves:
    """Curves of tissue with a flow of 1 mL/100 g/min at the frames, HU; ``table`` is float32 ``(nodes, frames)``."""

    table: np.ndarray

    def weights(
        self, cbf: np.ndarray, mtt_s: np.ndarray, dispersion_s: np.ndarray, delay_s: np.ndarray, group: int = 1
    ) -> sparse.csr_matrix:
        """Sparse matrix ``(n / group, nodes)`` that, times ``table``, gives mean curves of ``group`` voxels each.

        All inputs are flat ``(n,)``; values outside the nodes' range are held at its ends.
        """
        axes = (
            _linear(np.log(np.maximum(mtt_s, MTT_NODES_S[0])), np.log(MTT_NODES_S)),
            _linear(dispersion_s, DISPERSION_NODES_S),
            _linear(delay_s, DELAY_NODES_S),
        )
        sizes = (len(MTT_NODES_S), len(DISPERSION_NODES_S), len(DELAY_NODES_S))
        columns = np.empty((len(cbf), 8), dtype=np.int32)
        values = np.empty((len(cbf), 8), dtype=np.float32)
        for corner in range(8):
            node, weight = np.zeros(len(cbf), dtype=np.int32), np.asarray(cbf, dtype=np.float32) / np.float32(group)
            for axis, (low, high_share) in enumerate(axes):
                high = corner >> axis & 1
                node = node * sizes[axis] + low + high
                weight = weight * (high_share if high else 1 - high_share)
            columns[:, corner], values[:, corner] = node, weight
        rows = np.arange(0, columns.size + 1, 8 * group, dtype=np.int32)
        return sparse.csr_matrix((values.ravel(), columns.ravel(), rows), shape=(len(rows) - 1, len(self.table)))

    def __call__(
        self, cbf: np.ndarray, mtt_s: np.ndarray, dispersion_s: np.ndarray, delay_s: np.ndarray, group: int = 1
    ) -> np.ndarray:
        """Curves in HU, float32 ``(n / group, frames)``; see `weights`."""
        return self.weights(cbf, mtt_s, dispersion_s, delay_s, group) @ self.table


def _linear(values: np.ndarray, nodes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lower node and share of the upper one for linear interpolation, the ends held."""
    low = np.clip(np.searchsorted(nodes, values, side="right") - 1, 0, len(nodes) - 2)
    share = np.clip((values - nodes[low]) / np.diff(nodes)[low], 0, 1)
    return low.astype(np.int32), share.astype(np.float32)


def tissue_curves(bolus: Bolus, frames_s: np.ndarray) -> TissueCurves:
    """The table of one patient's curves at the times of the frames."""
    curves = _responses(bolus, DISPERSION_NODES_S)
    table = shifted(curves, DELAY_NODES_S, frames_s, FINE_STEP_S)
    return TissueCurves(np.ascontiguousarray(table.reshape(-1, len(frames_s)), dtype=np.float32))


@lru_cache(maxsize=16)
def _standard_offset(residue_shape: float) -> RegularGridInterpolator:
    """Tmax minus true delay, s, over (log MTT, dispersion) for the standard input."""
    middle = float(np.mean(AIF_FWHM_S))
    circulation = CirculationTraits(
        60.0, 20.0, 1.7, AIF_PEAK_HU[0], middle, STANDARD_ARRIVAL_S, 0.3, 15.0, 3.0, "gamma", residue_shape
    )
    bolus = bolus_of(circulation, STANDARD_DURATION_S)
    frames = np.arange(0, STANDARD_DURATION_S, STANDARD_FRAME_S)
    responses = _responses(bolus, DISPERSION_NODES_S)
    shape = responses.shape[:2]
    offset = np.zeros(shape)
    for delay in STANDARD_DELAYS_S:
        curves = shifted(responses, float(delay), frames, FINE_STEP_S).reshape(-1, len(frames))
        maps = deconvolve(curves, bolus.aif_at(frames), STANDARD_FRAME_S, STANDARD_DECONVOLUTION)
        offset += (maps["tmax"].reshape(shape) - delay) / len(STANDARD_DELAYS_S)
    # Longer dispersion and transit never let the maximum come earlier: ripples of the truncation are levelled.
    offset = np.maximum.accumulate(np.maximum.accumulate(offset, axis=0), axis=1)
    return RegularGridInterpolator((np.log(MTT_NODES_S), DISPERSION_NODES_S), offset)


def _at(table: RegularGridInterpolator, mtt_s: np.ndarray, dispersion_s: np.ndarray) -> np.ndarray:
    mtt = np.clip(mtt_s, MTT_NODES_S[0], MTT_NODES_S[-1])
    dispersion = np.clip(dispersion_s, DISPERSION_NODES_S[0], DISPERSION_NODES_S[-1])
    return table(np.stack(np.broadcast_arrays(np.log(mtt), dispersion), axis=-1)).astype(np.float32)


def tmax_offset_s(mtt_s: np.ndarray, dispersion_s: np.ndarray, residue_shape: float = 1.0) -> np.ndarray:
    """What the Tmax of `STANDARD_DECONVOLUTION` adds to the true delay, s, for the standard arterial input.

    Inputs (s) broadcast and are held at the ends of the tabulated ranges (MTT 1-60, dispersion 0-10); float32.
    """
    return _at(_standard_offset(float(residue_shape)), mtt_s, dispersion_s)
