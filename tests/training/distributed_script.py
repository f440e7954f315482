"""Run by torchrun in a test: trains a small task together with the other processes, then writes what each one has."""

import os
import sys
from pathlib import Path

import torch

from perfusynth.training.config import TrainingConfig
from perfusynth.training.engine import train
from tests.training.small_task import SmallTask


def main(settings: Path, heads_per_step: int) -> None:
    """Train one step of each phase; the first update's gradients are those of the last step of the first phase."""
    made = []

    def make_task(spec, config):
        made.append(SmallTask(spec, steps=(1, 2), heads_per_step=heads_per_step))
        maker = made[0].networks["maker"]
        maker[2].p = 0.0  # what is dropped differs between processes
        return made[0]

    gradients: dict[str, torch.Tensor] = {}

    def remember(told):
        if told.step == 1:
            gradients.update({name: w.grad.clone() for name, w in made[0].networks["maker"].named_parameters()})

    config = TrainingConfig.model_validate_json(settings.read_text())
    train(config, remember, make_task=make_task)
    weights = {f"{name}.{key}": t for name, net in made[0].networks.items() for key, t in net.state_dict().items()}
    torch.save({"weights": weights, "gradients": gradients}, config.out / f"rank{os.environ.get('RANK', 'alone')}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
