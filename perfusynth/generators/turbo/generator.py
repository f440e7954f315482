"""The pix2pix-turbo family: NCCT in, Tmax and CBF out, in one pass over every slab."""

from collections.abc import Mapping

import numpy as np
import torch

from perfusynth.generators.bundles import Bundle, GeneratorSpec
from perfusynth.generators.on_grid import OnGridGenerator
from perfusynth.generators.slab_passes import pass_both_ways
from perfusynth.generators.turbo.images import as_images, rectangle_around, to_units
from perfusynth.generators.turbo.network import TurboConfig, TurboNetwork
from perfusynth.generators.weights import read_weights
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
    """

    def __init__(self, network: TurboNetwork, spec: GeneratorSpec, device: torch.device):
        super().__init__(spec, device)
        self.network = network

    @classmethod
    def from_bundle(cls, bundle: Bundle, device: torch.device) -> "TurboGenerator":
        """Load a bundle's weights onto a device, after checking their hash."""
        network = TurboNetwork(TurboConfig.model_validate(bundle.spec.network))
        network.load_state_dict(read_weights(bundle))
        network.to(device).eval().requires_grad_(False)
        return cls(network, bundle.spec, device)

    def on_model_grid(
        self, volumes: Mapping[str, np.ndarray], brain: np.ndarray, on_progress: OnProgress = ignore_progress
    ) -> dict[str, np.ndarray]:
        """See `perfusynth.generators.base.Generator.on_model_grid`."""
        made = self.translate(volumes[self.spec.inputs[0].name], np.asarray(brain) > 0, on_progress)
        return {output.name: values for output, values in zip(self.spec.outputs, made, strict=True)}

    def translate(self, ncct: np.ndarray, brain: np.ndarray, on_progress: OnProgress = ignore_progress) -> np.ndarray:
        """Make the maps of a head that is already on the model grid.

        Only the rectangle around the brain passes through the network: the rest would be masked away. It passes as it
        is and mirrored (`pass_both_ways`).

        Parameters
        ----------
        ncct
            HU, shape ``(x, y, slabs)`` in nearest-RAS order.
        brain
            bool, same shape; not empty.
        on_progress
            Told the stage ``generate``.

        Returns
        -------
        float32 array ``(maps, x, y, slabs)`` in the units of the metadata, clipped to their ranges; outside the
        rectangle the lower end of each range.
        """
        columns, rows = rectangle_around(brain | brain[::-1], self.network.config.divisor)
        upright = as_images(ncct, brain, self.spec)[:, :, columns, rows]
        mirrored = as_images(ncct[::-1], brain[::-1], self.spec)[:, :, columns, rows]
        made = np.full((ncct.shape[2], len(self.spec.outputs), *ncct.shape[:2]), -1, dtype=np.float32)
        made[:, :, columns, rows] = pass_both_ways(self.network, upright, mirrored, self.device, on_progress).numpy()
        return to_units(made, self.spec)
