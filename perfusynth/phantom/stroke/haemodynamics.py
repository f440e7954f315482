"""Tmax, CBF and core of one patient on the brain lattice, as a CT perfusion measurement would show them.

A severity field (the reached territory, deepest centrally, roughened by a smooth random field) orders the voxels;
delay and flow are monotone in it, so that the volumes drawn for the patient come out: Tmax > 6 s, the part above
10 s (HIR), and the core (relative CBF <= 0.3).
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from perfusynth.phantom.arteries.territories import reach
from perfusynth.phantom.head.atlas import FORAMEN_MAGNUM_Z, atlas
from perfusynth.phantom.head.tissue import Tissue
from perfusynth.phantom.lattice import BRAIN, BRAIN_COARSE, smooth_field, stream, upsample
from perfusynth.phantom.patient import Patient

#: Smoothing that makes severity deepest centrally, mm; roughness of severity (SD, sigma mm), and of the core's own.
DEPTH_SIGMA_MM = 9.0
SEVERITY_ROUGHNESS, SEVERITY_SIGMA_MM = 0.14, 11.0
CORE_ROUGHNESS, CORE_SIGMA_MM = 0.16, 9.0
#: Volume of Tmax > 4 s, and where delay begins, relative to that of Tmax > 6 s (ICA: 220 / 131 mL [cICA]).
TMAX4_RATIO, DELAY_RATIO = 1.65, 2.4
#: Makes up for what the point spread takes from the part above 10 s (measured).
HIR_GAIN = 1.33
#: Largest share of a territory that can be above 6 s [d].
TERRITORY_SHARE_MAX = 0.80
#: Relative CBF outside the core at Tmax 2, 4, 6, 8, 10 and 15 s: penumbra 0.34-0.46+ [Schae].
PENUMBRA_TMAX_S = (2.0, 4.0, 6.0, 8.0, 10.0, 15.0)
PENUMBRA_RCBF = (1.0, 0.85, 0.58, 0.48, 0.42, 0.37)
#: Relative CBF at core depth 0 (border) to 1 (centre): mean about 0.19 [Schae].
CORE_DEPTH, CORE_RCBF = (0.0, 0.35, 1.0), (0.29, 0.19, 0.06)
#: Flow of a territory behind a chronic occlusion stays above this [d; CBV normal, cICA].
CHRONIC_RCBF_MIN = 0.72
#: CBV of grey and white matter, mL/100 g [Manh].
CBV_GREY, CBV_WHITE = 3.3, 1.9
#: Weight of net water uptake: 1 at relative CBF <= 0.15, 0 at >= 0.45 [d].
NWU_RCBF_FULL, NWU_RCBF_NONE = 0.15, 0.45
#: SD of smooth variation of normal Tmax (s) and relative normal CBF, and of relative CBF in penumbra; sigma, mm.
TMAX_VARIATION_S, CBF_VARIATION, PENUMBRA_VARIATION, VARIATION_SIGMA_MM = 0.18, 0.10, 0.07, 12.0
#: White matter is reached a little later than grey, s [d].
WHITE_DELAY_S = 0.25


@dataclass(frozen=True, eq=False)
class Haemodynamics:
    """The simulator's own fields on `BRAIN`, float32, without any measurement's blur or noise.

    Parameters
    ----------
    cbf, cbv
        mL/100 g/min and mL/100 g, 0 in CSF.
    delay_s
        Arrival of the bolus after the arterial input, s.
    dispersion_s
        Time constant of the exponential vascular transport before the tissue, s (0: none).
    core
        Tissue that is infarcted (what DWI shows), 0-1.
    water_uptake_percent
        Net water uptake, % of tissue volume, >= 0.
    rcbf
        CBF relative to the same tissue when healthy.
    tmax_expected_s
        Tmax as a noise-free block-circulant SVD would measure it.
    """

    cbf: np.ndarray
    cbv: np.ndarray
    delay_s: np.ndarray
    dispersion_s: np.ndarray
    core: np.ndarray
    water_uptake_percent: np.ndarray
    rcbf: np.ndarray
    tmax_expected_s: np.ndarray

    @property
    def mtt_s(self) -> np.ndarray:
        """Mean transit time by the central volume theorem, s; 0 where there is no flow."""
        return np.where(self.cbf > 0, 60 * self.cbv / np.maximum(self.cbf, 1e-3), 0).astype(np.float32)


def _level(severity: np.ndarray, order: np.ndarray, cumulative_ml: np.ndarray, volume_ml: float) -> float:
    """Severity above which ``volume_ml`` lie (``order``: voxels by falling severity)."""
    at = int(np.searchsorted(cumulative_ml, volume_ml))
    return float(severity.ravel()[order[min(at, len(order) - 1)]])


def _severity(patient: Patient) -> tuple[np.ndarray, float]:
    """Severity on `BRAIN_COARSE`, and the volume (mL, patient's own size) that the occlusion can reach."""
    site = "ICA" if patient.stroke.chronic_ica else patient.stroke.site
    share = reach(patient, site)
    voxel_ml = BRAIN_COARSE.step_mm**3 * float(np.prod(patient.head.scale)) / 1000
    depth = upsample(atlas().depth, BRAIN, BRAIN_COARSE)
    # Territories go on beyond the brain's surface, so that severity does not fall towards the skull.
    smooth = ndimage.gaussian_filter(share, DEPTH_SIGMA_MM / BRAIN_COARSE.step_mm)
    rough = smooth_field(stream(patient.seed, "severity"), BRAIN_COARSE, SEVERITY_SIGMA_MM)
    severity = smooth + np.float32(SEVERITY_ROUGHNESS) * rough
    edge = np.clip((share - 0.08) / 0.35, 0, 1)
    return np.clip(severity, 0.01, None) * edge, float(((share > 0.3) & (depth < 0)).sum()) * voxel_ml


def haemodynamics_of(patient: Patient, tissue: Tissue) -> Haemodynamics:
    """Maps of one patient; see the module's first lines."""
    rng = stream(patient.seed, "perfusion")
    variation = smooth_field(rng, BRAIN, VARIATION_SIGMA_MM)
    tmax = patient.circulation.tmax_normal_s + TMAX_VARIATION_S * variation + WHITE_DELAY_S * tissue.white
    tmax = np.clip(tmax, 1.0, 2.6).astype(np.float32)
    normal = patient.circulation.cbf_grey * tissue.grey + patient.circulation.cbf_white * tissue.white
    normal = normal * np.clip(1 + CBF_VARIATION * smooth_field(rng, BRAIN, VARIATION_SIGMA_MM), 0.5, 1.5)
    rcbf = np.ones(BRAIN.shape, dtype=np.float32)
    core = np.zeros(BRAIN.shape, dtype=np.float32)
    penumbra_noise = 1 + PENUMBRA_VARIATION * smooth_field(rng, BRAIN, VARIATION_SIGMA_MM)
    core_noise = smooth_field(rng, BRAIN, CORE_SIGMA_MM)

    if patient.stroke.tmax6_target_ml > 0:
        coarse, reachable_ml = _severity(patient)
        severity = upsample(coarse, BRAIN_COARSE, BRAIN)
        voxel_ml = BRAIN.step_mm**3 * float(np.prod(patient.head.scale)) / 1000
        # Volumes are counted inside the brain, sulci included, as a clinical Tmax mask is.
        _, _, z = BRAIN.axes()
        surface = patient.head.csf_gap_mm / float(np.mean(patient.head.scale))
        inside = (atlas().depth < surface) & (tissue.ventricle < 0.5) & (z > FORAMEN_MAGNUM_Z) & (severity > 0)
        flat = np.flatnonzero(inside)
        order = flat[np.argsort(-severity.ravel()[flat], kind="stable")]
        cumulative = voxel_ml * np.arange(1, len(order) + 1)
        volume6 = min(patient.stroke.tmax6_target_ml, TERRITORY_SHARE_MAX * reachable_ml)

        def level(volume_ml: float) -> float:
            return _level(severity, order, cumulative, volume_ml)

        s6, s4, s0 = level(volume6), level(TMAX4_RATIO * volume6), level(DELAY_RATIO * volume6)
        top = float(severity.ravel()[order[0]])
        s10 = level(float(np.clip(HIR_GAIN * patient.stroke.hir_target, 0.02, 0.92)) * volume6)
        if patient.stroke.chronic_ica:
            knots, values = [s0, s4, s6, top], [0.0, 4.0, 6.0, patient.stroke.tmax_peak_s]
        else:
            knots, values = [s0, s4, s6, s10, top], [0.0, 4.0, 6.0, 10.0, patient.stroke.tmax_peak_s]
        knots = list(np.maximum.accumulate(np.asarray(knots) + 1e-5 * np.arange(len(knots))))
        tmax = np.maximum(tmax, np.interp(severity, knots, values, left=0).astype(np.float32))

        rcbf = np.interp(tmax, PENUMBRA_TMAX_S, PENUMBRA_RCBF).astype(np.float32)
        rcbf = np.where(rcbf < 0.98, np.clip(rcbf * penumbra_noise, 0.33, 1.0), rcbf)
        if patient.stroke.chronic_ica:
            rcbf = np.maximum(rcbf, CHRONIC_RCBF_MIN)
        elif patient.stroke.core_target_ml > 0:
            scale = max(top - s0, 1e-3)
            score = np.where(severity > s6, severity + CORE_ROUGHNESS * scale / 0.6 * core_noise, -1.0)
            score = np.where(inside, score, -1.0)
            volume = min(patient.stroke.core_target_ml, 0.9 * volume6)
            by_score = flat[np.argsort(-score.ravel()[flat], kind="stable")]
            at = min(int(volume / voxel_ml), len(by_score) - 1)
            border, best = float(score.ravel()[by_score[at]]), float(score.ravel()[by_score[0]])
            depth = (score - border) / max(best - border, 1e-3)
            in_core = (depth > 0) & inside
            core = in_core.astype(np.float32)
            rcbf = np.where(in_core, np.interp(depth, CORE_DEPTH, CORE_RCBF), rcbf).astype(np.float32)
            tmax = np.where(in_core, np.maximum(tmax, 8.0), tmax)

    cbf = (normal * rcbf).astype(np.float32)
    cbv = (CBV_GREY * tissue.grey + CBV_WHITE * tissue.white).astype(np.float32)
    weight = np.clip((NWU_RCBF_NONE - rcbf) / (NWU_RCBF_NONE - NWU_RCBF_FULL), 0, 1) * core
    water = (patient.stroke.nwu_percent * weight * (1 - tissue.csf)).astype(np.float32)
    delay = np.maximum(tmax - patient.circulation.tmax_normal_s, 0).astype(np.float32)
    return Haemodynamics(cbf, cbv, delay, np.zeros_like(cbf), core, water, rcbf, tmax.astype(np.float32))
