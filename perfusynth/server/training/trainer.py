"""The process of a training run: the same training as `perfusynth train`, told by files how far it is.

Started as ``python -m perfusynth.server.training.trainer FOLDER``. SIGTERM, and the end of its standard input (the
server is gone), stop it at its next step with a checkpoint.
"""

import json
import math
import os
import secrets
import signal
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from perfusynth.errors import Cancelled, InputError
from perfusynth.server.folder_lock import try_lock
from perfusynth.server.jobs.errors import incident_fields
from perfusynth.server.places import places_of
from perfusynth.server.training.parameters import TrainingParameters
from perfusynth.server.training.run_files import Order, Progress, RunFolder

if TYPE_CHECKING:
    from perfusynth.training.config import TrainingConfig

#: Progress is written at most this often, s: people look at it, programs poll it.
_TELL_EVERY_S = 1.0
#: The process's niceness, where it is not nicer already: inference on the same cores comes first.
_NICENESS = 10


class Trainer:
    """One run from its order to its outcome.

    Parameters
    ----------
    run
        Its folder.
    """

    def __init__(self, run: RunFolder):
        self._run = run
        self._told = float("-inf")
        self._server_gone = False

    def work(self) -> None:
        """Train and write the outcome; whatever happens, there is one."""
        threading.Thread(target=self._watch_server, daemon=True).start()
        try:
            candidate = self._train(self._run.order)
            self._run.end("paused" if candidate is None else "done", candidate=candidate)
        except Cancelled:
            self._run.end("interrupted" if self._server_gone else "stopped")
        except InputError as error:
            self._run.end("failed", error=error.as_dict())
        except Exception as error:
            incident = secrets.token_hex(6)
            # Places only: messages of foreign exceptions quote names of cases.
            (self._run.path / f"incident-{incident}.txt").write_text(f"{_where(error)}\n", encoding="utf-8")
            self._run.end("failed", error=incident_fields(incident))

    def _train(self, order: Order) -> str | None:
        """Name of the candidate; None where the minutes are over and the run is not."""
        if self._run.progress is None:
            self._run.tell(Progress(phase="loading"))
        from perfusynth.generators.bundles import read_bundle
        from perfusynth.generators.candidates import keep_candidate
        from perfusynth.training.engine import train
        from perfusynth.training.export import export_bundle
        from perfusynth.training.phase_run import Told

        config = config_of(order, self._run)

        def on_step(told: Told) -> None:
            figures = {name: round(value, 5) for name, value in told.figures.items() if math.isfinite(value)}
            self._tell(
                Progress(phase=told.phase, step=told.step, of=told.of, time_left_s=told.seconds_left, figures=figures)
            )

        def on_progress(stage: str, fraction: float) -> None:
            self._tell(Progress(phase="reading cases", step=round(100 * fraction), of=100))

        ended = train(config, on_step, on_progress)
        if not ended.finished:
            return None
        told = self._run.progress or Progress(phase="")
        self._run.tell(told.model_copy(update={"phase": "export", "time_left_s": None}))
        candidate = keep_candidate(lambda folder: export_bundle(ended.folder, folder), read_bundle(order.bundle).name)
        self._run.tidy()
        return candidate.name

    def _tell(self, progress: Progress) -> None:
        now = time.monotonic()
        if now - self._told >= _TELL_EVERY_S or progress.step >= progress.of:
            self._told = now
            self._run.tell(progress)

    def _watch_server(self) -> None:
        sys.stdin.buffer.read()
        self._server_gone = True
        os.kill(os.getpid(), signal.SIGTERM)


def config_of(order: Order, run: RunFolder) -> "TrainingConfig":
    """An order as the configuration of a training run; paths are the server's own.

    Raises
    ------
    InputError
        Codes ``bad_train_json`` and ``bad_settings``: the bundle does not say how it is trained.
    """
    from perfusynth.training.bundle_settings import settings_of
    from perfusynth.training.config import config_from

    asked = order.parameters
    values = settings_of(order.bundle) | {
        "bundle": order.bundle,
        "out": run.work,
        "device": order.device,
        "seed": asked.seed,
        "minutes": asked.minutes,
        "start_from": order.bundle if asked.start_from == "live" else None,
        "data": order.studies if asked.data == "studies" else None,
        "split_file": None,
        "phantom_seeds": asked.seeds if asked.data == "phantom" else None,
        "drawn": run.drawn if asked.data == "phantom" else None,
    }
    task = config_from(values).task.model_dump(mode="json")
    return config_from(values | {"task": shared_out(task, asked)})


def shared_out(task: Mapping[str, Any], asked: TrainingParameters) -> dict[str, Any]:
    """A family's settings with the steps asked for shared out to its phases, and their learning rates changed.

    Every phase that the bundle has keeps at least one step.
    """
    phases = {name: value for name, value in task.items() if isinstance(value, dict) and value.get("steps")}
    total = sum(phase["steps"] for phase in phases.values())
    changed = {}
    for name, phase in phases.items():
        steps = phase["steps"] if asked.steps is None else max(1, round(asked.steps * phase["steps"] / total))
        changed[name] = phase | {
            "steps": steps,
            "learning_rate": phase["learning_rate"] * asked.learning_rate_factor,
        }
    return {**task, **changed}


def claim(folder: Path) -> IO[bytes] | None:
    """The right to train in this installation, for as long as the file is open; None where another run has it."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return try_lock(folder / "lock")


def _where(error: BaseException) -> str:
    return json.dumps({"error": type(error).__name__, "at": places_of(error)})


def _taken() -> InputError:
    return InputError(
        "Another run trains in this installation.",
        expected="one run at a time",
        got="a second one",
        hint="Wait for the other one, or stop it.",
        code="training_runs",
    )


def main() -> None:
    """Entry point."""
    os.nice(max(0, _NICENESS - os.nice(0)))
    run = RunFolder(Path(sys.argv[1]))
    lock = claim(run.path.parent)
    if lock is None:
        run.end("failed", error=_taken().as_dict())
        return
    Trainer(run).work()


if __name__ == "__main__":
    main()
