"""The perceptual loss of the pix2pix-turbo family: maps compared in the features of an autoencoder."""

from pathlib import Path
from typing import Any

import torch
from torch import nn

from perfusynth.errors import InputError


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
