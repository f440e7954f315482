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
from torch.utils.checkpoint import checkpoint

from perfusynth.generators.execution import full_float32
from perfusynth.generators.turbo.base_weights import BaseSettings
from perfusynth.generators.turbo.context import Context, ContextConfig, ContextNetwork


class OneStep(BaseModel):
    """The single diffusion step: UNet time step, and the noise schedule's cumulative alpha there."""

    model_config = ConfigDict(extra="forbid")

    timestep: int = Field(999, ge=0)
    alpha_cumprod: float = Field(gt=0, le=1)

    @property
    def gain(self) -> float:
        """By what the step multiplies an error of the noise."""
        return ((1 - self.alpha_cumprod) / self.alpha_cumprod) ** 0.5


class TurboConfig(BaseModel):
    """Everything that decides the network's shape.

    ``autoencoder`` and ``unet`` are the keyword arguments of diffusers' classes; ``prompt_tokens`` is the length of
    the constant embedding that stands where a text prompt would; ``skip_init`` is the standard deviation of the
    skips' weights at the start (1e-5 beside a trained autoencoder, larger from random weights); ``context`` is the
    network that looks at the whole head first, None for the form as published, which sees slabs alone; ``base`` are the
    weights that the network starts from and of which only an adapter is trained, None to train every weight.
    """

    model_config = ConfigDict(extra="forbid")

    autoencoder: dict
    unet: dict
    one_step: OneStep
    prompt_tokens: int = Field(1, ge=1)
    skip_init: float = Field(1e-5, gt=0)
    context: ContextConfig | None = None
    base: BaseSettings | None = None

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
        unet.conv_out = _Float32Convolution.of(unet.conv_out)
        autoencoder.decoder.conv_out = _Float32Convolution.of(autoencoder.decoder.conv_out)
        #: Blocks are run again in the backward pass instead of kept: less memory, a third more time.
        self.gradient_checkpointing = False
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
        latent, features = self._encoded(image.to(self.autoencoder.encoder.conv_in.weight.dtype))
        if context is not None:
            told = functional.interpolate(context.features, size=latent.shape[2:], mode="bilinear")
            latent = latent + self.into_latent(told).to(latent.dtype)
        step, alpha = self.config.one_step.timestep, self.config.one_step.alpha_cumprod
        prompt = self.prompt.to(latent.dtype).expand(image.shape[0], -1, -1)
        noise = self.unet(latent, step, encoder_hidden_states=prompt).sample
        # In float32 whatever the rest runs in: an error of the noise is multiplied by sqrt((1 - alpha) / alpha).
        with torch.autocast(image.device.type, enabled=False):
            latent = (latent.float() - (1 - alpha) ** 0.5 * noise.float()) / alpha**0.5
        made = self._decoded(latent, features)
        if context is None:
            return made
        return made + functional.interpolate(context.maps, size=made.shape[2:], mode="bilinear")

    def checkpoint_gradients(self) -> None:
        """Keep less for the backward pass, and run the blocks again there."""
        self.gradient_checkpointing = True
        self.unet.enable_gradient_checkpointing()

    def work_in(self, before: torch.dtype, behind: torch.dtype) -> None:
        """Bring the weights before and behind the one step to a precision, in the layout that convolutions like best.

        The last convolutions, and what makes or takes the context, stay as they are.
        """
        own: Any = self.autoencoder
        layout: Any = {"memory_format": torch.channels_last}  # which type checkers do not know of a module
        for part in (own.encoder, own.quant_conv, *self.unet.children()):
            if part is not None:
                part.to(dtype=before, **layout)
        for part in (own.decoder, own.post_quant_conv, self.skips):
            if part is not None:
                part.to(dtype=behind, **layout)
        for last in (self.unet.conv_out, own.decoder.conv_out):
            last.float()

    def compile_blocks(self) -> None:
        """Compile every block by itself: quick, and what listens to a block still hears it."""
        own, unet = self.autoencoder, self.unet
        for half in (own.encoder, own.decoder, unet):
            blocks = [*getattr(half, "down_blocks", ()), half.mid_block, *getattr(half, "up_blocks", ())]
            for block in blocks:
                block.forward = torch.compile(block.forward)

    def _encoded(self, image: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """The scaled latent's mode, and what went into each block: diffusers' `Encoder`, which hands out neither.

        Written out, because hooks that come and go neither compile nor run again in the backward pass.
        """
        encoder, features = self.autoencoder.encoder, []
        seen = encoder.conv_in(image)
        for block in encoder.down_blocks:
            features.append(seen)
            seen = self._through(block, seen)
        seen = encoder.conv_out(encoder.conv_act(encoder.conv_norm_out(self._through(encoder.mid_block, seen))))
        if self.autoencoder.quant_conv is not None:
            seen = self.autoencoder.quant_conv(seen)
        mode, _ = seen.chunk(2, dim=1)
        return mode * self.autoencoder.config.scaling_factor, features

    def _decoded(self, latent: torch.Tensor, features: list[torch.Tensor]) -> torch.Tensor:
        """diffusers' `Decoder`, with a skipped feature added in front of each block."""
        decoder = self.autoencoder.decoder
        made = latent.to(decoder.conv_in.weight.dtype) / self.autoencoder.config.scaling_factor
        if self.autoencoder.post_quant_conv is not None:
            made = self.autoencoder.post_quant_conv(made)
        made = self._through(decoder.mid_block, decoder.conv_in(made))
        for block, skip, feature in zip(decoder.up_blocks, self.skips, reversed(features), strict=True):
            made = self._through(block, made + skip(feature.to(made.dtype)))
        return decoder.conv_out(decoder.conv_act(decoder.conv_norm_out(made)))

    def _through(self, block: nn.Module, seen: torch.Tensor) -> torch.Tensor:
        if self.gradient_checkpointing and torch.is_grad_enabled():
            return checkpoint(block, seen, use_reentrant=False)
        return block(seen)


class _Float32Convolution(nn.Conv2d):
    """A convolution whose input, weights and output are float32 whatever the rest runs in.

    The last one of the decoder makes seconds, the last one of the UNet makes the noise that the one step multiplies.
    """

    @classmethod
    def of(cls, convolution: nn.Conv2d) -> "_Float32Convolution":
        """One with the very weights of another."""
        own = cls(
            convolution.in_channels,
            convolution.out_channels,
            convolution.kernel_size,  # type: ignore[arg-type]
            padding=convolution.padding,  # type: ignore[arg-type]
            device="meta",
        )
        own.weight, own.bias = convolution.weight, convolution.bias
        return own

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        with full_float32(image.device):
            return super().forward(image.float())


def _channels_into(block: Any) -> int:
    """Input channels of a diffusers down or up block."""
    return block.resnets[0].in_channels
