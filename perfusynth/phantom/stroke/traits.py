"""What is drawn for a stroke: site, side, collaterals, time, volumes, growth, water uptake, swelling, clot; mimics.

Sources: docs/phantom.md (citation keys in brackets); ``d`` marks a design choice.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from perfusynth.phantom.lattice import stream

#: "ICA" is the terminal internal carotid artery.
Site = Literal["none", "ICA", "M1", "M2-sup", "M2-inf", "A2", "P2", "basilar"]
Side = Literal["left", "right", "both", "none"]
Collaterals = Literal["poor", "middle", "good"]
Mimic = Literal["none", "chronic ICA", "old infarct", "seizure"]

#: Share of patients without a deficit [d], and what some of those have instead, % [d].
NO_DEFICIT_SHARE = 0.25
MIMIC_PERCENT = {"none": 84.0, "chronic ICA": 10.0, "seizure": 6.0}
#: Sites among patients with a deficit, % (from memory; M2 split evenly, d).
SITE_PERCENT = {"ICA": 15.0, "M1": 40.0, "M2-sup": 12.5, "M2-inf": 12.5, "A2": 4.0, "P2": 7.0, "basilar": 9.0}
#: Collateral grades, % [Bang].
COLLATERAL_PERCENT = {"poor": 16.0, "middle": 45.0, "good": 39.0}
#: Onset to imaging, h: median and SD of the logarithm from the quartiles 3.9-13.2 [Prog]; limits [d].
ONSET_MEDIAN_H, ONSET_LOG_SD, ONSET_LIMITS_H = 7.6, 0.90, (0.75, 48.0)
#: Volume of Tmax > 6 s: median mL and SD of the logarithm (quartiles of memory; ICA mean 131 [cICA]).
TMAX6_ML = {
    "ICA": (122.0, 0.45),
    "M1": (115.0, 0.56),
    "M2-sup": (50.0, 0.75),
    "M2-inf": (50.0, 0.75),
    "A2": (20.0, 0.60),
    "P2": (25.0, 0.60),
    "basilar": (40.0, 0.65),
}
#: Poorer collaterals, larger delay [d]; keeps the medians above.
TMAX6_BY_COLLATERALS = {"poor": 1.20, "middle": 1.0, "good": 0.88}
#: Hours after which half of the tissue at risk is infarcted: median by collaterals, SD of the logarithm. Wide, so that
#: fast progressors exist [d; fitted to core volumes before and after 6 h, Prog, and to growth per hour, Prog2].
HALF_INFARCTED_H, HALF_INFARCTED_LOG_SD = {"poor": 1.5, "middle": 12.0, "good": 80.0}, 2.2
#: Largest share of the tissue at risk that is infarcted [d].
CORE_SHARE_MAX = 0.92
#: Correlation of fast growth with a large deficit, and with early imaging: severe strokes come earlier [d].
GROWTH_WITH_VOLUME, GROWTH_WITH_EARLINESS = 0.5, 0.25
#: Volume whose flow is below `ischaemia.RCBF_CORE` relative to the infarct: median, SD of the logarithm; and, as a
#: share of the volume of Tmax > 6 s, the largest low-flow volume that is not (yet) infarcted [d, fitted to Cer].
FLOW_CORE_MEDIAN, FLOW_CORE_LOG_SD, FLOW_CORE_BENIGN_SHARE = 0.68, 0.45, 0.04
#: Volume(Tmax > 10 s) / volume(Tmax > 6 s) of the tissue, by collaterals, rise per SD of growth, own SD [d]: blur and
#: noise of the measurement lower it to the published mean of 0.4 [Oli].
HIR = {"poor": 0.75, "middle": 0.62, "good": 0.49}
HIR_BY_GROWTH, HIR_SD, HIR_LIMITS = 0.05, 0.08, (0.05, 0.88)
#: Largest Tmax, s: mean, SD, limits [d].
TMAX_PEAK_S, TMAX_PEAK_LIMITS_S = (14.5, 1.0), (12.5, 16.0)
#: Chronic ICA occlusion: Tmax > 6 s, mL, median and SD of the logarithm; nothing above 8 s in 24 of 31 [cICA], the
#: others' peak [d].
CHRONIC_TMAX6_ML, CHRONIC_PEAK_S, CHRONIC_HIGH_SHARE, CHRONIC_HIGH_PEAK_S = (18.0, 0.45), 7.6, 7 / 31, (8.5, 10.0)
#: Seizure: rise of cortical CBF, share [d].
HYPERPERFUSION = (0.30, 0.60)
#: SD between places of the relative CBF below which tissue has died: mean and SD between patients [d, fitted to Cer].
TOLERANCE_SPREAD, TOLERANCE_SPREAD_LIMITS = (0.095, 0.021), (0.042, 0.155)
#: Share of strokes with spontaneous partial reperfusion before imaging, and the share of the infarct reperfused [d].
REPERFUSED_PATIENTS, REPERFUSED_SHARE = 0.12, (0.2, 0.7)
#: Relative dispersion between patients: SD of the logarithm [d].
DISPERSION_LOG_SD = 0.3
#: Net water uptake, %: 24 (1 - exp(-t / 10 h)) x LogN(0, 0.45) (fitted to Ning, Xia, Kond, Mon).
NWU_PLATEAU, NWU_TIME_H, NWU_LOG_SD = 24.0, 10.0, 0.45
#: Share of CSF displaced in the infarct: none before the onset time, then 1 - exp(-t / T) times a half at the volume
#: given (mL), SD of the logarithm [d].
SWELLING_START_H, SWELLING_TIME_H, SWELLING_HALF_ML, SWELLING_LOG_SD = 2.0, 12.0, 15.0, 0.4
#: Patients whose penumbra swells without becoming hypodense (from memory, 10-15 %), and by how much [d].
ISOLATED_SWELLING_PATIENTS, ISOLATED_SWELLING = 0.125, (0.35, 0.8)
#: Clot minus blood, HU (mean, SD): about 55 of a clot in thin slices, before partial volume [Nakat], minus 41 of
#: blood [SMJ].
CLOT_CONTRAST_HU = (14.0, 6.0)
#: Clot length, mm: median 16, quartiles 8-25 [Kam]; limits [d]. Start as a share of the artery [d].
CLOT_LENGTH_MM, CLOT_LENGTH_LOG_SD, CLOT_LENGTH_LIMITS_MM, CLOT_START = 16.0, 0.6, (4.0, 45.0), (0.0, 0.5)
#: Normal draws are held within so many SD.
NORMAL_WIDTH = 2.2


@dataclass(frozen=True)
class Stroke:
    """One stroke, or none (``site`` "none"), or what imitates one (``mimic``, only with ``site`` "none").

    ``nwu_percent``, ``clot_contrast_hu`` (clot minus blood) and ``swelling`` are all that the deficit does to the
    NCCT: with all three at 0 it is bit-identical to that of the deficit-free twin. Sides are the patient's.

    Parameters
    ----------
    flow_core_target_ml
        Volume with relative CBF below `ischaemia.RCBF_CORE`; the infarct (``core_target_ml``) is another volume.
    tolerance_spread
        SD between places of the relative CBF below which tissue has died by now.
    reperfused
        Share of the infarct with flow restored before imaging; 0 in most.
    hyperperfusion
        Rise of cortical CBF by a seizure (share).
    swelling, isolated_swelling
        Share of the CSF space displaced in the infarct; whether the penumbra swells, too, without hypodensity.
    lesion_shape
        Name of a real infarct whose shape the core takes ("": none; never in training).
    """

    site: Site
    side: Side
    mimic: Mimic
    collaterals: Collaterals
    onset_to_imaging_h: float
    tmax6_target_ml: float
    core_target_ml: float
    flow_core_target_ml: float
    hir_target: float
    tmax_peak_s: float
    tolerance_spread: float
    reperfused: float
    hyperperfusion: float
    dispersion: float
    nwu_percent: float
    swelling: float
    isolated_swelling: bool
    clot_contrast_hu: float
    clot_start: float
    clot_length_mm: float
    lesion_shape: str = ""

    @property
    def chronic_ica(self) -> bool:
        """Whether the delay is that of a chronic occlusion of the internal carotid artery."""
        return self.mimic == "chronic ICA"


#: What changes when a patient was never ill.
NEVER_ILL: dict[str, Any] = {
    "site": "none",
    "side": "none",
    "mimic": "none",
    "tmax6_target_ml": 0.0,
    "core_target_ml": 0.0,
    "flow_core_target_ml": 0.0,
    "hir_target": 0.0,
    "reperfused": 0.0,
    "hyperperfusion": 0.0,
    "nwu_percent": 0.0,
    "swelling": 0.0,
    "isolated_swelling": False,
    "clot_contrast_hu": 0.0,
    "lesion_shape": "",
}


def _choice(uniform: float, percent: dict[str, float]) -> Any:
    edges = np.cumsum(list(percent.values()))
    return list(percent)[min(int(np.searchsorted(edges, uniform * edges[-1], side="right")), len(percent) - 1)]


def _between(uniform: float, limits: tuple[float, float]) -> float:
    return limits[0] + (limits[1] - limits[0]) * uniform


def core_share(onset_h: float, collaterals: Collaterals, growth: float) -> float:
    """Infarcted share of the tissue at risk ``onset_h`` after onset; ``growth`` in SD, positive: fast."""
    hours = onset_h / (HALF_INFARCTED_H[collaterals] * np.exp(-HALF_INFARCTED_LOG_SD * growth))
    return float(CORE_SHARE_MAX * hours / (1 + hours))


def _swelling(onset_h: float, core_ml: float, normal: float) -> float:
    grown = 1 - np.exp(-max(onset_h - SWELLING_START_H, 0) / SWELLING_TIME_H)
    return float(min(grown * core_ml / (core_ml + SWELLING_HALF_ML) * np.exp(SWELLING_LOG_SD * normal), 1))


def draw_stroke(seed: int, *, old_infarct: bool = False, site: Site | None = None) -> Stroke:
    """Draw whether and how a patient is ill.

    ``old_infarct``: the head has one, the reason to come if nothing else is; ``site``: given instead of drawn.

    Every number is drawn for every patient in one fixed order, so that no trait moves another's draw.
    """
    rng = stream(seed, "stroke")
    u = [float(v) for v in rng.random(16)]
    z = [float(v) for v in np.clip(rng.standard_normal(14), -NORMAL_WIDTH, NORMAL_WIDTH)]
    if site is None:
        site = "none" if u[0] < NO_DEFICIT_SHARE else _choice(u[1], SITE_PERCENT)
    ill = site != "none"
    mimic: Mimic = "none" if ill else _choice(u[2], MIMIC_PERCENT)
    if not ill and mimic == "none" and old_infarct:
        mimic = "old infarct"
    one_sided = ill or mimic in ("chronic ICA", "seizure")
    side: Side = "both" if site == "basilar" else "none" if not one_sided else "left" if u[3] < 0.5 else "right"
    collaterals: Collaterals = _choice(u[4], COLLATERAL_PERCENT)
    growth = GROWTH_WITH_VOLUME * z[0] + float(np.sqrt(1 - GROWTH_WITH_VOLUME**2)) * z[1]
    late = -GROWTH_WITH_EARLINESS * growth + float(np.sqrt(1 - GROWTH_WITH_EARLINESS**2)) * z[2]
    onset = float(np.clip(ONSET_MEDIAN_H * np.exp(ONSET_LOG_SD * late), *ONSET_LIMITS_H))

    tmax6 = core = flow_core = hir = nwu = swelling = contrast = reperfused = 0.0
    peak, isolated = TMAX_PEAK_S[0], False
    if mimic == "chronic ICA":
        tmax6 = CHRONIC_TMAX6_ML[0] * float(np.exp(CHRONIC_TMAX6_ML[1] * z[0]))
        peak = CHRONIC_PEAK_S if u[5] >= CHRONIC_HIGH_SHARE else _between(u[6], CHRONIC_HIGH_PEAK_S)
    if ill:
        median, log_sd = TMAX6_ML[site]
        tmax6 = median * TMAX6_BY_COLLATERALS[collaterals] * float(np.exp(log_sd * z[0]))
        core = tmax6 * core_share(onset, collaterals, growth)
        flow_core = (
            FLOW_CORE_MEDIAN * core * float(np.exp(FLOW_CORE_LOG_SD * z[3])) + FLOW_CORE_BENIGN_SHARE * u[7] * tmax6
        )
        flow_core = min(flow_core, CORE_SHARE_MAX * tmax6)
        hir = float(np.clip(HIR[collaterals] + HIR_BY_GROWTH * growth + HIR_SD * z[4], *HIR_LIMITS))
        peak = float(np.clip(TMAX_PEAK_S[0] + TMAX_PEAK_S[1] * z[5], *TMAX_PEAK_LIMITS_S))
        nwu = NWU_PLATEAU * float((1 - np.exp(-onset / NWU_TIME_H)) * np.exp(NWU_LOG_SD * z[6]))
        swelling = _swelling(onset, core, z[7])
        isolated = u[8] < ISOLATED_SWELLING_PATIENTS
        swelling = max(swelling, _between(u[9], ISOLATED_SWELLING)) if isolated else swelling
        reperfused = _between(u[11], REPERFUSED_SHARE) if u[10] < REPERFUSED_PATIENTS else 0.0
        contrast = CLOT_CONTRAST_HU[0] + CLOT_CONTRAST_HU[1] * z[8]
    return Stroke(
        site=site,
        side=side,
        mimic=mimic,
        collaterals=collaterals,
        onset_to_imaging_h=onset,
        tmax6_target_ml=tmax6,
        core_target_ml=core,
        flow_core_target_ml=flow_core,
        hir_target=hir,
        tmax_peak_s=peak,
        tolerance_spread=float(
            np.clip(TOLERANCE_SPREAD[0] + TOLERANCE_SPREAD[1] * z[9], *TOLERANCE_SPREAD_LIMITS),
        ),
        reperfused=reperfused,
        hyperperfusion=_between(u[12], HYPERPERFUSION) if mimic == "seizure" else 0.0,
        dispersion=float(np.exp(DISPERSION_LOG_SD * z[10])),
        nwu_percent=nwu,
        swelling=swelling,
        isolated_swelling=isolated,
        clot_contrast_hu=contrast,
        clot_start=_between(u[13], CLOT_START),
        clot_length_mm=float(np.clip(CLOT_LENGTH_MM * np.exp(CLOT_LENGTH_LOG_SD * z[11]), *CLOT_LENGTH_LIMITS_MM)),
    )
