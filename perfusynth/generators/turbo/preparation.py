"""A trained network made fast on its device: precision, memory layout, compiled blocks."""

import torch

from perfusynth.generators.execution import Execution, ExecutionSettings, Precision, has_fast_bf16
from perfusynth.generators.turbo.network import TurboNetwork

#: Beyond this factor by which the one step multiplies an error of the UNet, what stands before it is not trusted to
#: bfloat16: at 1 (compact) the brain's Tmax moves by 0.01 s on average, 0.05 s in one voxel of a thousand [d].
LARGEST_GAIN = 2.0


def prepared(network: TurboNetwork, device: torch.device, settings: ExecutionSettings) -> Execution:
    """Bring a network that is on its device to the precision of the settings, and say how it is to be run.

    Parameters
    ----------
    network
        In evaluation mode; it is changed.
    settings
        ``precision`` None stands for `default_precision`.
    """
    precision = settings.precision or default_precision(network, device)
    before = torch.bfloat16 if precision == "bf16" else torch.float32
    behind = torch.bfloat16 if precision in ("mixed", "bf16") else torch.float32
    network.work_in(before, behind)
    if settings.compiled:
        network.compile_blocks()
    return Execution(device, precision, gpu_memory_gib=settings.gpu_memory_gib)


def default_precision(network: TurboNetwork, device: torch.device) -> Precision:
    """The fastest that keeps the bar of docs/performance.md (mean 0.02 s, 99.9th percentile 0.1 s of the brain)."""
    if not has_fast_bf16(device):
        return "fp32"
    return "bf16" if network.config.one_step.gain <= LARGEST_GAIN else "mixed"
