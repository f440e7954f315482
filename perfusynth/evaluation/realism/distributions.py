"""Distributions that are drawn beside the published ones: which figure of which patients, and what was published.

Keys of sources are those of docs/phantom.md; its section on sources holds the searches behind each ``support``.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from perfusynth.evaluation.realism.rows import Patient, chronic, everyone, ill, proximal, within

#: How well a published figure could be verified: by its own source; only compatible ones found; others found;
#: nothing found (from memory); a choice of the design; computed from real data here.
Support = Literal["published", "verified", "consistent", "differs", "no source found", "design choice", "measured here"]
Group = Literal["patients", "ncct", "perfusion", "ct_perfusion_study", "mr"]


@dataclass(frozen=True)
class Distribution:
    """One figure over patients, and what was published about it.

    Parameters
    ----------
    published
        In words; ``middle`` and ``spread`` are the same as numbers where there are any: mean or median, and the
        quartiles, the mean -+ 1 SD or the whole range (``published`` says which).
    axis
        Ends of the picture's axis; logarithmic where ``logarithmic``.
    """

    key: str
    group: Group
    title: str
    unit: str
    column: str
    published: str
    source: str
    support: Support
    axis: tuple[float, float]
    middle: float | None = None
    spread: tuple[float, float] | None = None
    where: Callable[[Patient], bool] = everyone
    logarithmic: bool = False

    def values(self, patients: Sequence[Patient]) -> np.ndarray:
        """The figures of the patients that have one."""
        chosen = (p[self.column] for p in patients if self.where(p) and p.get(self.column) is not None)
        return np.array([float(value) for value in chosen])


def at(*sites: str) -> Callable[[Patient], bool]:
    """Occlusion at one of ``sites``."""
    return lambda patient: patient["site"] in sites


def with_collaterals(grade: str) -> Callable[[Patient], bool]:
    """Ill, with collaterals of one grade."""
    return lambda patient: ill(patient) and patient["collaterals"] == grade


DISTRIBUTIONS: tuple[Distribution, ...] = (
    Distribution("onset", "patients", "Onset to imaging", "h", "onset_h", "7.6 (quartiles 3.9–13.2)", "Prog",
                 "published", (0.5, 48), 7.6, (3.9, 13.2), ill, logarithmic=True),
    Distribution("core", "patients", "Core (DWI)", "mL", "core_ml", "17 (range 0–405), 28 % > 70", "Prog",
                 "published", (0.1, 400), 17, None, ill, logarithmic=True),
    Distribution("tmax6_ica", "patients", "Tmax > 6 s, ICA", "mL", "tmax6_ml", "mean 131", "cICA", "published",
                 (3, 500), 131, None, at("ICA"), logarithmic=True),
    Distribution("tmax6_m1", "patients", "Tmax > 6 s, M1", "mL", "tmax6_ml", "115 (quartiles 75–160)", "†",
                 "no source found", (3, 500), 115, (75, 160), at("M1"), logarithmic=True),
    Distribution("tmax6_m2", "patients", "Tmax > 6 s, M2", "mL", "tmax6_ml", "50 (quartiles 25–85)", "†",
                 "no source found", (3, 500), 50, (25, 85), at("M2-sup", "M2-inf"), logarithmic=True),
    Distribution("tmax6_a2", "patients", "Tmax > 6 s, A2", "mL", "tmax6_ml", "20", "†", "no source found",
                 (1, 500), 20, None, at("A2"), logarithmic=True),
    Distribution("tmax6_p2", "patients", "Tmax > 6 s, P2", "mL", "tmax6_ml", "25", "†", "no source found",
                 (1, 500), 25, None, at("P2"), logarithmic=True),
    Distribution("tmax6_basilar", "patients", "Tmax > 6 s, basilar", "mL", "tmax6_ml", "40", "†", "no source found",
                 (1, 500), 40, None, at("basilar"), logarithmic=True),
    Distribution("clot", "patients", "Clot length", "mm", "clot_length_mm", "16 (quartiles 8–25)", "Kam", "published",
                 (2, 60), 16, (8, 25), ill, logarithmic=True),
    Distribution("white", "ncct", "White matter", "HU", "white_hu", "29.5 ± 2", "Nak, Cala", "published",
                 (22, 38), 29.5, (27.5, 31.5)),
    Distribution("grey_minus_white", "ncct", "Grey minus white matter", "HU", "grey_minus_white_hu", "7.1 ± 1",
                 "Nak, Cala", "published", (3, 11), 7.1, (6.1, 8.1)),
    Distribution("noise", "ncct", "Noise SD, 5 mm", "HU", "noise_sd_hu", "3.7", "one real scan", "measured here",
                 (2.5, 5), 3.7),
    Distribution("left_right", "ncct", "Left minus right, SD at σ 10 mm", "HU", "left_right_sd_hu",
                 "1.2 (range 1.1–1.9)", "one real scan", "measured here", (0.5, 2.5), 1.2, (1.1, 1.9)),
    Distribution("core_nwu_early", "ncct", "Core water uptake, ≤ 6 h", "%", "core_nwu_percent", "4.9–6.8",
                 "Ning", "published", (0, 25), None, (4.9, 6.8), within(0, 6)),
    Distribution("core_nwu_late", "ncct", "Core water uptake, > 18 h", "%", "core_nwu_percent",
                 "22 (quartiles 16–26)", "NWU", "published", (0, 50), 22, (16, 26), within(18, np.inf)),
    Distribution("penumbra_nwu", "ncct", "Penumbra water uptake", "%", "penumbra_nwu_percent",
                 "0.2 (quartiles −2.5–2.7); 38 % of patients 2.9", "Ning", "published", (-4, 6), 0.2, (-2.5, 2.7), ill),
    Distribution("hir", "perfusion", "HIR", "", "hir", "0.4", "Oli", "published", (0, 1), 0.4, None, ill),
    Distribution("hir_good", "perfusion", "HIR, good collaterals", "", "hir", "0.51 ± 0.20", "HIR", "published",
                 (0, 1), 0.51, (0.31, 0.71), with_collaterals("good")),
    Distribution("hir_poor", "perfusion", "HIR, poor collaterals", "", "hir", "0.73 ± 0.13", "HIR", "published",
                 (0, 1), 0.73, (0.60, 0.86), with_collaterals("poor")),
    Distribution("hir_proximal", "perfusion", "HIR, ICA and M1", "", "hir", "0.4", "Oli", "published", (0, 1), 0.4,
                 None, proximal),
    Distribution("hir_true", "perfusion", "HIR without noise and blur", "", "hir_true", "0.4", "Oli", "published",
                 (0, 1), 0.4, None, ill),
    Distribution("core_rcbf_true", "perfusion", "Relative CBF of the core, unblurred", "", "core_rcbf_true",
                 "0.19 ± 0.06", "Schae", "published", (0, 0.6), 0.19, (0.13, 0.25), ill),
    Distribution("core_rcbf", "perfusion", "Relative CBF of the core", "", "core_rcbf", "0.19 ± 0.06", "Schae",
                 "published", (0, 0.6), 0.19, (0.13, 0.25), ill),
    Distribution("penumbra_rcbf", "perfusion", "Relative CBF of penumbra", "", "penumbra_rcbf",
                 "doomed 0.34 ± 0.06, surviving 0.46 ± 0.09", "Schae", "published", (0, 1), 0.40, (0.28, 0.55), ill),
    Distribution("mimic", "perfusion", "Tmax > 6 s, chronic ICA occlusion", "mL", "tmax6_ml", "14", "cICA",
                 "published", (0, 60), 14, None, chronic),
    Distribution("artefact", "perfusion", "Tmax > 6 s outside the deficit", "mL", "artefact_tmax6_ml",
                 "in 43 % of large-vessel occlusions, 12 (quartiles 3–21)", "Art", "published", (0, 60), 12, (3, 21),
                 lambda p: ill(p) and (p.get("artefact_tmax6_ml") or 0) > 0),
    Distribution("normal_tmax", "perfusion", "Normal Tmax", "s", "normal_tmax_s", "1–2.5", "†", "no source found",
                 (0, 5), None, (1, 2.5)),
    Distribution("white_cbf", "perfusion", "CBF of white matter", "mL/100 g/min", "white_cbf", "25 ± 7", "Manh",
                 "verified", (5, 50), 25, (18, 32)),
    Distribution("grey_cbf", "perfusion", "CBF of grey matter", "mL/100 g/min", "grey_cbf", "53 ± 14", "Manh",
                 "published", (20, 100), 53, (39, 67)),
    Distribution("shift", "ct_perfusion_study", "Shift from NCCT to CTP", "mm", "shift_mm", "2 ± 2, tail to 10", "†",
                 "no source found", (0, 11), 2, (0, 4)),
    Distribution("turn", "ct_perfusion_study", "Turn from NCCT to CTP", "°", "turn_deg", "2 ± 2, tail to 8", "†",
                 "no source found", (0, 9), 2, (0, 4)),
    Distribution("aif", "ct_perfusion_study", "Peak of the arterial input", "HU", "aif_peak_hu", "300 ± 80", "†",
                 "differs", (100, 550), 300, (220, 380)),
    Distribution("aif_width", "ct_perfusion_study", "Width of the arterial input", "s", "aif_fwhm_s", "8–10", "†",
                 "differs", (6, 13), None, (8, 10)),
    Distribution("grey_peak", "ct_perfusion_study", "Peak of grey matter", "HU", "grey_peak_hu", "7–15",
                 "from the arterial input", "measured here", (0, 25), None, (7, 15)),
    Distribution("white_peak", "ct_perfusion_study", "Peak of white matter", "HU", "white_peak_hu", "4–8",
                 "from the arterial input", "measured here", (0, 15), None, (4, 8)),
    Distribution("core_peak", "ct_perfusion_study", "Peak of the core", "HU", "core_peak_hu", "1–2.5",
                 "from the arterial input", "measured here", (0, 8), None, (1, 2.5)),
    Distribution("adc_grey", "mr", "ADC of cortex", "10⁻⁶ mm²/s", "adc_grey", "890 ± 40", "Hel", "published",
                 (600, 1300), 890, (850, 930)),
    Distribution("adc_white", "mr", "ADC of white matter", "10⁻⁶ mm²/s", "adc_white", "700 ± 30", "Hel", "published",
                 (550, 1000), 700, (670, 730)),
    Distribution("adc_ratio", "mr", "ADC ratio of the lesion, ≤ 5 h", "", "adc_ratio", "mean 0.77", "Tie", "published",
                 (0.3, 1.2), 0.77, None, within(0, 5)),
    Distribution("dwi_cnr", "mr", "DWI contrast to noise (b 1000)", "", "dwi_cnr", "8.7 ± 6.4", "bval", "published",
                 (-2, 30), 8.7, (2.3, 15.1), ill),
    Distribution("flair_ratio", "mr", "FLAIR ratio of the lesion, ≤ 6 h", "", "flair_ratio",
                 "1.06 ± 0.09 read as negative; 1.18 splits 6 h", "SIR", "published", (0.8, 1.6), 1.06, (0.97, 1.18),
                 within(0, 6)),
)  # fmt: skip


def markdown(patients: Sequence[Patient]) -> str:
    """What was published and what was found, as a table."""
    lines = [
        "| figure | published | source | support | found: median (quartiles) | patients |",
        "|---|---|---|---|---|---|",
    ]
    for d in DISTRIBUTIONS:
        values = d.values(patients)
        unit = f" {d.unit}" if d.unit else ""
        found = "–"
        if len(values):
            low, middle, high = np.percentile(values, [25, 50, 75])
            found = f"{middle:.3g} ({low:.3g}–{high:.3g}){unit}"
        lines.append(f"| {d.title} | {d.published}{unit} | {d.source} | {d.support} | {found} | {len(values)} |")
    return "\n".join(lines) + "\n"
