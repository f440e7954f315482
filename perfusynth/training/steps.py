"""One training step: every update of the phase on one batch."""

import math
from collections.abc import Callable

import torch

from perfusynth.errors import PerfusynthError
from perfusynth.training.config import OptimiserSettings, TrainingConfig
from perfusynth.training.processes import Processes
from perfusynth.training.run_state import RunState
from perfusynth.training.task import Phase, Tensors, Update

#: Keeps the random numbers of one step apart from another's, and one process's from another's.
STEPS_MAX, RANKS_MAX = 1 << 32, 1 << 12


def learning_rate(peak: float, settings: OptimiserSettings, step: int, steps: int) -> float:
    """Linear warm-up, then half a cosine down to a share of the peak; ``step`` from 1."""
    if step <= settings.warmup_steps:
        return peak * step / settings.warmup_steps
    done = (step - settings.warmup_steps) / max(1, steps - settings.warmup_steps)
    return peak * (settings.last_share + (1 - settings.last_share) * (1 + math.cos(math.pi * done)) / 2)


def step_of(config: TrainingConfig, state: RunState, phase: Phase, processes: Processes) -> Callable[[Tensors], dict]:
    """The function that makes one step on a batch and tells its losses, gradient norms and learning rate."""
    moved = tuple(name for name in state.task.networks if any(name in update.networks for update in phase.updates))
    state.let_move(moved)
    wrapped = {name: processes.wrapped(state.task.networks[name]) for name in moved}

    def step(batch: Tensors) -> dict[str, float]:
        made = state.standing.step
        # All that losses and networks draw depends on the step alone, so that a run can go on.
        number = (config.seed * len(state.task.phases) + state.standing.phase) * STEPS_MAX + made
        torch.manual_seed((number * RANKS_MAX + processes.rank) % (1 << 63))
        for network in state.task.networks.values():
            network.eval()
        for name in moved:
            state.task.networks[name].train()
        batch = {name: tensor.to(state.device, non_blocking=True) for name, tensor in batch.items()}
        rate = learning_rate(phase.learning_rate, config.optimiser, made + 1, phase.steps)
        told = {"learning_rate": rate}
        for update, optimiser in zip(phase.updates, state.optimisers, strict=True):
            prefix = f"{'+'.join(update.networks)}_" if len(phase.updates) > 1 else ""
            figures = _update(config, state, update, optimiser, rate, wrapped, batch)
            told |= {f"{prefix}{name}": value for name, value in figures.items()}
        state.update_average()
        state.standing.step += 1
        return told

    return step


def _update(
    config: TrainingConfig,
    state: RunState,
    update: Update,
    optimiser: torch.optim.Optimizer,
    rate: float,
    wrapped: dict[str, torch.nn.Module],
    batch: Tensors,
) -> dict[str, float]:
    weights = state.weights_of(update.networks)
    state.let_move(update.networks)
    for group in optimiser.param_groups:
        group["lr"] = rate
    called = dict(state.task.networks) | {name: wrapped[name] for name in update.networks}
    with torch.autocast(state.device.type, torch.bfloat16, enabled=config.precision == "bfloat16"):
        losses = update.losses(called, batch)
    told = {name: float(value.detach()) for name, value in losses.items()}
    if not math.isfinite(told["loss"]):
        raise PerfusynthError(
            f"The loss of {' and '.join(update.networks)} is {told['loss']}: training cannot go on. "
            "Run again with a smaller learning rate; the last checkpoint is kept."
        )
    optimiser.zero_grad(set_to_none=True)
    losses["loss"].backward()
    norm = torch.nn.utils.clip_grad_norm_(weights, config.optimiser.gradient_clip)
    optimiser.step()
    return told | {"gradient_norm": float(norm)}
