"""What is drawn for one patient's circulation: normal flow, and the bolus.

Sources: docs/phantom.md (citation keys in brackets); ``d`` marks a design choice.
"""

from dataclasses import dataclass

from perfusynth.phantom.lattice import clipped_normal, stream

#: CBF of pure tissue, mL/100 g/min: grey and white matter (mean, SD between patients). At the maps' resolution they
#: mix to the measured 53 and 25 [Manh].
CBF_GREY, CBF_WHITE = (63.5, 10.0), (21.0, 3.0)


@dataclass(frozen=True)
class CirculationTraits:
    """Normal CBF of pure grey and white matter, mL/100 g/min, and normal Tmax, s."""

    cbf_grey: float
    cbf_white: float
    tmax_normal_s: float


def draw_circulation(seed: int, age: float) -> CirculationTraits:
    """Draw one patient's circulation."""
    rng = stream(seed, "circulation")
    return CirculationTraits(
        cbf_grey=clipped_normal(rng, *CBF_GREY),
        cbf_white=clipped_normal(rng, *CBF_WHITE),
        tmax_normal_s=float(rng.uniform(1.3, 2.1)),
    )
