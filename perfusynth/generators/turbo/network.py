"""The pix2pix-turbo network: an autoencoder, a UNet that is asked once, and skips from encoder to decoder.

Form of Parmar et al., "One-Step Image Translation with Text-to-Image Models" (arXiv 2403.12036), built from
diffusers' `AutoencoderKL` and `UNet2DConditionModel`. The size is a matter of configuration.
"""

from typing import Any

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from pydantic import BaseModel, ConfigDict, Field
from torch import nn
from torch.nn import functional

from perfusynth.generators.turbo.context import Context, ContextConfig, ContextNetwork


class OneStep(BaseModel):
    """The single diffusion step: UNet time step, and the noise schedule's cumulative alpha there."""

    model_config = ConfigDict(extra="forbid")

    timestep: int = Field(999, ge=0)
    alpha_cumprod: float = Field(gt=0, le=1)


class TurboConfig(BaseModel):
    """Everything that decides the network's shape.

    ``autoencoder`` and ``unet`` are the keyword arguments of diffusers' classes; ``prompt_tokens`` is the length of
    the constant embedding that stands where a text prompt would; ``skip_init`` is the standard deviation of the
    skips' weights at the start (1e-5 beside a trained autoencoder, larger from random weights); ``context`` is the
    network that looks at the whole head first, None for the form as published, which sees slabs alone.
    """

    model_config = ConfigDict(extra="forbid")

    autoencoder: dict
    unet: dict
    one_step: OneStep
    prompt_tokens: int = Field(1, ge=1)
    skip_init: float = Field(1e-5, gt=0)
    context: ContextConfig | None = None

    @property
    def divisor(self) -> int:
        """Rows and columns of an image must be divisible by this: every block but each part's last halves them."""
        halvings = len(self.autoencoder["block_out_channels"]) + len(self.unet["block_out_channels"]) - 2
        return max(2**halvings, self.context.shrink if self.context is not None else 1)


class TurboNetwork(nn.Module):
    """Image in, image out, in one pass; both in about [-1, 1].

    Parameters
    ----------
    config
        Shapes; see `TurboConfig`.
    """

    def __init__(self, config: TurboConfig):
        super().__init__()
        self.config = config
        # diffusers' classes resolve their attributes at run time, which type checkers cannot follow.
        autoencoder: Any = AutoencoderKL(**config.autoencoder)
        unet: Any = UNet2DConditionModel(**config.unet)
        self.autoencoder, self.unet = autoencoder, unet
        self.prompt = nn.Parameter(torch.zeros(1, config.prompt_tokens, unet.config.cross_attention_dim))
        down, up = autoencoder.encoder.down_blocks, autoencoder.decoder.up_blocks
        self.skips = nn.ModuleList(
            nn.Conv2d(_channels_into(source), _channels_into(target), 1, bias=False)
            for source, target in zip(reversed(down), up, strict=True)
        )
        for weight in self.skips.parameters():
            nn.init.normal_(weight, std=config.skip_init)
        if config.context is not None:
            self.context = ContextNetwork(config.context, maps=autoencoder.config.out_channels)
            self.into_latent = nn.Conv2d(config.context.channels[0], autoencoder.config.latent_channels, 1)

    def forward(self, image: torch.Tensor, context: Context | None = None) -> torch.Tensor:
        """Translate ``(batch, channels, rows, columns)``; rows and columns divisible by all down-samplings.

        ``context`` is that of the very slabs, where the network has one.
        """
        features: list[torch.Tensor] = []
        hooks = [
            block.register_forward_pre_hook(lambda _, args: features.append(args[0]))
            for block in self.autoencoder.encoder.down_blocks
        ]
        try:
            latent = self.autoencoder.encode(image).latent_dist.mode() * self.autoencoder.config.scaling_factor
        finally:
            for hook in hooks:
                hook.remove()

        if context is not None:
            latent = latent + self.into_latent(
                functional.interpolate(context.features, size=latent.shape[2:], mode="bilinear")
            )
        step, alpha = self.config.one_step.timestep, self.config.one_step.alpha_cumprod
        prompt = self.prompt.expand(image.shape[0], -1, -1)
        noise = self.unet(latent, step, encoder_hidden_states=prompt).sample
        # In float32 whatever the rest runs in: an error of the noise is multiplied by sqrt((1 - alpha) / alpha).
        with torch.autocast(image.device.type, enabled=False):
            latent = (latent.float() - (1 - alpha) ** 0.5 * noise.float()) / alpha**0.5

        hooks = [
            block.register_forward_pre_hook(_adding(skip, feature))
            for block, skip, feature in zip(
                self.autoencoder.decoder.up_blocks, self.skips, reversed(features), strict=True
            )
        ]
        try:
            made = self.autoencoder.decode(latent / self.autoencoder.config.scaling_factor).sample
        finally:
            for hook in hooks:
                hook.remove()
        if context is None:
            return made
        return made + functional.interpolate(context.maps, size=made.shape[2:], mode="bilinear")


def _channels_into(block: Any) -> int:
    """Input channels of a diffusers down or up block."""
    return block.resnets[0].in_channels


def _adding(skip: nn.Module, feature: torch.Tensor):
    """A forward-pre-hook that adds a skipped feature to a block's first argument."""

    def hook(_: nn.Module, args: tuple):
        return (args[0] + skip(feature), *args[1:])

    return hook
