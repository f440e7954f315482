"""One digital patient as plain numbers, drawn from a seed.

Distributions and their sources: docs/phantom parameters (citation keys in brackets); ``d`` marks a design choice.
"""

from dataclasses import asdict, dataclass, replace
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
#: HU (mean, SD): white matter, grey minus white [Nak, Cala], deep grey, CSF, blood [SMJ], clot [IPMJ]. Grey minus
#: white is of pure tissue: 7.1 is measured at 5 mm, where CSF and white matter share voxels with the cortex.
WHITE_HU, GREY_MINUS_WHITE_HU, DEEP_GREY_HU = (29.5, 1.0), (8.6, 0.8), (34.5, 0.8)
CSF_HU, BLOOD_HU, CLOT_HU = (7.0, 1.2), (41.0, 3.0), (52.0, 6.0)
#: Left-right field that has nothing to do with disease, HU: SD at sigma 10 mm (a real scan: 1.1-1.9; anatomy adds 0.3).
LEFT_RIGHT_HU = (1.17, 0.17)
#: Clot length, mm: median 16, quartiles 8-25 [Kam].
CLOT_LENGTH_MM, CLOT_LENGTH_LOG_SD = 16.0, 0.6
#: CBF of pure tissue, mL/100 g/min: grey and white matter (mean, SD between patients). At the maps' resolution they
#: mix to the measured 53 and 25 [Manh].
CBF_GREY, CBF_WHITE = (63.5, 10.0), (21.0, 3.0)
#: Share of patients with hypodense white matter, with old lacunes [DTIA, d].
HYPODENSE_SHARE, LACUNE_SHARE = 0.30, 0.30
#: Intracranial size relative to MNI152, which is larger than life [d].
SIZE_MEAN, SIZE_SD, AXIS_SD = 0.925, 0.025, 0.02


@dataclass(frozen=True)
class Patient:
    """Every number that was drawn; random fields follow from ``seed``. Units are in the names; sides are the patient's.

    ``rotation_deg`` is about x (nod), y (tilt), z (turn); ``offset_mm`` RAS; ``scale`` relative to MNI152.
    ``nwu_percent`` and ``clot_contrast_hu`` (clot minus blood) are all that the deficit does to the NCCT: with
    both at 0 it is bit-identical to that of the deficit-free twin. Lacunes are ``(x, y, z, radius)`` in MNI mm.
    """

    seed: int
    age: float
    rotation_deg: tuple[float, float, float]
    offset_mm: tuple[float, float, float]
    scale: tuple[float, float, float]
    warp_mm: float
    skull_mm: float
    scalp_mm: float
    csf_gap_mm: float
    atrophy: float
    ventricle_size: float
    white_matter_hypodensity: float
    lacunes: tuple[tuple[float, float, float, float], ...]
    white_hu: float
    grey_hu: float
    deep_grey_hu: float
    csf_hu: float
    blood_hu: float
    left_right_hu: float
    interpetrous_hu: float
    cupping_hu: float
    site: Site
    side: Side
    collaterals: Collaterals
    onset_to_imaging_h: float
    chronic_ica: bool
    tmax6_target_ml: float
    core_target_ml: float
    hir_target: float
    tmax_peak_s: float
    tmax_normal_s: float
    cbf_grey: float
    cbf_white: float
    nwu_percent: float
    clot_contrast_hu: float
    clot_start: float
    clot_length_mm: float

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        values = asdict(self)
        values["lacunes"] = [list(lacune) for lacune in self.lacunes]
        return {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}

    def without_deficit(self) -> "Patient":
        """The twin: the same head, never ill."""
        return replace(
            self,
            site="none",
            side="none",
            chronic_ica=False,
            tmax6_target_ml=0.0,
            core_target_ml=0.0,
            hir_target=0.0,
            nwu_percent=0.0,
            clot_contrast_hu=0.0,
        )


def _choice(rng: np.random.Generator, percent: dict[str, float]) -> Any:
    weights = np.array(list(percent.values()))
    return list(percent)[int(rng.choice(len(weights), p=weights / weights.sum()))]


def _lacunes(rng: np.random.Generator) -> tuple[tuple[float, float, float, float], ...]:
    if rng.random() >= LACUNE_SHARE:
        return ()
    found = []
    for _ in range(int(rng.integers(1, 4))):
        side = rng.choice([-1.0, 1.0])
        place = (side * rng.uniform(12, 30), rng.uniform(-20, 25), rng.uniform(-2, 28), rng.uniform(2.0, 5.0))
        found.append(tuple(round(float(v), 2) for v in place))
    return tuple(found)  # type: ignore[arg-type]


def draw_patient(seed: int) -> Patient:
    """Draw a patient; the same seed gives the same patient on every machine."""
    head, stroke = stream(seed, "head"), stream(seed, "stroke")

    def normal(pair: tuple[float, float], width: float = 2.5) -> float:
        return float(pair[0] + pair[1] * np.clip(head.standard_normal(), -width, width))

    age = float(np.clip(head.normal(70, 13), 30, 95))
    size = normal((SIZE_MEAN, SIZE_SD))
    white_hu = normal(WHITE_HU)
    blood_hu = normal(BLOOD_HU)
    ageing = (age - 30) / 65
    site: Site = "none" if stroke.random() < NO_DEFICIT_SHARE else _choice(stroke, SITE_PERCENT)
    drawn_side: Side = "left" if stroke.random() < 0.5 else "right"
    chronic = bool(stroke.random() < CHRONIC_ICA_SHARE) and site == "none"
    side: Side = "both" if site == "basilar" else drawn_side if site != "none" or chronic else "none"
    collaterals: Collaterals = _choice(stroke, COLLATERAL_PERCENT)
    onset = float(np.clip(ONSET_MEDIAN_H * np.exp(ONSET_LOG_SD * stroke.standard_normal()), 0.75, 48))
    jitter = np.clip(stroke.standard_normal(6), -2.2, 2.2)
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
        contrast = CLOT_HU[0] + CLOT_HU[1] * float(jitter[5]) - BLOOD_HU[0]
    return Patient(
        seed=int(seed),
        age=age,
        rotation_deg=(normal((0, 5.0)), normal((0, 3.0)), normal((0, 4.0))),
        offset_mm=(normal((0, 4.0)), normal((0, 6.0)), normal((0, 5.0))),
        scale=(size * normal((0.985, AXIS_SD)), size * normal((0.985, AXIS_SD)), size * normal((1.0, AXIS_SD))),
        warp_mm=normal((2.6, 0.4)),
        skull_mm=normal((6.5, 1.0)),
        scalp_mm=normal((5.0, 1.2)),
        csf_gap_mm=float(np.clip(0.8 + 1.8 * ageing + 0.4 * head.standard_normal(), 0.6, 3.5)),
        atrophy=float(np.clip(0.15 + 0.65 * ageing + 0.18 * head.standard_normal(), 0, 1)),
        ventricle_size=float(np.clip(0.10 + 0.60 * ageing + 0.22 * head.standard_normal(), 0, 1)),
        white_matter_hypodensity=float(head.uniform(0.25, 1.0)) if head.random() < HYPODENSE_SHARE else 0.0,
        lacunes=_lacunes(stream(seed, "lacunes")),
        white_hu=white_hu,
        grey_hu=white_hu + normal(GREY_MINUS_WHITE_HU),
        deep_grey_hu=white_hu + normal((DEEP_GREY_HU[0] - WHITE_HU[0], DEEP_GREY_HU[1])),
        csf_hu=float(np.clip(normal(CSF_HU), 4, 10)),
        blood_hu=blood_hu,
        left_right_hu=float(np.clip(head.normal(*LEFT_RIGHT_HU), 0.8, 1.7)),
        interpetrous_hu=float(-head.uniform(5, 15)),
        cupping_hu=float(head.uniform(0.3, 1.9)),
        site=site,
        side=side,
        collaterals=collaterals,
        onset_to_imaging_h=onset,
        chronic_ica=chronic,
        tmax6_target_ml=tmax6,
        core_target_ml=core,
        hir_target=hir,
        tmax_peak_s=peak,
        tmax_normal_s=float(stroke.uniform(1.3, 2.1)),
        cbf_grey=normal(CBF_GREY),
        cbf_white=normal(CBF_WHITE),
        nwu_percent=nwu,
        clot_contrast_hu=contrast,
        clot_start=float(stroke.uniform(0.0, 0.5)),
        clot_length_mm=float(np.clip(CLOT_LENGTH_MM * np.exp(CLOT_LENGTH_LOG_SD * stroke.standard_normal()), 4, 45)),
    )
