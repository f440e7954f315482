"""Training: one task a family; data, losses and the engine are shared."""

from typing import Any


def run(**values: Any) -> str:
    """Train with the plain values of a bundle's ``train.json`` (see `config.TrainingConfig` for each), or go on.

    The one target that a bundle may name. Returns the folder of the run.
    """
    # Here, not above: whoever reads a run's settings alone need not wait for torch.
    from perfusynth.training.config import config_from
    from perfusynth.training.engine import train

    return str(train(config_from(values)).folder)


__all__ = ["run"]
