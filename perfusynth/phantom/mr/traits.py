"""What is drawn for one patient's diffusion and FLAIR images.

Sources: docs/phantom.md (citation keys in brackets); ``d`` marks a design choice.
"""

from dataclasses import dataclass

from perfusynth.phantom.lattice import clipped_normal, stream

#: ADC of white matter, 1e-6 mm2/s (mean, SD) [Hel].
ADC_WHITE = (700.0, 30.0)


@dataclass(frozen=True)
class MrTraits:
    """ADC of normal tissue, 1e-6 mm2/s."""

    adc_white: float


def draw_mr(seed: int) -> MrTraits:
    """Draw what one patient's MR images depend on."""
    return MrTraits(adc_white=clipped_normal(stream(seed, "mr"), *ADC_WHITE))
