"""What is drawn for a stroke: site, side, collaterals, time, volumes, water uptake, clot.

Sources: docs/phantom.md (citation keys in brackets); ``d`` marks a design choice.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from perfusynth.phantom.lattice import stream

Site = Literal["none", "ICA", "M1", "M2-sup", "M2-inf", "A2", "P2", "basilar"]
Side = Literal["left", "right", "both", "none"]
Collaterals = Literal["poor", "middle", "good"]

#: Share of patients without a deficit [d], and of those the share with the delay of a chronic ICA occlusion [d].
NO_DEFICIT_SHARE, CHRONIC_ICA_SHARE = 0.25, 0.10
#: Sites among patients with a deficit, % (from memory; M2 split evenly, d).
SITE_PERCENT = {"ICA": 15.0, "M1": 40.0, "M2-sup": 12.5, "M2-inf": 12.5, "A2": 4.0, "P2": 7.0, "basilar": 9.0}
#: Collateral grades, % [Bang].
COLLATERAL_PERCENT = {"poor": 16.0, "middle": 45.0, "good": 39.0}
#: Onset to imaging, h: median and SD of the logarithm from the quartiles 3.9-13.2 [Prog].
ONSET_MEDIAN_H, ONSET_LOG_SD = 7.6, 0.90
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
#: Core as a share of the Tmax > 6 s volume: median by collaterals, growth with time, SD of the logarithm [d, Prog].
CORE_SHARE = {"poor": 0.88, "middle": 0.36, "good": 0.10}
CORE_TIME_POWER, CORE_LOG_SD, CORE_SHARE_MAX = 0.12, 1.05, 0.85
#: Volume(Tmax > 10 s) / volume(Tmax > 6 s): mean 0.4 [Oli] by collaterals [d], SD.
HIR = {"poor": 0.60, "middle": 0.42, "good": 0.30}
HIR_SD = 0.09
#: Chronic ICA occlusion: Tmax > 6 s, mL, median and SD of the logarithm; peak below 8 s in 24 of 31 [cICA].
CHRONIC_TMAX6_ML, CHRONIC_PEAK_S = (14.0, 0.45), 7.6
#: Net water uptake, %: 24 (1 - exp(-t / 10 h)) x LogN(0, 0.45) (fitted to Ning, Xia, Kond, Mon).
NWU_PLATEAU, NWU_TIME_H, NWU_LOG_SD = 24.0, 10.0, 0.45
#: Clot minus blood, HU (mean, SD): 52 of a clot [IPMJ] minus 41 of blood [SMJ].
CLOT_CONTRAST_HU = (11.0, 6.0)
#: Clot length, mm: median 16, quartiles 8-25 [Kam].
CLOT_LENGTH_MM, CLOT_LENGTH_LOG_SD = 16.0, 0.6


@dataclass(frozen=True)
class Stroke:
    """One stroke, or none (``site`` "none"); sides are the patient's.

    ``nwu_percent`` and ``clot_contrast_hu`` (clot minus blood) are all that the deficit does to the NCCT: with
    both at 0 it is bit-identical to that of the deficit-free twin.
    """

    site: Site
    side: Side
    collaterals: Collaterals
    onset_to_imaging_h: float
    chronic_ica: bool
    tmax6_target_ml: float
    core_target_ml: float
    hir_target: float
    tmax_peak_s: float
    nwu_percent: float
    clot_contrast_hu: float
    clot_start: float
    clot_length_mm: float


#: What changes when a patient was never ill.
NEVER_ILL: dict[str, Any] = {
    "site": "none",
    "side": "none",
    "chronic_ica": False,
    "tmax6_target_ml": 0.0,
    "core_target_ml": 0.0,
    "hir_target": 0.0,
    "nwu_percent": 0.0,
    "clot_contrast_hu": 0.0,
}


def _choice(rng: np.random.Generator, percent: dict[str, float]) -> Any:
    weights = np.array(list(percent.values()))
    return list(percent)[int(rng.choice(len(weights), p=weights / weights.sum()))]


def draw_stroke(seed: int) -> Stroke:
    """Draw whether and how a patient is ill."""
    rng = stream(seed, "stroke")
    site: Site = "none" if rng.random() < NO_DEFICIT_SHARE else _choice(rng, SITE_PERCENT)
    drawn_side: Side = "left" if rng.random() < 0.5 else "right"
    chronic = bool(rng.random() < CHRONIC_ICA_SHARE) and site == "none"
    side: Side = "both" if site == "basilar" else drawn_side if site != "none" or chronic else "none"
    collaterals: Collaterals = _choice(rng, COLLATERAL_PERCENT)
    onset = float(np.clip(ONSET_MEDIAN_H * np.exp(ONSET_LOG_SD * rng.standard_normal()), 0.75, 48))
    jitter = np.clip(rng.standard_normal(6), -2.2, 2.2)
    tmax6 = core = hir = nwu = contrast = 0.0
    peak = 8.0
    if chronic:
        tmax6, peak = CHRONIC_TMAX6_ML[0] * float(np.exp(CHRONIC_TMAX6_ML[1] * jitter[0])), CHRONIC_PEAK_S
    if site != "none":
        median, log_sd = TMAX6_ML[site]
        tmax6 = median * TMAX6_BY_COLLATERALS[collaterals] * float(np.exp(log_sd * jitter[0]))
        share = CORE_SHARE[collaterals] * (onset / ONSET_MEDIAN_H) ** CORE_TIME_POWER * np.exp(CORE_LOG_SD * jitter[1])
        core = tmax6 * float(min(share, CORE_SHARE_MAX))
        hir = float(np.clip(HIR[collaterals] + HIR_SD * jitter[2], 0.08, 0.85))
        peak = float(np.clip(12.5 + jitter[3], 11, 15))
        nwu = NWU_PLATEAU * float((1 - np.exp(-onset / NWU_TIME_H)) * np.exp(NWU_LOG_SD * jitter[4]))
        contrast = CLOT_CONTRAST_HU[0] + CLOT_CONTRAST_HU[1] * float(jitter[5])
    return Stroke(
        site=site,
        side=side,
        collaterals=collaterals,
        onset_to_imaging_h=onset,
        chronic_ica=chronic,
        tmax6_target_ml=tmax6,
        core_target_ml=core,
        hir_target=hir,
        tmax_peak_s=peak,
        nwu_percent=nwu,
        clot_contrast_hu=contrast,
        clot_start=float(rng.uniform(0.0, 0.5)),
        clot_length_mm=float(np.clip(CLOT_LENGTH_MM * np.exp(CLOT_LENGTH_LOG_SD * rng.standard_normal()), 4, 45)),
    )
