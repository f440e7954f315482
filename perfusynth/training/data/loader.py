"""Batches by step: heads are read, altered and made into examples in processes beside the one that trains."""

import signal
from collections.abc import Callable, Iterator

import numpy as np
from torch.utils.data import DataLoader, Dataset

from perfusynth.training.data.order import Order
from perfusynth.training.heads import Head, HeadSource
from perfusynth.training.task import Phase, Tensors

#: Batches that each process holds ready.
AHEAD = 4
#: Alters a head with the random generator.
Alter = Callable[[Head, np.random.Generator], Head]


class StepBatches(Dataset):
    """The batch of each step (from 0) of a phase; the same step always gives the same batch.

    Parameters
    ----------
    heads
        Patients to train on.
    phase
        Says what an example and a batch are.
    order
        Says whose heads make which batch.
    alter
        The augmentation.
    seed
        Of all that is random about an example, with the head's place in the order.
    """

    def __init__(self, heads: HeadSource, phase: Phase, order: Order, alter: Alter, seed: tuple[int, ...]):
        self._heads, self._phase, self._order, self._alter, self._seed = heads, phase, order, alter, seed

    def __getitem__(self, step: int) -> Tensors:
        return self._phase.collate([self._example(place, head) for place, head in self._order.batch(step)])

    def _example(self, place: int, head: int) -> Tensors:
        rng = np.random.default_rng((*self._seed, place))
        return self._phase.example(self._alter(self._heads(head), rng), rng)


class _Steps:
    """The steps that are left, in order (a DataLoader's sampler)."""

    def __init__(self, first: int, end: int):
        self._steps = range(first, end)

    def __iter__(self) -> Iterator[int]:
        return iter(self._steps)

    def __len__(self) -> int:
        return len(self._steps)


def batches_of(data: StepBatches, first: int, end: int, workers: int, *, pinned: bool) -> DataLoader:
    """The batches of steps ``first`` to ``end - 1`` in order, whatever the number of processes.

    ``pinned``: in memory that a GPU reads directly.
    """
    return DataLoader(
        data,
        batch_size=None,
        sampler=_Steps(first, end),  # type: ignore[arg-type]  # torch asks for __iter__ and __len__ only
        num_workers=workers,
        prefetch_factor=AHEAD if workers else None,
        worker_init_fn=_leave_signals_to_the_trainer if workers else None,
        pin_memory=pinned,
    )


def _leave_signals_to_the_trainer(worker: int) -> None:
    """Ctrl-C reaches every process of a terminal; the trainer ends these when it has written its checkpoint."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
