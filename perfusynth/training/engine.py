"""The training loop that families share: batches in, a trained moving average out; stops and goes on at any step."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import torch

from perfusynth import atomic
from perfusynth.errors import Cancelled
from perfusynth.generators.bundles import GeneratorSpec, read_bundle
from perfusynth.progress import OnProgress, ignore_progress
from perfusynth.training.config import TrainingConfig
from perfusynth.training.data.patients import Patients, patients_of
from perfusynth.training.families import task_of
from perfusynth.training.log import Log
from perfusynth.training.phase_run import OnStep, PhaseRun
from perfusynth.training.processes import Processes
from perfusynth.training.run_state import RunState
from perfusynth.training.stopping import Stop, Stopping
from perfusynth.training.task import TrainingTask
from perfusynth.training.tuning import check_figure

#: Names in a run's folder.
CONFIG_FILE, CHECKPOINT_FOLDER = "config.json", "checkpoint"
#: Makes a bundle's training task.
MakeTask = Callable[[GeneratorSpec, TrainingConfig], TrainingTask]


@dataclass(frozen=True)
class Ended:
    """How a run ended: its folder, whether all steps were made (else run again to go on), and where it stands."""

    folder: Path
    finished: bool
    step: int
    of: int


def train(
    config: TrainingConfig,
    on_step: OnStep = lambda told: None,
    on_progress: OnProgress = ignore_progress,
    *,
    make_task: MakeTask = lambda spec, config: task_of(spec, config.task),
) -> Ended:
    """Train, or go on training.

    The folder ``config.out`` receives ``config.json``, ``split.json``, ``log.jsonl``, ``tensorboard/``,
    ``checkpoint/`` and ``best/``. A run that is interrupted at any time, even killed, goes on from its last checkpoint
    with the same batches.

    Parameters
    ----------
    on_step
        Told after each step, in the first process; may raise Cancelled.
    on_progress
        Told while case folders are read, before the first step; may raise Cancelled.
    make_task
        Makes the training task; by default that of the bundle's family.

    Raises
    ------
    InputError
        A setting, the bundle, the patients, or the run in ``config.out`` do not fit.
    Cancelled
        A callback asked to stop, or SIGTERM or Ctrl-C came; the checkpoint is written.
    """
    with Stopping(config.minutes) as stopping:
        processes = Processes(config.device)
        try:
            torch.manual_seed(config.seed)
            spec = read_bundle(config.bundle).spec
            check_figure(spec, config.tuning.best_by)
            task = make_task(spec, config)
            state = RunState(task, config.optimiser, config.out / CHECKPOINT_FOLDER, processes.device)
            patients = _prepared(config, spec, processes, on_progress)
            if not state.restore():
                if config.start_from is not None:
                    state.start_from(read_bundle(config.start_from))
                state.begin_phase(0)
            return _to_its_end(config, state, patients, processes, stopping, on_step)
        finally:
            processes.close()


def _prepared(config: TrainingConfig, spec: GeneratorSpec, processes: Processes, on_progress: OnProgress) -> Patients:
    """The patients; the first process reads them and writes them down, the others then find them."""
    patients = None
    if processes.first:
        config.out.mkdir(parents=True, exist_ok=True)
        patients = patients_of(config, spec, on_progress)
        atomic.write_bytes(config.out / CONFIG_FILE, (config.model_dump_json(indent=2) + "\n").encode())
    processes.largest(0)  # all wait for the first
    return patients or patients_of(config, spec, ignore_progress)


def _to_its_end(
    config: TrainingConfig,
    state: RunState,
    patients: Patients,
    processes: Processes,
    stopping: Stopping,
    on_step: OnStep,
) -> Ended:
    stop = Stop.NO
    with ExitStack() as stack:
        log = stack.enter_context(Log(config.out, state.reached)) if processes.first else None
        while (phase := state.phase) is not None:
            number = state.standing.phase
            stop = PhaseRun(config, state, phase, patients, processes, stopping, log, on_step).run()
            if stop > Stop.PATIENCE:
                break
            state.begin_phase(number + 1)
            if processes.first:
                state.save()
    if stop in (Stop.SIGNAL, Stop.CANCELLED):
        raise Cancelled(f"Stopped at step {state.reached} of {state.steps}; run again to go on.")
    return Ended(config.out, state.phase is None, state.reached, state.steps)
