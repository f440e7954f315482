"""Checkpoints: weights as safetensors, the optimiser beside them, replaced as a whole or not at all."""

import os
import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn


def save_checkpoint(
    folder: Path, *, step: int, network: nn.Module, ema: nn.Module, optimiser: torch.optim.Optimizer
) -> None:
    """Write ``folder`` anew; an older checkpoint is there until the new one is complete."""
    fresh = folder.with_name(folder.name + ".part")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    save_file(_plain(network), fresh / "network.safetensors")
    save_file(_plain(ema), fresh / "ema.safetensors")
    torch.save({"step": step, "optimiser": optimiser.state_dict()}, fresh / "optimiser.pt")
    old = folder.with_name(folder.name + ".old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        os.replace(folder, old)
    os.replace(fresh, folder)
    shutil.rmtree(old, ignore_errors=True)


def load_checkpoint(folder: Path, *, network: nn.Module, ema: nn.Module, optimiser: torch.optim.Optimizer) -> int:
    """Restore what `save_checkpoint` wrote (also one whose replacement was interrupted); 0 when there is none."""
    if not folder.exists():
        folder = folder.with_name(folder.name + ".old")
    if not folder.exists():
        return 0
    network.load_state_dict(load_file(folder / "network.safetensors"))
    ema.load_state_dict(load_file(folder / "ema.safetensors"))
    state = torch.load(folder / "optimiser.pt", weights_only=True)
    optimiser.load_state_dict(state["optimiser"])
    return int(state["step"])


def _plain(network: nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
