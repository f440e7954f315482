"""The processes that train together: one alone, or as many as ``torchrun`` has started."""

import os
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from perfusynth.errors import InputError
from perfusynth.generators.devices import choose_device

#: The other processes wait as long while the first one reads cases or measures the tuning patients.
PATIENCE = timedelta(hours=2)


class Processes:
    """This process's place among those that train together.

    Parameters
    ----------
    device
        As of `choose_device`; with several processes ``auto`` and ``cuda`` mean one GPU for each.

    Raises
    ------
    InputError
        Code ``bad_device``.
    """

    def __init__(self, device: str):
        self.ranks = int(os.environ.get("WORLD_SIZE", "1"))
        self.rank = int(os.environ.get("RANK", "0"))
        if self.ranks == 1:
            self.device = choose_device(device)
            return
        local, gpus = int(os.environ.get("LOCAL_RANK", "0")), torch.cuda.device_count()
        if device in ("auto", "cuda") and gpus and int(os.environ.get("LOCAL_WORLD_SIZE", "1")) > gpus:
            raise InputError(
                "There are more processes than GPUs.",
                expected=f"at most {gpus} processes on this machine",
                got=os.environ["LOCAL_WORLD_SIZE"],
                hint="Give torchrun a smaller --nproc_per_node.",
                code="bad_device",
            )
        on_gpu = gpus and device in ("auto", "cuda")
        self.device = choose_device(f"cuda:{local}" if on_gpu else device)
        if self.device.type == "cuda":
            torch.cuda.set_device(self.device)
        dist.init_process_group("nccl" if self.device.type == "cuda" else "gloo", timeout=PATIENCE)

    @property
    def first(self) -> bool:
        """Whether this one writes, measures and tells."""
        return self.rank == 0

    def wrapped(self, network: nn.Module) -> nn.Module:
        """The network as it is to be called where its weights are trained: gradients are averaged over the processes.

        Buffers stay each process's own; those of the first are kept.
        """
        if self.ranks == 1:
            return network
        # A phase may leave parts of a network out; broadcasting buffers would break two passes before one backward.
        return DistributedDataParallel(network, find_unused_parameters=True, broadcast_buffers=False)

    def largest(self, value: int) -> int:
        """The largest of the processes' values; they wait for each other."""
        if self.ranks == 1:
            return value
        values = torch.tensor(value, device=self.device)
        dist.all_reduce(values, dist.ReduceOp.MAX)
        return int(values)

    def close(self) -> None:
        """End working together."""
        if self.ranks > 1:
            dist.destroy_process_group()
