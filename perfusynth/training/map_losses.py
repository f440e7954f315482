"""Losses of maps and of a region, alike in all families."""

import torch
from torch.nn import functional

from perfusynth.generators.bundles import GeneratorSpec
from perfusynth.training.map_settings import MapSettings
from perfusynth.training.task import Tensors

#: Voxels added to both sides of the Dice quotient: a head without deficit is not asked for one [d].
DICE_SMOOTHING = 20.0


def map_errors(
    made: torch.Tensor, wanted: torch.Tensor, weight: torch.Tensor, absolute_weight: float, square_weight: float
) -> torch.Tensor:
    """Weighted mean error of each map in the network's scale (so many s or mL/100 g/min to 1), shape ``(maps,)``.

    Parameters
    ----------
    made, wanted
        ``(batch, maps, ...)``.
    weight
        ``(batch, 1, ...)``: 0 where nothing is asked (outside the brain, where no map exists), more in the deficit.
    absolute_weight, square_weight
        Of the absolute and of the squared error.
    """
    error = (made - wanted).abs()
    error = (absolute_weight * error + square_weight * error**2) * weight
    others = [axis for axis in range(error.ndim) if axis != 1]
    return error.sum(dim=others) / weight.sum().clamp(min=1)


def named_map_errors(
    made: torch.Tensor, wanted: Tensors, spec: GeneratorSpec, settings: MapSettings
) -> dict[str, torch.Tensor]:
    """`map_errors` by name, of ``wanted`` (``maps``, ``counts``, ``deficit``), weighted as the settings say."""
    weight = wanted["counts"] * (1 + settings.deficit_weight * wanted["deficit"])
    errors = map_errors(made, wanted["maps"], weight, settings.absolute_weight, settings.square_weight)
    return {output.name: error for output, error in zip(spec.maps, errors, strict=True)}


def region_loss(logit: torch.Tensor, share: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
    """Binary cross entropy over all brain plus 1 - Dice of each head, for the share of voxels that are hypoperfused.

    Parameters
    ----------
    logit, share, counts
        ``(heads, 1, x, y, slabs)``: answer, truth in [0, 1], share of each voxel that counts.
    """
    entropy = functional.binary_cross_entropy_with_logits(logit, share, reduction="none")
    entropy = (entropy * counts).sum() / counts.sum().clamp(min=1)
    probability = logit.sigmoid() * counts
    axes = tuple(range(1, logit.ndim))
    both = (probability * share).sum(axes)
    total = (probability + share * counts).sum(axes)
    dice = (2 * both + DICE_SMOOTHING) / (total + DICE_SMOOTHING)
    return entropy + (1 - dice).mean()
