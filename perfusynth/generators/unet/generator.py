"""The plain UNet family: NCCT in; Tmax and CBF out, or the probability that Tmax exceeds 6 s, or both."""

from collections.abc import Mapping

import numpy as np
import torch

from perfusynth.generators.bundles import Bundle, GeneratorSpec
from perfusynth.generators.head_images import as_images, rectangle_around, whole_maps
from perfusynth.generators.on_grid import OnGridGenerator
from perfusynth.generators.slab_passes import pass_both_ways
from perfusynth.generators.unet.network import UNetConfig, UNetNetwork
from perfusynth.generators.weights import read_weights
from perfusynth.progress import OnProgress, ignore_progress


def unet_of(spec: GeneratorSpec) -> UNetNetwork:
    """The network of a bundle's metadata, its weights random; the channels that come out are those of the outputs."""
    image = spec.inputs[0]
    channels = image.slices + (image.side_difference_mm is not None)
    return UNetNetwork(UNetConfig.model_validate(spec.network), channels, len(spec.outputs))


def shown(ncct: np.ndarray, brain: np.ndarray, spec: GeneratorSpec, config: UNetConfig) -> torch.Tensor:
    """A head as the network sees it: `as_images` ``(slabs, channels, x, y)``, or ``(1, channels, x, y, slabs)``."""
    images = as_images(ncct, brain, spec)
    return images if config.spatial == "slabs" else images.movedim(0, -1)[None]


class UNetGenerator(OnGridGenerator):
    """A loaded generator of the family.

    Parameters
    ----------
    network
        The trained network, in evaluation mode on ``device``.
    spec
        What goes in and comes out, from the bundle's metadata.
    device
        Where it runs.
    """

    def __init__(self, network: UNetNetwork, spec: GeneratorSpec, device: torch.device):
        super().__init__(spec, device)
        self.network = network

    @classmethod
    def from_bundle(cls, bundle: Bundle, device: torch.device) -> "UNetGenerator":
        """Load a bundle's weights onto a device, after checking their hash."""
        network = unet_of(bundle.spec)
        network.load_state_dict(read_weights(bundle))
        network.to(device).eval().requires_grad_(False)
        return cls(network, bundle.spec, device)

    @torch.inference_mode()
    def on_model_grid(
        self, volumes: Mapping[str, np.ndarray], brain: np.ndarray, on_progress: OnProgress = ignore_progress
    ) -> dict[str, np.ndarray]:
        """See `perfusynth.generators.base.Generator.on_model_grid`.

        As in the turbo family, the rectangle around the brain passes, as it is and mirrored.
        """
        ncct, brain = volumes[self.spec.inputs[0].name], np.asarray(brain) > 0
        where = rectangle_around(brain | brain[::-1], self.network.config.divisor)
        upright, mirrored = (
            (shown(*head, self.spec, self.network.config)[:, :, *where],)
            for head in ((ncct, brain), (ncct[::-1], brain[::-1]))
        )
        made = pass_both_ways(self._answer, upright, mirrored, self.execution, on_progress)
        slabs = made if self.network.config.spatial == "slabs" else made[0].movedim(-1, 0)
        count = len(self.spec.maps)
        probability = np.moveaxis(slabs[:, count].numpy(), 0, -1) if self.spec.probability is not None else None
        return whole_maps(slabs[:, :count].numpy(), where, ncct.shape, self.spec, probability)

    def _answer(self, images: torch.Tensor) -> torch.Tensor:
        """The network's answer, its logit as the probability whose mean is taken of both ways."""
        made = self.network(images).float()
        count = len(self.spec.maps)
        return torch.cat([made[:, :count], made[:, count:].sigmoid()], 1)
