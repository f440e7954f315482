"""The order of heads: every head once a pass, from the step alone, shared out over processes."""

from perfusynth.training.data.order import Order


def heads(order: Order, *steps: int) -> list[int]:
    return [head for step in steps for _, head in order.batch(step)]


def test_a_pass_shows_every_head_once_and_the_next_in_another_order():
    order = Order(12, 4, seed=1, phase=0)
    first, second = heads(order, 0, 1, 2), heads(order, 3, 4, 5)
    assert sorted(first) == sorted(second) == list(range(12))
    assert first != second


def test_a_batch_depends_on_seed_phase_and_step_alone():
    assert Order(10, 3, seed=1, phase=0).batch(7) == Order(10, 3, seed=1, phase=0).batch(7)
    others = [Order(10, 3, seed=2, phase=0), Order(10, 3, seed=1, phase=1)]
    here = heads(Order(10, 3, seed=1, phase=0), *range(10))
    assert all(heads(other, *range(10)) != here for other in others)


def test_two_processes_do_together_what_one_does_with_twice_the_batch():
    alone = Order(11, 6, seed=3, phase=0)
    shared = [Order(11, 3, seed=3, phase=0, rank=rank, ranks=2) for rank in (0, 1)]
    for step in range(5):
        assert shared[0].batch(step) + shared[1].batch(step) == alone.batch(step)
