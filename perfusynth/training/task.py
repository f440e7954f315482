"""What a training task is: named networks, ordered phases of optimiser steps, and a prediction. One task a family."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import nn

from perfusynth.generators.bundles import GeneratorSpec
from perfusynth.training.heads import Head

#: Tensors by name, of one head (an example) or of several (a batch).
Tensors = dict[str, torch.Tensor]
#: The task's networks by name, as they are to be called (wrapped where several processes train together).
Networks = Mapping[str, nn.Module]
#: Maps by name, float32 ``(x, y, slabs)`` in units, that a network (evaluation mode) makes of a head on a device.
Predict = Callable[[nn.Module, Head, torch.device], dict[str, np.ndarray]]


@dataclass(frozen=True)
class Update:
    """One optimiser step within a training step.

    Parameters
    ----------
    networks
        Names of the networks whose weights it moves; an optimiser of their own.
    losses
        Losses of a batch by name: ``loss`` is minimised, the others are told and logged.
    """

    networks: tuple[str, ...]
    losses: Callable[[Networks, Tensors], Tensors]


@dataclass(frozen=True)
class Phase:
    """A stretch of training in which the same updates are repeated.

    Parameters
    ----------
    name
        For the log, the checkpoint and the person who waits.
    steps
        Training steps; each makes every update once, in order, on one batch.
    heads_per_step
        Heads in a batch.
    learning_rate
        Peak of the phase's schedule (warm-up, then half a cosine).
    updates
        A regression has one; a GAN two (the generator's, the discriminator's).
    example
        What the networks need of one head, drawn with the random generator; runs in the processes that load data.
    collate
        Makes a batch of the examples of ``heads_per_step`` heads.
    predict
        What the exported network can make of a head in this phase, where that is not yet all (`TrainingTask.predict`).
    """

    name: str
    steps: int
    heads_per_step: int
    learning_rate: float
    updates: tuple[Update, ...]
    example: Callable[[Head, np.random.Generator], Tensors]
    collate: Callable[[Sequence[Tensors]], Tensors]
    predict: Predict | None = None


class TrainingTask(Protocol):
    """What is particular to a family; data, averaging, checkpoints, logging, resuming and many GPUs are shared.

    ``networks`` are all networks by name; ``exported`` is the one whose moving average becomes the bundle's weights;
    ``phases`` follow each other.
    """

    spec: GeneratorSpec
    networks: Mapping[str, nn.Module]
    exported: str
    phases: tuple[Phase, ...]

    def predict(self, network: nn.Module, head: Head, device: torch.device) -> dict[str, np.ndarray]:
        """Maps by name, float32 ``(x, y, slabs)`` in units, that the exported network (evaluation mode) makes."""
        ...
