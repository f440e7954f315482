"""A training task of two small networks, and heads that need no files: what the engine does is seen in numbers."""

import numpy as np
import torch
from torch import nn

from perfusynth.generators.bundles import GeneratorSpec
from perfusynth.training.config import TrainingConfig
from perfusynth.training.heads import Head
from perfusynth.training.task import Networks, Phase, Tensors, Update


class SmallTask:
    """A regression, then a GAN of one-voxel networks; losses are plain means over voxels.

    ``seen`` collects, for each step, the mean of the batch.
    """

    exported = "maker"

    def __init__(self, spec: GeneratorSpec, steps: tuple[int, int] = (4, 3), heads_per_step: int = 2):
        self.spec = spec
        self.networks: dict[str, nn.Module] = {
            "maker": nn.Sequential(nn.Conv3d(1, 4, 1), nn.Tanh(), nn.Dropout(0.2), nn.Conv3d(4, 2, 1)),
            "judge": nn.Sequential(nn.Conv3d(3, 4, 1), nn.Tanh(), nn.Conv3d(4, 1, 1)),
        }
        shared = {"heads_per_step": heads_per_step, "learning_rate": 1e-2, "example": _example, "collate": _stacked}
        self.phases = (
            Phase("regression", steps=steps[0], updates=(Update(("maker",), self._errors),), **shared),
            Phase(
                "gan",
                steps=steps[1],
                updates=(Update(("maker",), self._convincing), Update(("judge",), self._judging)),
                **shared,
            ),
        )

    def _errors(self, networks: Networks, batch: Tensors) -> Tensors:
        error = ((networks["maker"](batch["ncct"]) - batch["maps"]) ** 2).mean()
        return {"loss": error, "mean": batch["ncct"].mean()}

    def _convincing(self, networks: Networks, batch: Tensors) -> Tensors:
        made = networks["maker"](batch["ncct"])
        judged = networks["judge"](torch.cat([batch["ncct"], made], 1))
        return {"loss": ((made - batch["maps"]) ** 2).mean() + 0.1 * ((judged - 1) ** 2).mean()}

    def _judging(self, networks: Networks, batch: Tensors) -> Tensors:
        with torch.no_grad():
            made = networks["maker"](batch["ncct"])
        real = networks["judge"](torch.cat([batch["ncct"], batch["maps"]], 1))
        fake = networks["judge"](torch.cat([batch["ncct"], made], 1))
        return {"loss": ((real - 1) ** 2).mean() + (fake**2).mean()}

    def predict(self, network: nn.Module, head: Head, device: torch.device) -> dict[str, np.ndarray]:
        ncct = torch.from_numpy(head.volumes["ncct"])[None, None].to(device) / 50
        made = network(ncct)[0].cpu().numpy()
        return {"tmax": made[0] * 10, "cbf": made[1] * 60}


def _example(head: Head, rng: np.random.Generator) -> Tensors:
    part = rng.integers(0, 4)  # draws of its own, as real tasks make them
    x = slice(int(part), int(part) + 8)
    maps = np.stack([head.volumes["tmax"] / 10, head.volumes["cbf"] / 60])
    ncct = np.clip(head.volumes["ncct"], 0, 100)[None] / 50
    return {"ncct": torch.from_numpy(ncct[:, x, 8:24, :6]), "maps": torch.from_numpy(maps[:, x, 8:24, :6])}


def _stacked(examples) -> Tensors:
    return {name: torch.stack([example[name] for example in examples]) for name in examples[0]}


def make_task(spec: GeneratorSpec, config: TrainingConfig) -> SmallTask:
    """As the engine asks for it."""
    return SmallTask(spec)
