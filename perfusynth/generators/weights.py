"""A bundle's weights in memory."""

import torch
from safetensors.torch import load_file

from perfusynth.generators.bundles import Bundle


def read_weights(bundle: Bundle) -> dict[str, torch.Tensor]:
    """A bundle's weights by name, stored as float16, used as float32, after checking their hash.

    Raises
    ------
    InputError
        Code ``weights_changed``.
    """
    bundle.verify()
    state = {name: tensor for file in bundle.weight_files for name, tensor in load_file(file).items()}
    return {name: tensor.float() for name, tensor in state.items()}
