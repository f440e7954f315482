"""Which heads make the batch of a step: it depends on the seed and the step alone, so that a killed run can go on."""

from functools import lru_cache

import numpy as np


class Order:
    """An endless sequence of shuffled passes over ``count`` heads, dealt out in batches.

    Parameters
    ----------
    count
        Heads to choose from.
    per_step
        Heads in the batch of one process.
    seed, phase
        Seed of the run and number of the phase: together they decide on the order.
    rank, ranks
        Which of how many processes this is; the processes' batches of one step follow each other in the sequence, so
        that two processes do together what one does with batches of twice the size.
    """

    def __init__(self, count: int, per_step: int, *, seed: int, phase: int, rank: int = 0, ranks: int = 1):
        self._count = count
        self._per_step = per_step
        self._seed = (seed, phase)
        self._rank, self._ranks = rank, ranks
        self._pass = lru_cache(maxsize=2)(self._shuffled)

    def batch(self, step: int) -> list[tuple[int, int]]:
        """Place in the sequence and number of each head in the batch of a step (from 0)."""
        first = (step * self._ranks + self._rank) * self._per_step
        return [(place, self._head(place)) for place in range(first, first + self._per_step)]

    def _head(self, place: int) -> int:
        return int(self._pass(place // self._count)[place % self._count])

    def _shuffled(self, number: int) -> np.ndarray:
        return np.random.default_rng((*self._seed, number)).permutation(self._count)
