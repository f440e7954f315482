"""Losses of the pix2pix-turbo family: errors of maps, the coarse probability, patches judged, features compared."""

from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from perfusynth.errors import InputError

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


class FeatureDistance(nn.Module):
    """Mean absolute difference of a frozen autoencoder's features of two stacks of maps.

    Parameters
    ----------
    weights
        Folder of a diffusers `AutoencoderKL`.

    Raises
    ------
    InputError
        Code ``no_perceptual_weights``.
    """

    def __init__(self, weights: Path):
        super().__init__()
        from diffusers import AutoencoderKL

        try:
            network: Any = AutoencoderKL.from_pretrained(weights, local_files_only=True)
        except (OSError, ValueError) as error:
            raise InputError(
                "The perceptual loss has no weights.",
                expected="a folder with config.json and weights of a diffusers AutoencoderKL",
                got=f"{type(error).__name__} while reading it",
                hint="Name such a folder, or leave the setting `perceptual` out.",
                code="no_perceptual_weights",
            ) from error
        self.encoder = network.requires_grad_(False).eval()

    def forward(self, made: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
        """Compare ``(batch, maps, rows, columns)``, each map by itself, shown as grey pictures."""
        channels = self.encoder.config.in_channels
        one, other = (
            self.encoder.encode(maps.flatten(0, 1)[:, None].expand(-1, channels, -1, -1)).latent_dist.mode()
            for maps in (made, wanted)
        )
        return (one - other).abs().mean()
