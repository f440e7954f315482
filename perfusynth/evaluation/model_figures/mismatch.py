"""Categories of mismatch: what a reader would conclude from hypoperfusion and core, right or wrong."""

from typing import Literal

#: Target mismatch: core below 70 mL, ratio at least 1.8, mismatch at least 15 mL (DEFUSE 3, Albers et al., NEJM 2018).
LARGEST_CORE_ML, SMALLEST_RATIO, SMALLEST_MISMATCH_ML = 70.0, 1.8, 15.0

Category = Literal["no deficit", "target mismatch", "large core", "no target mismatch"]


def category_of(hypoperfusion_ml: float, core_ml: float) -> Category:
    """The category of two volumes, mL; ``large core`` is one of at least 70 mL, whatever else there is."""
    if hypoperfusion_ml <= 0:
        return "no deficit"
    if core_ml >= LARGEST_CORE_ML:
        return "large core"
    enough = hypoperfusion_ml - core_ml >= SMALLEST_MISMATCH_ML
    return "target mismatch" if enough and hypoperfusion_ml >= SMALLEST_RATIO * core_ml else "no target mismatch"
