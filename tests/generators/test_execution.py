"""How networks are run: memory that does not hold a batch, settings, what a result tells."""

import logging

import pytest
import torch

from perfusynth.errors import Cancelled, InputError
from perfusynth.generators.execution import Execution, ExecutionSettings, full_float32
from perfusynth.generators.slab_passes import pass_both_ways

CPU = torch.device("cpu")


class SmallMemory:
    """A network that holds ``images`` at a time: more, and torch's own error comes, from the middle of the work."""

    def __init__(self, images: int):
        self.images, self.asked = images, []

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        self.asked.append(len(images))
        made = images * 2 + torch.arange(images.shape[2])[:, None]
        if len(images) > self.images:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")
        return made


@pytest.fixture
def heads():
    upright = torch.randn(11, 3, 6, 4, generator=torch.Generator().manual_seed(0))
    return (upright,), (upright.flip(2),)


def test_a_batch_that_memory_does_not_hold_is_halved_and_nothing_is_lost(heads, caplog):
    network, execution = SmallMemory(images=5), Execution(CPU, batch_slabs=8)
    with caplog.at_level(logging.WARNING):
        made = pass_both_ways(network, *heads, execution)
    expected = heads[0][0] * 2 + (torch.arange(6) + torch.arange(6).flip(0))[:, None] / 2
    torch.testing.assert_close(made, expected)
    assert network.asked == [16, 8, 4, 4, 4, 4, 4, 2]
    assert execution.told() == {
        "device": "cpu",
        "precision": "fp32",
        "slabs_at_a_time": 2,
        "times_out_of_memory": 2,
    }
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]
    assert "8 slabs at a time; 4" in caplog.text


def test_the_next_head_begins_with_what_memory_held(heads):
    network, execution = SmallMemory(images=5), Execution(CPU, batch_slabs=8)
    pass_both_ways(network, *heads, execution)
    network.asked.clear()
    pass_both_ways(network, *heads, execution)
    assert max(network.asked) == 4


def test_a_small_head_is_not_tried_again_at_its_own_size(heads):
    network, execution = SmallMemory(images=5), Execution(CPU, batch_slabs=64)
    pass_both_ways(network, *([part[:5] for part in way] for way in heads), execution)
    assert network.asked == [10, 4, 4, 2]


def test_memory_that_holds_no_slab_is_told(heads):
    with pytest.raises(InputError, match="one slab") as caught:
        pass_both_ways(SmallMemory(images=1), *heads, Execution(CPU, batch_slabs=8))
    assert caught.value.code == "out_of_memory"


def test_another_error_is_not_taken_for_memory(heads):
    def broken(images):
        raise RuntimeError("the kernel image is invalid")

    with pytest.raises(RuntimeError, match="kernel image"):
        pass_both_ways(broken, *heads, Execution(CPU, batch_slabs=8))


def test_progress_goes_on_from_where_memory_gave_out(heads):
    told = []
    pass_both_ways(SmallMemory(images=9), *heads, Execution(CPU, batch_slabs=8), lambda stage, at: told.append(at))
    assert told == pytest.approx([0, 0, 4 / 11, 8 / 11, 1])

    def stop(stage, fraction):
        raise Cancelled

    with pytest.raises(Cancelled):
        pass_both_ways(SmallMemory(images=9), *heads, Execution(CPU), stop)


def test_settings_come_from_the_environment(monkeypatch):
    for name, value in {"PRECISION": "tf32", "GPU_MEMORY_GIB": "12.5", "COMPILED": "true"}.items():
        monkeypatch.setenv(f"PERFUSYNTH_{name}", value)
    assert ExecutionSettings.of_environment() == ExecutionSettings(precision="tf32", gpu_memory_gib=12.5, compiled=True)


@pytest.mark.parametrize(("name", "value"), [("PRECISION", "fp16"), ("GPU_MEMORY_GIB", "-3"), ("COMPILED", "perhaps")])
def test_a_setting_that_means_nothing_is_told(monkeypatch, name, value):
    monkeypatch.setenv(f"PERFUSYNTH_{name}", value)
    with pytest.raises(InputError, match=f"PERFUSYNTH_{name}") as caught:
        ExecutionSettings.of_environment()
    assert caught.value.code == "bad_setting"


def test_full_float32_casts_nothing():
    weight = torch.randn(64, 64)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert (weight @ weight).dtype == torch.bfloat16
        with full_float32(CPU):
            assert (weight @ weight).dtype == torch.float32
