"""One phase of a run on MONAI's trainer: its steps, what is logged and measured, and when it stops."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass

from ignite.engine import Engine, Events
from monai.engines import Trainer
from monai.handlers import TensorBoardStatsHandler
from safetensors.torch import save

from perfusynth import atomic
from perfusynth.errors import Cancelled
from perfusynth.training.checkpoints import state_of
from perfusynth.training.config import TrainingConfig
from perfusynth.training.data.augmentation import Augmentation
from perfusynth.training.data.loader import StepBatches, batches_of
from perfusynth.training.data.order import Order
from perfusynth.training.data.patients import Patients
from perfusynth.training.log import Log
from perfusynth.training.processes import Processes
from perfusynth.training.run_state import RunState
from perfusynth.training.steps import step_of
from perfusynth.training.stopping import Stop, Stopping
from perfusynth.training.task import Phase, Tensors
from perfusynth.training.tuning import is_better, tuning_figures

#: Folder of the best weights of each phase, in a run's folder.
BEST_FOLDER = "best"


@dataclass(frozen=True)
class Told:
    """What whoever waits is told after each step.

    Parameters
    ----------
    phase
        Its name.
    step, of
        Steps made over all phases, and how many there are.
    figures
        The newest of each: losses, tuning figures.
    seconds_left
        At the pace of this start in this phase; other phases may have another.
    """

    phase: str
    step: int
    of: int
    figures: dict[str, float]
    seconds_left: float


#: May raise Cancelled; a checkpoint is written first.
OnStep = Callable[[Told], None]


class PhaseRun:
    """The steps of one phase that are left; one process of those that train together.

    Parameters
    ----------
    state
        Stands in this phase; goes on with every step.
    log
        In the first process, None in the others.
    """

    def __init__(
        self,
        config: TrainingConfig,
        state: RunState,
        phase: Phase,
        patients: Patients,
        processes: Processes,
        stopping: Stopping,
        log: Log | None,
        on_step: OnStep,
    ):
        self.config, self.state, self.phase, self.patients = config, state, phase, patients
        self.processes, self.stopping, self.log, self.on_step = processes, stopping, log, on_step
        self.first_step = state.standing.step
        self.latest: dict[str, float] = {}
        self.stop = Stop.NO
        self._figures: dict[str, float] = {}
        self._asked_at = self._waited = 0.0
        self._started = time.monotonic()

    def run(self) -> Stop:
        """Make the steps; returns why they stopped before the last one, or `Stop.NO`."""
        if self._patience_is_over():  # the run was stopped at that very step
            return Stop.PATIENCE
        if self.first_step >= self.phase.steps:
            return Stop.NO
        train_step = step_of(self.config, self.state, self.phase, self.processes)

        def iteration(engine: Engine, batch: Tensors) -> dict[str, float]:
            self._figures = train_step(batch) | {"data_wait_s": self._waited}
            return self._figures

        trainer = Trainer(
            device=self.processes.device,
            max_epochs=1,
            data_loader=self._batches(),
            epoch_length=self.phase.steps - self.first_step,
            iteration_update=iteration,
            handlers=[self._tensorboard(self.log)] if self.log is not None else None,
            decollate=False,
        )
        trainer.add_event_handler(Events.GET_BATCH_STARTED, self._ask)
        trainer.add_event_handler(Events.GET_BATCH_COMPLETED, self._receive)
        trainer.add_event_handler(Events.ITERATION_COMPLETED, self._after_step)
        trainer.run()
        return self.stop

    def _batches(self):
        config, standing, order = self.config, self.state.standing, self.processes
        data = StepBatches(
            self.patients.train,
            self.phase,
            Order(
                len(self.patients.train.names),
                self.phase.heads_per_step,
                seed=config.seed,
                phase=standing.phase,
                rank=order.rank,
                ranks=order.ranks,
            ),
            Augmentation(config.augmentation, self.state.task.spec),
            (config.seed, standing.phase),
        )
        on_gpu = self.processes.device.type == "cuda"
        return batches_of(data, self.first_step, self.phase.steps, config.workers, pinned=on_gpu)

    def _tensorboard(self, log: Log) -> TensorBoardStatsHandler:
        return TensorBoardStatsHandler(
            summary_writer=log.writer,
            epoch_log=False,
            iteration_event_writer=lambda engine, _: log.show(
                "train", self.phase.name, self.state.reached, self._figures
            ),
        )

    def _ask(self) -> None:
        self._asked_at = time.monotonic()

    def _receive(self) -> None:
        self._waited = time.monotonic() - self._asked_at

    def _after_step(self, engine: Engine) -> None:
        step, reason = self.state.standing.step, Stop.NO
        if self.processes.first:
            self._write("train", self._figures)
            if step % self.config.tuning.every == 0 or step == self.phase.steps:
                self._measure()
            reason = self._told()
        reason = max(reason, self.stopping.reason(), Stop.PATIENCE if self._patience_is_over() else Stop.NO)
        self.stop = Stop(self.processes.largest(reason))
        if self.stop != Stop.NO:
            engine.terminate()
        if self.processes.first and (self.stop > Stop.PATIENCE or step % self.config.checkpoint_every == 0):
            self.state.save()

    def _told(self) -> Stop:
        pace = (time.monotonic() - self._started) / max(1, self.state.standing.step - self.first_step)
        left = pace * (self.state.steps - self.state.reached)
        try:
            self.on_step(Told(self.phase.name, self.state.reached, self.state.steps, dict(self.latest), left))
        except Cancelled:
            return Stop.CANCELLED
        return Stop.NO

    def _write(self, kind: str, figures: dict[str, float]) -> None:
        assert self.log is not None  # the first process has one
        self.latest |= figures
        self.log.write(kind, self.phase.name, self.state.reached, figures)

    def _measure(self) -> None:
        """Measure the moving average on tuning patients; keep it where it is the best of this phase."""
        config, state, standing = self.config, self.state, self.state.standing
        tune, device = self.patients.tune, self.processes.device
        figures = tuning_figures(state.task, state.average, tune, config.tuning.heads, device, self.phase.predict)
        self._write("tune", figures)
        assert self.log is not None
        self.log.show("tune", self.phase.name, state.reached, figures)
        value = figures[config.tuning.best_by]
        if not is_better(config.tuning.best_by, value, standing.best):
            standing.not_better += 1
            return
        standing.best, standing.best_step, standing.not_better = value, standing.step, 0
        folder = config.out / BEST_FOLDER
        folder.mkdir(exist_ok=True)
        weights = state_of(state.average, state.names[state.task.exported])
        with atomic.replacing(folder / f"{self.phase.name}.safetensors") as file:
            file.write(save(weights))
        told = {"phase": self.phase.name, "step": standing.step, "best_by": config.tuning.best_by, "figures": figures}
        atomic.write_bytes(folder / f"{self.phase.name}.json", (json.dumps(told, indent=1) + "\n").encode())

    def _patience_is_over(self) -> bool:
        patience = self.config.tuning.patience
        return patience is not None and self.state.standing.not_better >= patience
