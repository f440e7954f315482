"""How a network runs on a device: precision, slabs at a time, memory; the same answer every time."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import torch
from pydantic import Field

from perfusynth.environment_settings import EnvironmentSettings
from perfusynth.errors import InputError

#: ``tf32`` multiplies with 10 bits behind the point where the device can, ``fp32`` never; ``bf16`` is bfloat16;
#: ``mixed`` is that behind the one diffusion step only, and ``tf32`` before it, where errors would be multiplied.
Precision = Literal["fp32", "tf32", "mixed", "bf16"]

#: Slabs in one forward pass, twice as many images with their mirror images: a CPU gains nothing beyond its caches, a
#: GPU takes a whole head at once if its memory holds it.
BATCH_SLABS = {"cpu": 4, "cuda": 64}


class ExecutionSettings(EnvironmentSettings):
    """What an installation may set, as environment variables ``PERFUSYNTH_<NAME>``."""

    precision: Precision | None = Field(
        None, description="None: the fastest that keeps the bar, see docs/performance.md"
    )
    gpu_memory_gib: float | None = Field(
        None, gt=0, description="the most that a process takes of its GPU, beside the 0.5 GiB of CUDA itself; None: all"
    )
    compiled: bool = Field(False, description="torch.compile: the first head takes a minute longer, the next less")


class Execution:
    """Where and how the passes of one generator are made; it remembers how many slabs its memory held.

    Parameters
    ----------
    device
        Where the network is.
    precision
        What it was brought to.
    batch_slabs
        Slabs in one pass at first; None: `BATCH_SLABS`.
    gpu_memory_gib
        Bound of what torch takes of the GPU, see `ExecutionSettings`.
    """

    def __init__(
        self,
        device: torch.device,
        precision: Precision = "fp32",
        *,
        batch_slabs: int | None = None,
        gpu_memory_gib: float | None = None,
    ):
        self.device = device
        self.precision = precision
        self.batch_slabs = batch_slabs or BATCH_SLABS[device.type]
        self.times_out_of_memory = 0
        if device.type == "cuda" and gpu_memory_gib is not None:
            whole = torch.cuda.get_device_properties(device).total_memory / 2**30
            torch.cuda.set_per_process_memory_fraction(min(1.0, gpu_memory_gib / whole), device)

    def told(self) -> dict[str, Any]:
        """What a reader of the result must know, as JSON values."""
        return {
            "device": str(self.device),
            "precision": self.precision,
            "slabs_at_a_time": self.batch_slabs,
            "times_out_of_memory": self.times_out_of_memory,
        }

    def out_of_memory(self, slabs: int) -> None:
        """So many slabs at a time were too many: half of them from now on, for as long as the process lives.

        Raises
        ------
        InputError
            Code ``out_of_memory``: a single slab is too much.
        """
        self.times_out_of_memory += 1
        if slabs == 1:
            raise InputError(
                "The GPU's memory does not hold one slab.",
                expected="a GPU with more free memory",
                got=f"{self.device} full with a single slab at {self.precision}",
                hint="Free the GPU, raise PERFUSYNTH_GPU_MEMORY_GIB, or choose the CPU with --device cpu.",
                code="out_of_memory",
            )
        self.batch_slabs = slabs // 2
        logging.getLogger(__name__).warning(
            "Out of memory on %s with %d slabs at a time; %d from now on.", self.device, slabs, self.batch_slabs
        )
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    @contextmanager
    def numerics(self) -> Iterator[None]:
        """Within the block float32 is multiplied as the precision says, and a GPU chooses its kernels alike."""
        if self.device.type != "cuda":
            yield
            return
        backends: Any = torch.backends  # some of its parts are made at run time, unseen by type checkers
        parts, wanted = (backends.cudnn.conv, backends.cuda.matmul), "ieee" if self.precision == "fp32" else "tf32"
        before = [part.fp32_precision for part in parts], backends.cudnn.deterministic, backends.cudnn.benchmark
        try:
            for part in parts:
                part.fp32_precision = wanted
            backends.cudnn.deterministic, backends.cudnn.benchmark = True, False
            yield
        finally:
            for part, precision in zip(parts, before[0], strict=True):
                part.fp32_precision = precision
            backends.cudnn.deterministic, backends.cudnn.benchmark = before[1:]


@contextmanager
def full_float32(device: torch.device) -> Iterator[None]:
    """Within the block float32 is multiplied in full and nothing is cast, whatever surrounds it."""
    with torch.autocast(device.type, enabled=False):
        convolutions: Any = torch.backends.cudnn.conv  # type: ignore[attr-defined]
        if device.type != "cuda" or convolutions.fp32_precision == "ieee":
            yield
            return
        before = convolutions.fp32_precision
        convolutions.fp32_precision = "ieee"
        try:
            yield
        finally:
            convolutions.fp32_precision = before


def has_fast_bf16(device: torch.device) -> bool:
    """Whether bfloat16 is what the device multiplies fastest (tensor cores of a GPU, AMX of a CPU)."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    return bool(torch.cpu.get_capabilities().get("amx_bf16", False))
