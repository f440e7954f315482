"""The pix2pix-turbo family: NCCT in, Tmax and CBF out, in one pass over every slab."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import nn

from perfusynth.generators.bundles import Bundle, GeneratorSpec
from perfusynth.generators.execution import Execution, ExecutionSettings
from perfusynth.generators.head_images import as_images, rectangle_around, whole_maps
from perfusynth.generators.on_grid import OnGridGenerator
from perfusynth.generators.slab_passes import pass_both_ways
from perfusynth.generators.turbo.building import trained_network
from perfusynth.generators.turbo.context import Context
from perfusynth.generators.turbo.glance import look, probability_of
from perfusynth.generators.turbo.network import TurboNetwork
from perfusynth.generators.turbo.preparation import prepared
from perfusynth.progress import OnProgress, ignore_progress


class TurboGenerator(OnGridGenerator):
    """A loaded generator of the family.

    Parameters
    ----------
    network
        The trained network, in evaluation mode on ``device``.
    spec
        What goes in and comes out, from the bundle's metadata.
    device
        Where it runs.
    execution
        How it runs there, if the network was prepared for it (`prepared`); None: in float32.
    """

    def __init__(
        self, network: TurboNetwork, spec: GeneratorSpec, device: torch.device, execution: Execution | None = None
    ):
        super().__init__(spec, device, execution)
        self.network = network

    @classmethod
    def from_bundle(cls, bundle: Bundle, device: torch.device) -> "TurboGenerator":
        """Load a bundle's weights onto a device, after checking their hash (`trained_network`), and make them fast."""
        network = trained_network(bundle).to(device)
        return cls(network, bundle.spec, device, prepared(network, device, ExecutionSettings.of_environment()))

    @property
    def innermost(self) -> nn.Module:
        """See `OnGridGenerator.innermost`."""
        return self.network.unet.mid_block

    @torch.inference_mode()
    def on_model_grid(
        self, volumes: Mapping[str, np.ndarray], brain: np.ndarray, on_progress: OnProgress = ignore_progress
    ) -> dict[str, np.ndarray]:
        """See `perfusynth.generators.base.Generator.on_model_grid`.

        Only the rectangle around the brain passes through the networks: the rest would be masked away, and holds the
        lower end of each range. It passes as it is and mirrored (`pass_both_ways`).
        """
        ncct, brain = volumes[self.spec.inputs[0].name], np.asarray(brain) > 0
        where = rectangle_around(brain | brain[::-1], self.network.config.divisor)
        upright, mirrored = (self._given(*head, where) for head in ((ncct, brain), (ncct[::-1], brain[::-1])))
        made = pass_both_ways(self._translated, upright, mirrored, self.execution, on_progress)
        probability = None
        if self.spec.probability is not None:
            shrink = self.network.context.config.shrink
            probability = probability_of(Context(*upright[1:]), Context(*mirrored[1:]), shrink)
        return whole_maps(made.numpy(), where, ncct.shape, self.spec, probability)

    def _given(self, ncct: np.ndarray, brain: np.ndarray, where: tuple[slice, slice]) -> tuple[torch.Tensor, ...]:
        """What the network is given of each slab: its images and, where it has one, the head's context."""
        images = as_images(ncct, brain, self.spec)[:, :, *where]
        if self.network.config.context is None:
            return (images,)
        with self.execution.numerics():
            return (images, *look(self.network.context, ncct, brain, where, self.device))

    def _translated(self, images: torch.Tensor, *context: torch.Tensor) -> torch.Tensor:
        return self.network(images, Context(*context) if context else None)
