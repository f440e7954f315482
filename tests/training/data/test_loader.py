"""Batches by step: the same whatever the number of processes that prepare them and wherever a run begins."""

import numpy as np
import pytest
import torch

from perfusynth.training.data.loader import StepBatches, batches_of
from perfusynth.training.data.order import Order
from perfusynth.training.heads import Head
from perfusynth.training.task import Phase

NAMES = [str(number) for number in range(7)]


class Heads:
    names = NAMES

    def __call__(self, index: int) -> Head:
        brain = np.ones((2, 2, 2), dtype=bool)
        return Head(NAMES[index], {"ncct": np.full(brain.shape, index, dtype=np.float32)}, brain, brain)


def numbered(head: Head, rng: np.random.Generator) -> dict[str, torch.Tensor]:
    return {"head": torch.tensor(head.volumes["ncct"][0, 0, 0]), "drawn": torch.tensor(rng.random())}


def stacked(examples):
    return {name: torch.stack([example[name] for example in examples]) for name in examples[0]}


def noisy(head: Head, rng: np.random.Generator) -> Head:
    rng.random(3)
    return head


def batches(first: int, end: int, workers: int) -> list[dict[str, torch.Tensor]]:
    phase = Phase("any", 10, 3, 1e-3, updates=(), example=numbered, collate=stacked)
    data = StepBatches(Heads(), phase, Order(len(NAMES), 3, seed=4, phase=0), noisy, (4, 0))
    return list(batches_of(data, first, end, workers, pinned=False))


def equal(one, other) -> bool:
    return all(torch.equal(a[name], b[name]) for a, b in zip(one, other, strict=True) for name in a)


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_a_batch_depends_on_its_step_alone(workers):
    whole = batches(0, 8, 0)
    assert len(whole) == 8
    assert equal(batches(0, 8, workers), whole)
    assert equal(batches(5, 8, workers), whole[5:])
    drawn = torch.cat([batch["drawn"] for batch in whole])
    assert len(drawn.unique()) == len(drawn)


def test_each_pass_shows_every_head():
    shown = torch.cat([batch["head"] for batch in batches(0, 7, 0)]).reshape(3, 7)
    assert all(sorted(row.tolist()) == list(range(7)) for row in shown)
