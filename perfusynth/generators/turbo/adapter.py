"""What is trained beside frozen base weights: low-rank matrices (LoRA, by peft), new ends, skips and the prompt.

As in Parmar et al. (arXiv 2403.12036): the UNet's first convolution is trained in full, too. Where the autoencoder's
ends have other channels than the base's they are trained in full as well.
"""

from perfusynth.generators.turbo.base_weights import BaseSettings
from perfusynth.generators.turbo.network import TurboNetwork

#: Layers of both networks that get an adapter, by the end of their names: convolutions and attention.
_COMMON = ("conv", "conv1", "conv2", "conv_shortcut", "to_q", "to_k", "to_v", "to_out.0")
UNET_LAYERS = (*_COMMON, "conv_out", "proj_in", "proj_out", "ff.net.0.proj", "ff.net.2")
AUTOENCODER_LAYERS = (*_COMMON, "encoder.conv_out", "decoder.conv_in")


def add_adapter(network: TurboNetwork, base: BaseSettings) -> None:
    """Freeze the UNet and the autoencoder, give them adapters that change nothing yet, and let their new ends learn."""
    # Imported here: it takes seconds, and a network without a base never comes here.
    from peft import LoraConfig

    network.unet.requires_grad_(False)
    network.autoencoder.requires_grad_(False)
    for part, rank, layers in (
        (network.unet, base.unet_rank, UNET_LAYERS),
        (network.autoencoder, base.autoencoder_rank, AUTOENCODER_LAYERS),
    ):
        part.add_adapter(LoraConfig(r=rank, lora_alpha=rank, init_lora_weights="gaussian", target_modules=list(layers)))
    autoencoder = network.autoencoder
    for trained in (network.unet.conv_in, autoencoder.encoder.conv_in, autoencoder.decoder.conv_out):
        trained.requires_grad_(True)


def merge_adapter(network: TurboNetwork) -> None:
    """Add the adapter's matrices to the weights that they bend, and take its layers away: it costs no time."""
    for part in (network.unet, network.autoencoder):
        part.fuse_lora()
        part.unload_lora()
