"""The pix2pix-turbo family's training task: its network, its step and its prediction."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import nn

from perfusynth.generators.bundles import GeneratorSpec
from perfusynth.generators.turbo.generator import TurboGenerator
from perfusynth.generators.turbo.network import TurboConfig, TurboNetwork


class TurboTask:
    """What is particular to this family; the engine does the rest.

    Parameters
    ----------
    spec
        The bundle's generator block.
    deficit_weight
        Extra weight of voxels with Tmax > 6 s.
    square_weight
        Weight of the squared beside the absolute error: the absolute error alone is content with normal values
        everywhere until a deficit is more likely than not, and learns to see it late.
    """

    def __init__(self, spec: GeneratorSpec, *, deficit_weight: float, square_weight: float):
        self.spec = spec
        self.square_weight = square_weight
        self.deficit_weight = deficit_weight
        self.network = TurboNetwork(TurboConfig.model_validate(spec.network))

    def loss(self, network: nn.Module, batch: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Mean absolute error plus weighted squared error per map, in the network's scale, over the brain only.

        ``loss`` is the maps' sum.

        Outside the brain nothing is asked of the network: maps are masked there.
        """
        made = network(batch["images"].float()).float()
        weight = batch["brain"].float() * (1 + self.deficit_weight * batch["deficit"].float())
        error = (made - batch["maps"].float()).abs()
        error = (error + self.square_weight * error**2) * weight
        per_map = error.sum(dim=(0, 2, 3)) / weight.sum().clamp(min=1)
        losses = {output.name: value for output, value in zip(self.spec.outputs, per_map, strict=True)}
        return {"loss": per_map.sum(), **losses}

    def predict(self, network: TurboNetwork, ncct: np.ndarray, brain: np.ndarray, device: torch.device) -> np.ndarray:
        """Maps ``(outputs, x, y, slabs)`` in units, from HU and brain (bool) on the model grid ``(x, y, slabs)``."""
        return TurboGenerator(network, self.spec, device).translate(ncct, brain)
