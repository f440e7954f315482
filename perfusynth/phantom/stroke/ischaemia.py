"""From order to physics: delay, flow, blood volume, infarction and water uptake, voxel by voxel, on any lattice.

Levels are set once per patient on the coarse lattice so that the volumes drawn come out; the same functions then hold
for every voxel of any lattice.
"""

from dataclasses import dataclass

import numpy as np

from perfusynth.phantom.ctp.kinetics import tmax_offset_s
from perfusynth.phantom.lattice import BRAIN_COARSE
from perfusynth.phantom.patient import Patient
from perfusynth.phantom.stroke.severity import Order, coarse_brain, inside_share, ranking, voxel_ml

#: Volume of Tmax > 4 s, and where delay begins, relative to that of Tmax > 6 s (ICA: 220 / 131 mL; chronic ICA
#: occlusion: 81 / 14 mL [cICA]).
TMAX4_RATIO, DELAY_RATIO = 1.65, 2.4
CHRONIC_TMAX4_RATIO, CHRONIC_DELAY_RATIO = 81 / 14, 9.0
#: Largest share of what is in reach that can be above 6 s, and of that, of core [d].
TERRITORY_SHARE_MAX, CORE_SHARE_MAX = 0.80, 0.92
#: True relative CBF lies below the measured one: deconvolution lowers normal flow by half, slow flow by a quarter, and
#: resolution and noise add to what is nearly zero. Measured: core 0.19, doomed penumbra 0.34, surviving 0.46 [Schae];
#: the true values are [d], fitted on 48 patients so that measured rCBF < 38 % meets the DWI core as published [Cer].
#: They agree with 10 and 20 mL/100 g/min as the limits of core and penumbra at a normal flow of 45.
#: Relative CBF that separates flow core and penumbra, ...
RCBF_CORE = 0.24
#: ... flow against its order: relative CBF at volumes in multiples of that of Tmax > 6 s (outside it), ...
RIM_RCBF = ((DELAY_RATIO, 1.0), (TMAX4_RATIO, 0.80), (1.0, 0.45))
#: ... between Tmax > 6 s (0) and the flow core (1), ...
PENUMBRA_RCBF = ((0.35, 0.40), (0.80, 0.35))
#: ... and inside the flow core, by share of its volume.
CORE_RCBF = ((1.0, RCBF_CORE), (0.80, 0.07), (0.45, 0.03), (0.0, 0.01))
#: Flow behind a chronic occlusion stays above this [d; CBV normal, cICA].
CHRONIC_RCBF_MIN = 0.72
#: CBV of healthy grey and white matter, mL/100 g [Manh].
CBV_GREY, CBV_WHITE = 3.3, 1.9
#: CBV relative to healthy against relative CBF: raised by autoregulation in oligaemia and penumbra, 0.71 / 0.42 in the
#: grey / white matter of the core [Manh, Mur].
RCBV_AT = (0.0, 0.10, 0.20, 0.36, 0.50, 0.75, 1.0)
RCBV_GREY, RCBV_WHITE = (0.50, 0.70, 0.84, 1.05, 1.14, 1.10, 1.0), (0.25, 0.40, 0.58, 0.95, 1.08, 1.07, 1.0)
#: Longest mean transit time, s; longest delay, s: what a CTP can follow [d].
MTT_MAX_S, DELAY_MAX_S = 25.0, 20.0
#: Dispersion (s) of the bolus against Tmax (s): longer ways through collaterals [d].
DISPERSION_TMAX_S, DISPERSION_S = (3.0, 6.0, 10.0, 15.0), (0.0, 0.4, 1.2, 2.0)
#: Infarction needs a Tmax of so many s, or a real shape; below, tissue is spared, per s [d].
CORE_TMAX_S, SPARED_PER_S = 6.0, 0.10
#: Width of the infarct's border in relative CBF, and mm where a real shape is given.
CORE_WIDTH, SHAPE_WIDTH_MM = 0.035, 3.0
#: Relative CBF per mm inside a real shape: large against all else.
SHAPE_SCALE = 1.0
#: Weight of net water uptake: 1 at relative CBF <= 0.15, 0 at >= 0.45 [d].
NWU_RCBF_FULL, NWU_RCBF_NONE = 0.15, 0.45
#: Mean of that weight over the infarct that low flow shows (measured, inverse), so that its mean uptake is the one
#: drawn; and the largest uptake, %: oedema down to about 20 HU [d].
NWU_GAIN, NWU_MAX_PERCENT = 1.13, 40.0
#: Reperfused tissue: excess of flow and of blood volume where flow had stopped, and earlier arrival, s [d].
LUXURY_FLOW, LUXURY_CBV, LUXURY_EARLIER_S = 0.40, 0.30, 0.2
#: Seizure: rise of CBV relative to that of CBF, and earlier arrival, s [d].
SEIZURE_CBV, SEIZURE_EARLIER_S = 0.5, 0.5
#: SD of smooth variation of normal Tmax (s) and relative normal CBF; white matter is reached later, s [d].
TMAX_VARIATION_S, CBF_VARIATION, WHITE_DELAY_S = 0.18, 0.10, 0.25
#: Normal Tmax, s (from memory).
TMAX_NORMAL_LIMITS_S = (1.0, 2.6)


@dataclass(frozen=True)
class Levels:
    """One patient's curves from order to physics: (severity, Tmax in s), (flow order, relative CBF), core's level."""

    tmax: tuple[tuple[float, ...], tuple[float, ...]]
    rcbf: tuple[tuple[float, ...], tuple[float, ...]]
    core: float


@dataclass(frozen=True, eq=False)
class Perfusion:
    """Fields of one lattice at the points asked for; names and units as in `Haemodynamics`."""

    cbf: np.ndarray
    cbv: np.ndarray
    delay_s: np.ndarray
    dispersion_s: np.ndarray
    core: np.ndarray
    water_uptake_percent: np.ndarray
    rcbf: np.ndarray
    tmax_expected_s: np.ndarray


def _curve(knots: list[tuple[float, float]]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Knots (order, value) by rising order, made strictly monotone."""
    order = np.maximum.accumulate(np.array([k[0] for k in knots])) + 1e-5 * np.arange(len(knots))
    return tuple(order.tolist()), tuple(k[1] for k in knots)


def _along(order: np.ndarray, curve: tuple[tuple[float, ...], tuple[float, ...]], outside: float) -> np.ndarray:
    return np.interp(order, curve[0], curve[1], left=outside).astype(np.float32)


def levels_of(patient: Patient, order: Order) -> Levels | None:
    """Levels for a patient with a deficit from his order on `BRAIN_COARSE`; None without a deficit."""
    stroke = patient.stroke
    volumes = inside_share(patient) * np.float32(voxel_ml(patient, BRAIN_COARSE.step_mm))
    in_reach = (order.severity > 0) & (volumes > 0)
    shut = volumes * (1 - order.reopened)
    if stroke.tmax6_target_ml <= 0 or not in_reach.any():
        return None
    volume6 = min(stroke.tmax6_target_ml, TERRITORY_SHARE_MAX * float(shut[in_reach].sum()))
    at_tmax = ranking(order.severity, shut, in_reach).level
    at_flow = ranking(order.flow_order, shut, in_reach).level
    wide, start = (CHRONIC_TMAX4_RATIO, CHRONIC_DELAY_RATIO) if stroke.chronic_ica else (TMAX4_RATIO, DELAY_RATIO)
    tmax = [(at_tmax(start * volume6), 0.0), (at_tmax(wide * volume6), 4.0), (at_tmax(volume6), 6.0)]
    if not stroke.chronic_ica:
        tmax.append((at_tmax(stroke.hir_target * volume6), 10.0))
    tmax.append((float(order.severity.max()), stroke.tmax_peak_s))
    # Only tissue dies, and DWI shows only that: its volumes are without the CSF that a Tmax region spans.
    brain = coarse_brain(patient.head.anatomy)
    tissue = volumes * np.clip(brain.grey + brain.white, 0, 1)
    share = float(tissue[in_reach].sum() / volumes[in_reach].sum())
    flow_core = min(stroke.flow_core_target_ml / share, CORE_SHARE_MAX * volume6)
    rim = [(at_flow(ratio * volume6), value) for ratio, value in RIM_RCBF]
    rim += [(at_flow(volume6 + share * (flow_core - volume6)), value) for share, value in PENUMBRA_RCBF]
    rim += [(at_flow(share * flow_core), value) for share, value in CORE_RCBF]
    levels = Levels(_curve(tmax), _curve(rim), np.inf)
    if stroke.core_target_ml <= 0:
        return levels
    score = _core_score(patient, order, *_deficit(patient, order, levels))
    core = min(stroke.core_target_ml, CORE_SHARE_MAX * share * volume6)
    return Levels(levels.tmax, levels.rcbf, ranking(score, tissue, in_reach).level(core))


def _deficit(patient: Patient, order: Order, levels: Levels) -> tuple[np.ndarray, np.ndarray]:
    """Tmax (s; 0: not delayed) and relative CBF as they are, or were before any reperfusion."""
    tmax = _along(order.severity, levels.tmax, 0.0)
    rcbf = _along(order.flow_order, levels.rcbf, 1.0)
    return tmax, np.maximum(rcbf, CHRONIC_RCBF_MIN) if patient.stroke.chronic_ica else rcbf


def _core_score(patient: Patient, order: Order, tmax: np.ndarray, rcbf: np.ndarray) -> np.ndarray:
    """How far flow lies below what this tissue tolerates, in relative CBF."""
    if patient.stroke.lesion_shape:
        return SHAPE_SCALE * order.shape_mm
    spared = SPARED_PER_S * np.maximum(CORE_TMAX_S - tmax, 0)
    return np.float32(patient.stroke.tolerance_spread) * order.tolerance - rcbf - spared


def _infarct(
    patient: Patient, levels: Levels, order: Order, tmax: np.ndarray, rcbf: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Infarct (0-1) and its net water uptake (%), from Tmax and flow before any reperfusion."""
    if not np.isfinite(levels.core):
        return np.zeros_like(rcbf), np.zeros_like(rcbf)
    width = SHAPE_WIDTH_MM * SHAPE_SCALE if patient.stroke.lesion_shape else CORE_WIDTH
    core = np.clip((_core_score(patient, order, tmax, rcbf) - levels.core) / np.float32(width) + 0.5, 0, 1)
    core = (core * (order.severity > 0)).astype(np.float32)
    weight = np.clip((NWU_RCBF_NONE - rcbf) / (NWU_RCBF_NONE - NWU_RCBF_FULL), 0, 1)
    uptake = np.minimum(np.float32(NWU_GAIN * patient.stroke.nwu_percent) * weight, NWU_MAX_PERCENT)
    return core, (uptake * core).astype(np.float32)


def perfusion_at(
    patient: Patient, levels: Levels | None, order: Order, grey: np.ndarray, white: np.ndarray
) -> Perfusion:
    """Everything at the voxels of ``order``; ``grey`` and ``white`` are fractions of the voxel (0-1)."""
    circulation, stroke = patient.circulation, patient.stroke
    tissue = grey + white
    grey_share = np.where(tissue > 0.02, grey / np.maximum(tissue, 0.02), 0.5).astype(np.float32)
    tmax = circulation.tmax_normal_s + TMAX_VARIATION_S * order.tmax_variation + WHITE_DELAY_S * (1 - grey_share)
    tmax = np.clip(tmax, *TMAX_NORMAL_LIMITS_S)
    normal_cbf = grey_share * np.float32(circulation.cbf_grey - circulation.cbf_white) + circulation.cbf_white
    normal_cbf *= np.clip(1 + CBF_VARIATION * order.cbf_variation, 0.5, 1.5)
    rcbf = np.ones(tissue.shape, dtype=np.float32)
    rcbv_grey = rcbv_white = rcbf
    core = water = delayed = np.zeros(tissue.shape, dtype=np.float32)
    if levels is not None:
        delayed, before = _deficit(patient, order, levels)
        core, water = _infarct(patient, levels, order, delayed, before)
        opened, stopped = order.reopened, 1 - before
        rcbf = before + opened * (1 + LUXURY_FLOW * stopped - before)
        rcbv_grey, rcbv_white = (
            shut + opened * (1 + LUXURY_CBV * stopped - shut)
            for shut in (np.interp(before, RCBV_AT, curve).astype(np.float32) for curve in (RCBV_GREY, RCBV_WHITE))
        )
        tmax = (1 - opened) * np.maximum(tmax, delayed) + opened * (tmax - LUXURY_EARLIER_S * stopped)
        delayed = delayed * (1 - opened)
    if stroke.hyperperfusion > 0:
        excited = order.hyperperfused * grey_share
        rcbf = rcbf * (1 + np.float32(stroke.hyperperfusion) * excited)
        rcbv_grey = rcbv_grey * (1 + np.float32(SEIZURE_CBV * stroke.hyperperfusion) * excited)
        tmax = tmax - SEIZURE_EARLIER_S * excited

    cbf = normal_cbf * rcbf
    cbv = grey_share * CBV_GREY * rcbv_grey + (1 - grey_share) * CBV_WHITE * rcbv_white
    cbv = np.minimum(cbv, np.float32(MTT_MAX_S / 60) * cbf)
    dispersion = np.float32(stroke.dispersion) * np.interp(delayed, DISPERSION_TMAX_S, DISPERSION_S)
    offset = tmax_offset_s(60 * cbv / cbf, dispersion, circulation.residue_shape)
    delay = np.clip(tmax - offset, 0, DELAY_MAX_S)
    return Perfusion(
        cbf=(cbf * tissue).astype(np.float32),
        cbv=(cbv * tissue).astype(np.float32),
        delay_s=delay.astype(np.float32),
        dispersion_s=dispersion.astype(np.float32),
        core=core,
        water_uptake_percent=water * np.clip(tissue, 0, 1),
        rcbf=rcbf.astype(np.float32),
        tmax_expected_s=(delay + offset).astype(np.float32),
    )
