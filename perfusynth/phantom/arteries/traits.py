"""What is drawn for one patient's arteries: calibres and variants of the circle of Willis.

Sources: docs/phantom.md (citation keys in brackets); ``d`` marks a design choice.
"""

from dataclasses import dataclass

from perfusynth.phantom.lattice import clipped_normal, stream


@dataclass(frozen=True)
class ArteryTraits:
    """One arterial tree. ``calibre`` is relative to the mean radii."""

    calibre: float


def draw_arteries(seed: int) -> ArteryTraits:
    """Draw one patient's arterial variants."""
    return ArteryTraits(calibre=clipped_normal(stream(seed, "arteries"), 1.0, 0.1))
