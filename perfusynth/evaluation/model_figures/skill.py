"""Skill F: what a method gains over the incidence map, as a share of what can be gained at all."""

import numpy as np

#: A mean Dice this far above the ceiling, or above this value, is a leak to be found, not a success [DESIGN].
LEAK_ABOVE_CEILING, LEAK_DICE = 0.03, 0.70


def skill(dice: np.ndarray, prior: np.ndarray, ceiling: np.ndarray) -> np.ndarray:
    """F = (model - prior) / (U - prior), of means over the same patients, who lie along the last axis.

    NaN where nothing can be gained.
    """
    gain = ceiling.mean(axis=-1) - prior.mean(axis=-1)
    return (dice.mean(axis=-1) - prior.mean(axis=-1)) / np.where(gain > 0, gain, np.nan)


def leak_warning(dice: float | None, ceiling: float | None) -> str | None:
    """Why a Dice is too good to be true; None where it is not."""
    if dice is None:
        return None
    if dice > LEAK_DICE:
        return f"Mean Dice {dice:.2f} is above {LEAK_DICE:.2f}: look for a leak."
    if ceiling is not None and dice > ceiling + LEAK_ABOVE_CEILING:
        return (
            f"Mean Dice {dice:.2f} is more than {LEAK_ABOVE_CEILING:.2f} above the ceiling {ceiling:.2f}: "
            "look for a leak."
        )
    return None
