"""Checkpoints: networks as safetensors, optimisers beside them, replaced as a whole or not at all."""

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from perfusynth import atomic
from perfusynth.errors import InputError

#: Name of the moving average among the networks' files.
AVERAGE = "average"
_SUFFIX = ".safetensors"


@dataclass
class Standing:
    """Where a run stands.

    Parameters
    ----------
    phase, step
        Number of the phase (from 0; the number of phases when the run is finished) and steps made in it.
    best, best_step
        Best tuning figure of the phase so far, and the step that it was measured at.
    not_better
        Measurements since then.
    """

    phase: int = 0
    step: int = 0
    best: float | None = None
    best_step: int = 0
    not_better: int = 0


def trained_names(network: nn.Module) -> set[str]:
    """Names of a network's weights that training moves, and of its buffers: what differs from a frozen base."""
    frozen = {name for name, parameter in network.named_parameters() if not parameter.requires_grad}
    return set(network.state_dict()) - frozen


def state_of(network: nn.Module, names: set[str]) -> dict[str, torch.Tensor]:
    """The named weights on the CPU."""
    state = network.state_dict()
    return {name: state[name].detach().cpu().contiguous() for name in sorted(names)}


def restore(network: nn.Module, state: Mapping[str, torch.Tensor], names: set[str]) -> None:
    """Load named weights; the others stay.

    Raises
    ------
    InputError
        Code ``other_network``: these are the weights of another network.
    """
    own = network.state_dict()
    if set(state) != names or any(own[name].shape != tensor.shape for name, tensor in state.items()):
        raise InputError(
            "These weights belong to another network.",
            expected=f"{len(names)} tensors of the network that is trained",
            got=f"{len(state)} tensors, {len(set(state) & names)} of them of the same name",
            hint="Begin a new run, or choose a bundle with the same network.",
            code="other_network",
        )
    network.load_state_dict(dict(state), strict=False)


def save_checkpoint(
    folder: Path,
    standing: Standing,
    networks: Mapping[str, Mapping[str, torch.Tensor]],
    optimisers: list[torch.optim.Optimizer],
) -> None:
    """Write ``folder`` anew; an older checkpoint is there until the new one is complete.

    ``networks`` holds the weights of each network by name, and of the `AVERAGE`.
    """
    fresh = folder.with_name(folder.name + ".part")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    for name, state in networks.items():
        save_file(dict(state), fresh / f"{name}{_SUFFIX}")
    torch.save([optimiser.state_dict() for optimiser in optimisers], fresh / "optimisers.pt")
    atomic.write_bytes(fresh / "standing.json", (json.dumps(asdict(standing), indent=1) + "\n").encode())
    old = folder.with_name(folder.name + ".old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        os.replace(folder, old)
    os.replace(fresh, folder)
    shutil.rmtree(old, ignore_errors=True)


def complete_folder(folder: Path) -> Path | None:
    """Where the newest complete checkpoint lies (also one whose replacement was interrupted), None without one."""
    return next((path for path in (folder, folder.with_name(folder.name + ".old")) if path.exists()), None)


def read_standing(folder: Path) -> Standing:
    """Where the run of a checkpoint stands."""
    return Standing(**json.loads((folder / "standing.json").read_text(encoding="utf-8")))


def read_network(folder: Path, name: str) -> dict[str, torch.Tensor]:
    """The weights of one network of a checkpoint."""
    return load_file(folder / f"{name}{_SUFFIX}")


def read_optimisers(folder: Path, optimisers: list[torch.optim.Optimizer]) -> None:
    """Restore the optimisers of the phase that the checkpoint stands in."""
    states = torch.load(folder / "optimisers.pt", weights_only=True, map_location="cpu")
    for optimiser, state in zip(optimisers, states, strict=True):
        optimiser.load_state_dict(state)
