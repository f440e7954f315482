"""The one entry of a training run: plain values in, checkpoints out."""

from typing import Any

from perfusynth.training.config import TrainingConfig
from perfusynth.training.engine import OnStep, train


def run(*, on_step: OnStep = lambda step, steps, figures: None, **values: Any) -> str:
    """Train with the values of a bundle's ``train.json``; see `TrainingConfig` for each. Returns the checkpoint."""
    return str(train(TrainingConfig(**values), on_step))
