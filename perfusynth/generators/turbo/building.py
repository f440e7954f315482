"""Networks of either size, ready to be trained or to be asked: with their base and adapter where they have one."""

import torch

from perfusynth.errors import InputError
from perfusynth.generators.bundles import Bundle
from perfusynth.generators.turbo.adapter import add_adapter, merge_adapter
from perfusynth.generators.turbo.base_mark import MARK, BaseMark
from perfusynth.generators.turbo.base_weights import BaseSettings, base_folder, base_sha256, check_base, load_base
from perfusynth.generators.turbo.network import TurboConfig, TurboNetwork
from perfusynth.generators.turbo.prompt import embedded
from perfusynth.generators.weights import read_weights


def untrained_network(config: TurboConfig) -> TurboNetwork:
    """A network to be trained: random weights, or the base's frozen ones beside an adapter that changes nothing yet.

    Raises
    ------
    InputError
        Codes ``no_base``, ``wrong_base``.
    """
    network = TurboNetwork(config)
    if config.base is not None:
        _put_on_base(network, config.base)
        if config.base.prompt is not None:
            embedding = embedded(config.base.prompt, base_folder(config.base), config.prompt_tokens)
            with torch.no_grad():
                network.prompt.copy_(embedding)
    return network


def trained_network(bundle: Bundle) -> TurboNetwork:
    """A bundle's network with its weights, in evaluation mode, nothing to be trained; an adapter is merged.

    Raises
    ------
    InputError
        Codes ``weights_changed``, ``no_base``, ``wrong_base``, ``other_network``.
    """
    config, state = TurboConfig.model_validate(bundle.spec.network), read_weights(bundle)
    network = TurboNetwork(config)
    if config.base is not None:
        _put_on_base(network, config.base)
    own = {name for name, weight in network.named_parameters() if weight.requires_grad}
    own |= {name for name, _ in network.named_buffers()}
    if own != set(state):
        raise InputError(
            f"The weights of {bundle.name} are not those of its network.",
            expected=f"{len(own)} tensors",
            got=f"{len(state)}, {len(own & set(state))} of them of the same name",
            hint="Install the bundle again.",
            code="other_network",
        )
    network.load_state_dict(state, strict=False)
    if config.base is not None:
        merge_adapter(network)
    return network.eval().requires_grad_(False)


def _put_on_base(network: TurboNetwork, base: BaseSettings) -> None:
    folder = base_folder(base)
    sha256 = base_sha256(folder)
    check_base(sha256, base.sha256)
    load_base(network.unet, network.autoencoder, folder)
    add_adapter(network, base)
    network.add_module(MARK, BaseMark(sha256))
