"""What is drawn for one patient's circulation: normal flow, the contrast bolus, and how blood crosses the tissue.

Sources: docs/phantom.md (citation keys in brackets); ``d`` marks a design choice.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from perfusynth.phantom.lattice import clipped_normal, stream

Residue = Literal["exponential", "gamma"]

#: CBF of pure tissue at `REFERENCE_AGE`, mL/100 g/min: grey and white matter (mean, SD between patients). At the maps'
#: resolution they mix to the measured 53 and 25 [Manh].
CBF_GREY, CBF_WHITE = (63.5, 10.0), (21.0, 3.0)
#: Loss of CBF with age, % per year [Age], and the age (years) for which the values above hold [d].
CBF_LOSS_PERCENT_PER_YEAR, REFERENCE_AGE = (0.3, 0.5), 70.0
#: Normal Tmax as deconvolution shows it, s (from memory 1-2.5).
TMAX_NORMAL_S = (1.3, 2.1)
#: Arterial input at 80 kV: peak, HU (mean, SD); width at half maximum, s (from memory).
AIF_PEAK_HU, AIF_FWHM_S = (300.0, 80.0), (8.0, 10.0)
#: Lowest peak with which a perfusion study is read at all, HU [d].
AIF_PEAK_MIN_HU = 150.0
#: When the bolus reaches the head, s after the first frame [d].
ARRIVAL_S = (6.0, 10.0)
#: Recirculation: share of the first pass' area, and its delay, s [d].
RECIRCULATION_SHARE, RECIRCULATION_DELAY_S = (0.20, 0.40), (12.0, 18.0)
#: What the transit from arteries to the large sinuses adds to the tissue's own, s [d].
VENOUS_DELAY_S = (2.0, 4.0)
#: Share of patients whose transit times are gamma-distributed instead of exponential, and the shapes among them [d].
GAMMA_SHARE, GAMMA_SHAPES = 0.5, (1.5, 2.0, 2.5, 3.0, 4.0)


@dataclass(frozen=True)
class CirculationTraits:
    """One patient's circulation.

    ``cbf_grey, cbf_white`` (mL/100 g/min) are the flow of healthy pure tissue at the patient's age; the other units
    are in the names. ``residue_shape`` is that of the gamma-distributed transit times: 1 is the exponential.
    """

    cbf_grey: float
    cbf_white: float
    tmax_normal_s: float
    aif_peak_hu: float
    aif_fwhm_s: float
    arrival_s: float
    recirculation_share: float
    recirculation_delay_s: float
    venous_delay_s: float
    residue: Residue
    residue_shape: float


def draw_circulation(seed: int, age: float) -> CirculationTraits:
    """Draw one patient's circulation at a given age (years)."""
    rng = stream(seed, "circulation")
    grey, white = clipped_normal(rng, *CBF_GREY), clipped_normal(rng, *CBF_WHITE)
    tmax_normal = float(rng.uniform(*TMAX_NORMAL_S))
    aged = 1 - float(rng.uniform(*CBF_LOSS_PERCENT_PER_YEAR)) / 100 * (age - REFERENCE_AGE)
    peak = max(clipped_normal(rng, *AIF_PEAK_HU), AIF_PEAK_MIN_HU)
    gamma = bool(rng.random() < GAMMA_SHARE)
    return CirculationTraits(
        cbf_grey=grey * aged,
        cbf_white=white * aged,
        tmax_normal_s=tmax_normal,
        aif_peak_hu=peak,
        aif_fwhm_s=float(rng.uniform(*AIF_FWHM_S)),
        arrival_s=float(rng.uniform(*ARRIVAL_S)),
        recirculation_share=float(rng.uniform(*RECIRCULATION_SHARE)),
        recirculation_delay_s=float(rng.uniform(*RECIRCULATION_DELAY_S)),
        venous_delay_s=float(rng.uniform(*VENOUS_DELAY_S)),
        residue="gamma" if gamma else "exponential",
        residue_shape=float(np.asarray(GAMMA_SHAPES)[rng.integers(len(GAMMA_SHAPES))]) if gamma else 1.0,
    )
