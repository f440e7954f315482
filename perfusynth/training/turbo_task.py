"""The pix2pix-turbo family's training task: its settings, its network, its step and its prediction."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import nn

from perfusynth.generators.bundles import GeneratorSpec
from perfusynth.generators.turbo.generator import TurboGenerator
from perfusynth.generators.turbo.images import as_images, from_units
from perfusynth.generators.turbo.network import TurboConfig, TurboNetwork
from perfusynth.perfusion.regions import RegionSettings
from perfusynth.training.heads import Head
from perfusynth.training.task import Networks, Phase, Tensors, Update

#: Tmax above which tissue counts as hypoperfused, s: the one that the regions are measured with.
DEFICIT_TMAX_S = RegionSettings().hypoperfusion_s


class TurboSettings(BaseModel):
    """What is particular to this family in a run's settings."""

    model_config = ConfigDict(extra="forbid")

    family: Literal["turbo"] = "turbo"
    steps: int = Field(1700, gt=0)
    heads_per_step: int = Field(4, gt=0)
    slabs_per_head: int = Field(2, gt=0, description="slabs drawn from each head of a batch")
    learning_rate: float = Field(8e-4, gt=0)
    crop: tuple[int, int] = Field(
        (128, 160),
        description="voxels (x, y) of each slab that are trained on, around the brain; what an average needs",
    )
    crop_jitter: int = Field(10, ge=0, description="the crop is shifted at random by up to this many voxels")
    deficit_weight: float = Field(1.0, ge=0, description="extra weight of voxels with Tmax > 6 s in the loss")
    square_weight: float = Field(
        4.0,
        ge=0,
        description="weight of the squared beside the absolute error: the absolute error alone is content with normal "
        "values everywhere until a deficit is more likely than not, and learns to see it late",
    )


class TurboTask:
    """What is particular to this family; the engine does the rest."""

    exported = "generator"

    def __init__(self, spec: GeneratorSpec, settings: TurboSettings):
        self.spec = spec
        self.settings = settings
        self.networks: dict[str, nn.Module] = {self.exported: TurboNetwork(TurboConfig.model_validate(spec.network))}
        self.phases = (
            Phase(
                name="regression",
                steps=settings.steps,
                heads_per_step=settings.heads_per_step,
                learning_rate=settings.learning_rate,
                updates=(Update(networks=(self.exported,), losses=self._losses),),
                example=self._example,
                collate=_joined,
            ),
        )

    def _example(self, head: Head, rng: np.random.Generator) -> Tensors:
        """Slabs of one head, cropped: ``images``, ``maps`` in [-1, 1], ``counts`` and ``deficit`` bool."""
        images = as_images(head.volumes[self.spec.inputs[0].name], head.brain, self.spec)
        targets = np.stack([head.volumes[output.name] for output in self.spec.outputs])
        tensors = {
            "images": images,
            "maps": torch.from_numpy(from_units(targets, self.spec)),
            "counts": _slabs_first(head.brain & head.valid),
            "deficit": _slabs_first(head.volumes["tmax"] > DEFICIT_TMAX_S),
        }
        slabs = torch.from_numpy(rng.integers(images.shape[0], size=self.settings.slabs_per_head))
        shift = rng.integers(-self.settings.crop_jitter, self.settings.crop_jitter + 1, size=2)
        x, y = (
            _centred(size, side, int(by))
            for size, side, by in zip(images.shape[2:], self.settings.crop, shift, strict=True)
        )
        return {name: tensor[slabs][:, :, x, y] for name, tensor in tensors.items()}

    def _losses(self, networks: Networks, batch: Tensors) -> Tensors:
        """Mean absolute error plus weighted squared error per map, in the network's scale, over the brain only.

        ``loss`` is the maps' sum. Outside the brain nothing is asked of the network: maps are masked there.
        """
        made = networks[self.exported](batch["images"]).float()
        weight = batch["counts"].float() * (1 + self.settings.deficit_weight * batch["deficit"].float())
        error = (made - batch["maps"]).abs()
        error = (error + self.settings.square_weight * error**2) * weight
        per_map = error.sum(dim=(0, 2, 3)) / weight.sum().clamp(min=1)
        losses = {output.name: value for output, value in zip(self.spec.outputs, per_map, strict=True)}
        return {"loss": per_map.sum(), **losses}

    def predict(self, network: nn.Module, head: Head, device: torch.device) -> dict[str, np.ndarray]:
        """See `perfusynth.training.task.TrainingTask.predict`."""
        generator = TurboGenerator(network, self.spec, device)  # type: ignore[arg-type]  # a copy of the one made here
        made = generator.translate(head.volumes[self.spec.inputs[0].name], head.brain)
        return {output.name: values for output, values in zip(self.spec.outputs, made, strict=True)}


def _slabs_first(mask: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(mask, -1, 0)[:, None]))


def _centred(size: int, length: int, shift: int) -> slice:
    start = min(max((size - length) // 2 + shift, 0), size - length)
    return slice(start, start + length)


def _joined(examples: Sequence[Tensors]) -> Tensors:
    return {name: torch.cat([example[name] for example in examples]) for name in examples[0]}
