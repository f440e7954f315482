"""The plain UNet family's training task: one phase, in which what the outputs ask for is learnt from the truth."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import nn

from perfusynth.errors import InputError
from perfusynth.generators.bundles import GeneratorSpec
from perfusynth.generators.head_images import as_images
from perfusynth.generators.unet.generator import UNetGenerator, unet_of
from perfusynth.training.head_tensors import middle, stacked, wanted_of
from perfusynth.training.heads import Head
from perfusynth.training.map_losses import named_map_errors, region_loss
from perfusynth.training.task import Networks, Phase, Tensors, Update
from perfusynth.training.unet_settings import UNetSettings


class UNetTask:
    """What is particular to this family; the engine does the rest.

    Images, targets and losses are those of the pix2pix-turbo family, so that a comparison is one of networks.
    """

    exported = "generator"

    def __init__(self, spec: GeneratorSpec, settings: UNetSettings):
        self.spec = spec
        self.settings = settings
        network = unet_of(spec)
        _check_divisible({"crop": settings.crop, "grid": (spec.grid.size,)}, network.config.divisor)
        self.networks: dict[str, nn.Module] = {self.exported: network}
        self._sees_slabs = network.config.spatial == "slabs"
        updates = (Update((self.exported,), self._losses),)
        pace = dict(settings.supervised)
        self.phases = (Phase("supervised", **pace, updates=updates, example=self._example, collate=stacked),)

    def _example(self, head: Head, rng: np.random.Generator) -> Tensors:
        """The middle of a head, all ``(channels, x, y, slabs)``: ``images`` and what `wanted_of` gives.

        Of some slabs where the network sees slabs, of all where it sees the head.
        """
        images = as_images(head.volumes[self.spec.inputs[0].name], head.brain, self.spec).movedim(0, -1)
        tensors = {"images": images, **wanted_of(head, self.spec)}
        where = middle(head.brain.shape, self.settings.crop)
        tensors = {name: tensor[:, *where] for name, tensor in tensors.items()}
        if not self._sees_slabs:
            return tensors
        chosen = torch.from_numpy(rng.integers(head.brain.shape[2], size=self.settings.slabs_per_head))
        return {name: tensor[..., chosen] for name, tensor in tensors.items()}

    def _losses(self, networks: Networks, batch: Tensors) -> Tensors:
        """Errors of the maps and, where there is a probability, the region's loss; ``loss`` is their weighted sum."""
        made = self._made(networks[self.exported], batch["images"])
        count = len(self.spec.maps)
        losses: Tensors = {}
        if count:
            losses = named_map_errors(made[:, :count], batch, self.spec, self.settings)
        loss = torch.stack(list(losses.values())).sum() if losses else made.new_zeros(())
        if self.spec.probability is not None:
            losses["region"] = region_loss(made[:, count:], batch["deficit"], batch["counts"])
            loss = loss + self.settings.region_weight * losses["region"]
        return {"loss": loss, **losses}

    def _made(self, network: nn.Module, images: torch.Tensor) -> torch.Tensor:
        """The network's answer to ``(heads, channels, x, y, slabs)``, in that order."""
        if not self._sees_slabs:
            return network(images).float()
        slabs = network(images.movedim(-1, 1).flatten(0, 1)).float()
        return slabs.unflatten(0, (len(images), -1)).movedim(1, -1)

    def predict(self, network: nn.Module, head: Head, device: torch.device) -> dict[str, np.ndarray]:
        """See `perfusynth.training.task.TrainingTask.predict`."""
        generator = UNetGenerator(network, self.spec, device)  # type: ignore[arg-type]  # a copy of the one made here
        return generator.on_model_grid(head.volumes, head.brain)


def _check_divisible(sides: Mapping[str, Sequence[int]], divisor: int) -> None:
    for name, lengths in sides.items():
        if any(length % divisor for length in lengths):
            raise InputError(
                f"The {name} does not fit the network.",
                expected=f"sides divisible by {divisor} voxels",
                got=" x ".join(str(length) for length in lengths),
                hint="Change it, or the network's shrink and channels in the bundle's metadata.",
                code="bad_settings",
            )
