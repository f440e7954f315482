"""Overlap of two regions of one grid: Dice, sensitivity, 95 % Hausdorff distance."""

import numpy as np
import torch
from monai.metrics import compute_hausdorff_distance

from perfusynth.perfusion.cleaning import bounding_box

#: Percentile of the distances between the two surfaces.
HAUSDORFF_PERCENTILE = 95.0


def dice(true: np.ndarray, made: np.ndarray) -> float | None:
    """Dice; None where there is nothing to find."""
    found = np.count_nonzero(true)
    return 2 * np.count_nonzero(true & made) / (found + np.count_nonzero(made)) if found else None


def sensitivity(true: np.ndarray, made: np.ndarray) -> float | None:
    """Share of the true region that was marked; None where there is none."""
    found = np.count_nonzero(true)
    return np.count_nonzero(true & made) / found if found else None


def hausdorff_mm(true: np.ndarray, made: np.ndarray, spacing: np.ndarray) -> float | None:
    """95 % Hausdorff distance of the surfaces, mm; None where either region is empty: there is no distance then.

    ``spacing`` is that of the array's axes, mm.
    """
    if not (true.any() and made.any()):
        return None
    box = bounding_box(true | made)
    one, other = (torch.from_numpy(np.ascontiguousarray(np.pad(mask[box], 1)))[None, None] for mask in (made, true))
    steps = [float(step) for step in spacing]
    found = compute_hausdorff_distance(
        one, other, include_background=True, percentile=HAUSDORFF_PERCENTILE, spacing=steps
    )
    return float(found[0, 0])
