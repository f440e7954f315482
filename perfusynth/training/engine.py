"""The training loop that families share: batches in, a trained moving average out; resumes where it stopped."""

import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from ignite.engine import Engine, Events
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DataLoader

from perfusynth import atomic
from perfusynth.errors import InputError
from perfusynth.generators.bundles import GeneratorSpec, read_bundle
from perfusynth.generators.devices import choose_device
from perfusynth.generators.turbo.network import TurboNetwork
from perfusynth.phantom.render import render_on_model_grid
from perfusynth.training.checkpoints import load_checkpoint, save_checkpoint
from perfusynth.training.config import TrainingConfig
from perfusynth.training.phantom_data import DEFICIT_TMAX_S, PhantomSlabs
from perfusynth.training.turbo_task import TurboTask

#: Told the step, the number of steps and the newest figures.
OnStep = Callable[[int, int, dict[str, float]], None]


def train(config: TrainingConfig, on_step: OnStep = lambda step, steps, figures: None) -> Path:
    """Train, or go on training, and return the checkpoint folder.

    The folder ``config.out`` receives ``config.json``, ``log.jsonl`` (one line a logged step) and ``checkpoint/``.
    A run that is interrupted at any time goes on from its last checkpoint with the same batches.
    """
    device = choose_device(config.device)
    torch.manual_seed(config.seed)
    spec = read_bundle(config.bundle).spec
    task = TurboTask(spec, deficit_weight=config.deficit_weight, square_weight=config.square_weight)
    network = task.network.to(device)
    ema = AveragedModel(
        network, avg_fn=lambda mean, new, count: moving_average(mean, new, int(count), config.ema_decay)
    )
    optimiser = torch.optim.AdamW(network.parameters(), config.learning_rate, weight_decay=config.weight_decay)

    config.out.mkdir(parents=True, exist_ok=True)
    checkpoint = config.out / "checkpoint"
    first = load_checkpoint(checkpoint, network=network, ema=ema, optimiser=optimiser)
    if first:
        _check_same_patients(config)
    atomic.write_bytes(config.out / "config.json", config.model_dump_json(indent=2).encode())
    if first >= config.steps:
        return checkpoint

    def step(engine: Engine, batch: dict[str, torch.Tensor]) -> dict[str, float]:
        network.train()
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(config, first + engine.state.iteration)
        batch = {name: tensor.to(device, non_blocking=True) for name, tensor in batch.items()}
        with torch.autocast(device.type, torch.bfloat16, enabled=config.bf16):
            losses = task.loss(network, batch)
        optimiser.zero_grad(set_to_none=True)
        losses["loss"].backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), config.gradient_clip)
        optimiser.step()
        ema.update_parameters(network)
        return {name: float(value.detach()) for name, value in losses.items()}

    trainer = Engine(step)
    log = Log(config.out / "log.jsonl")

    @trainer.on(Events.ITERATION_COMPLETED)
    def tell(engine: Engine) -> None:
        now = first + engine.state.iteration
        log.add(now, engine.state.output)  # type: ignore[arg-type]  # what `step` returned
        if now % config.tune_every == 0 or now == config.steps:
            log.write(now, tune_figures(task, cast(TurboNetwork, ema.module), config.tune_seeds, device), kind="tune")
        if now % config.checkpoint_every == 0 or now == config.steps:
            save_checkpoint(checkpoint, step=now, network=network, ema=ema, optimiser=optimiser)
        on_step(now, config.steps, log.latest)

    data = PhantomSlabs(
        spec,
        config.train_seeds,
        batch_slabs=config.batch_slabs,
        patient_pool=config.patient_pool,
        steps_per_patient=config.steps_per_patient,
        early_boost=config.early_boost,
        early_boost_patients=config.early_boost_patients,
        crop=config.crop,
        crop_jitter=config.crop_jitter,
        seed=config.seed,
        first_step=first,
    )
    # One worker keeps batches in order; more interleave them in a fixed order too (DataLoader round robin).
    loader = DataLoader(
        data, batch_size=None, num_workers=config.workers, prefetch_factor=4 if config.workers else None
    )
    trainer.run(loader, max_epochs=1, epoch_length=config.steps - first)
    return checkpoint


def _check_same_patients(config: TrainingConfig) -> None:
    """Refuse to go on with other patients: the exported bundle would hide those that the run has seen."""
    path = config.out / "config.json"
    if not path.exists():
        return
    before = json.loads(path.read_text(encoding="utf-8"))
    for name in ("train_seeds", "tune_seeds"):
        seeds = list(getattr(config, name))
        if before.get(name) != seeds:
            raise InputError(
                "This run was begun with other patients.",
                expected=f"{name} {before.get(name)}",
                got=f"{name} {seeds}",
                hint="Begin a new run in another folder.",
                code="other_run",
            )


def moving_average(mean: torch.Tensor, new: torch.Tensor, count: int, decay: float) -> torch.Tensor:
    """Exponential moving average whose memory grows with the run, so that the random start is soon forgotten."""
    return torch.lerp(new, mean, min(decay, (1 + count) / (10 + count)))


def learning_rate(config: TrainingConfig, step: int) -> float:
    """Linear warm-up, then a half cosine down to 2 % of the peak."""
    if step <= config.warmup_steps:
        return config.learning_rate * step / max(1, config.warmup_steps)
    done = (step - config.warmup_steps) / max(1, config.steps - config.warmup_steps)
    return config.learning_rate * (0.02 + 0.98 * (1 + math.cos(math.pi * done)) / 2)


def tune_figures(
    task: TurboTask, network: TurboNetwork, seeds: tuple[int, int], device: torch.device
) -> dict[str, float]:
    """Brain-only mean absolute error per map and mean Dice of Tmax > 6 s, on the tuning patients."""
    network.eval()
    spec: GeneratorSpec = task.spec
    errors: dict[str, list[float]] = {output.name: [] for output in spec.outputs}
    dice = []
    for seed in range(*seeds):
        truth = render_on_model_grid(seed).volumes
        brain = truth["brain"] > 0.5
        made = dict(zip(errors, task.predict(network, truth[spec.inputs[0].name], brain, device), strict=True))
        for name, values in made.items():
            errors[name].append(float(np.abs(values - truth[name])[brain].mean()))
        there, here = (truth["tmax"] > DEFICIT_TMAX_S) & brain, (made["tmax"] > DEFICIT_TMAX_S) & brain
        if there.any():
            dice.append(2 * float((there & here).sum()) / float(there.sum() + here.sum()))
    figures = {f"mae_{name}": float(np.mean(values)) for name, values in errors.items()}
    return figures | {"dice_tmax6": float(np.mean(dice)) if dice else float("nan")}


class Log:
    """One JSON line per 20 steps (means) and per tuning; ``latest`` holds the newest figures."""

    EVERY = 20

    def __init__(self, path: Path):
        self.path = path
        self.latest: dict[str, float] = {}
        self._sums: list[dict[str, float]] = []
        self._started = time.monotonic()

    def add(self, step: int, figures: dict[str, float]) -> None:
        """Remember one step's figures; write their means every `EVERY` steps."""
        self._sums.append(figures)
        if step % self.EVERY == 0:
            means = {name: float(np.mean([s[name] for s in self._sums])) for name in figures}
            self._sums.clear()
            self.write(step, means, kind="train")

    def write(self, step: int, figures: dict[str, float], *, kind: str) -> None:
        """Append one line."""
        self.latest |= figures
        line: dict[str, Any] = {"step": step, "kind": kind, "s": round(time.monotonic() - self._started, 1)}
        with self.path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(line | {name: round(value, 5) for name, value in figures.items()}) + "\n")
