"""Ways to carry maps there and back: number formats, resampling, SD-Turbo's autoencoder, one of the compact size.

A carrier takes maps in the network's scale, float32 ``(slabs, maps, x, y)`` in [-1, 1], and gives them back.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL
from torch.nn import functional

Carrier = Callable[[torch.Tensor], torch.Tensor]
#: diffusers' `AutoencoderKL`, whose attributes type checkers cannot follow.
Autoencoder = Any

#: Levels of an 8-bit picture over the range of a map.
LEVELS_8_BIT = 255
#: Slabs that pass through an autoencoder at a time.
BATCH_SLABS = 4


def as_float16(maps: torch.Tensor) -> torch.Tensor:
    """Stored as half floats, as weights and training targets are."""
    return maps.half().float()


def as_bfloat16(maps: torch.Tensor) -> torch.Tensor:
    """Rounded to bfloat16: what a last layer in that format would do."""
    return maps.bfloat16().float()


def as_8_bits(maps: torch.Tensor) -> torch.Tensor:
    """A grey picture of 256 levels over the range, as a network that is trained on pictures would give."""
    return ((maps + 1) / 2 * LEVELS_8_BIT).round() / LEVELS_8_BIT * 2 - 1


def resampled(zoom: float) -> Carrier:
    """To a grid finer by ``zoom`` in plane and back, without anything in between."""
    return lambda maps: _back(_finer(maps, zoom), maps)


def through(autoencoder: Autoencoder) -> Carrier:
    """Encoded and decoded by an autoencoder whose channels are the maps; the latent's mode, no noise."""
    return lambda maps: _in_batches(lambda part: _round_trip(autoencoder, part), maps)


def through_pictures(folder: Path, zoom: float) -> Carrier:
    """Each map by itself as a grey picture through SD-Turbo's autoencoder, on a grid finer by ``zoom`` in plane.

    Parameters
    ----------
    folder
        The base's folder in diffusers' layout, with ``vae/``.
    """
    autoencoder: Autoencoder = AutoencoderKL.from_pretrained(
        folder / "vae", local_files_only=True, use_safetensors=True
    )
    autoencoder.eval().requires_grad_(False)

    def carry(maps: torch.Tensor) -> torch.Tensor:
        pictures = _finer(maps, zoom).flatten(0, 1)[:, None].expand(-1, 3, -1, -1)
        made = _in_batches(lambda part: _round_trip(autoencoder, part), pictures).mean(1)
        return _back(made.unflatten(0, maps.shape[:2]), maps)

    return carry


def shrink_of(autoencoder: Autoencoder) -> int:
    """Rows and columns must be divisible by this."""
    return 2 ** (len(autoencoder.config.block_out_channels) - 1)


def _finer(maps: torch.Tensor, zoom: float) -> torch.Tensor:
    return functional.interpolate(maps, scale_factor=zoom, mode="bilinear")


def _back(maps: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    return functional.interpolate(maps, size=like.shape[2:], mode="bilinear", antialias=True)


def _round_trip(autoencoder: Autoencoder, maps: torch.Tensor) -> torch.Tensor:
    """Edges are repeated until the sides can be halved as often as the autoencoder does, and cut off again."""
    rows, columns = maps.shape[2:]
    shrink = shrink_of(autoencoder)
    filled = functional.pad(maps, (0, -columns % shrink, 0, -rows % shrink), mode="replicate")
    return autoencoder.decode(autoencoder.encode(filled).latent_dist.mode()).sample[:, :, :rows, :columns]


@torch.inference_mode()
def _in_batches(carry: Carrier, maps: torch.Tensor) -> torch.Tensor:
    return torch.cat([carry(part) for part in maps.split(BATCH_SLABS)])
