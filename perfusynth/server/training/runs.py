"""The server's end of training runs: start, watch, stop, and what became of those of earlier servers."""

import asyncio
import contextlib
import logging
import os
import secrets
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from perfusynth.errors import InputError
from perfusynth.generators.registry import live_bundle
from perfusynth.server.problems import Problem
from perfusynth.server.settings import Settings
from perfusynth.server.training.description import describe
from perfusynth.server.training.parameters import TrainingParameters
from perfusynth.server.training.run_files import EndState, Order, RunFolder, all_runs, now, training_folder
from perfusynth.server.training.trainer import claim

logger = logging.getLogger(__name__)

#: The program of a run.
TRAINER = "perfusynth.server.training.trainer"
#: States from which a run can go on.
RESUMABLE = ("paused", "stopped", "failed", "interrupted")


class TrainingRuns:
    """Training runs of this installation, at most one at a time; lives in the server's event loop.

    Parameters
    ----------
    settings
        Device, and how long a stopped run may take to write its checkpoint.
    program
        Module that is the run's process.
    """

    def __init__(self, settings: Settings, program: str = TRAINER):
        self._settings = settings
        self._program = program
        self._process: asyncio.subprocess.Process | None = None
        self._last: dict[str, RunFolder] = {}
        self._newest: RunFolder | None = None
        self._stopped = False
        self._watching: asyncio.Task[None] | None = None
        self._closing = False
        self._starting = asyncio.Lock()

    async def recover(self) -> None:
        """Find the runs of earlier servers; those whose process ended without a word can be resumed."""
        await asyncio.to_thread(_mark_interrupted)
        for run in await asyncio.to_thread(lambda: list(all_runs())):
            self._last[run.order.task] = self._newest = run

    @property
    def running(self) -> bool:
        """Whether a run of this server is at work."""
        return self._process is not None

    def all(self) -> list[dict[str, Any]]:
        """Every run, oldest first (reads files)."""
        return [self._describe(run) for run in all_runs()]

    def last(self, task: str | None = None) -> dict[str, Any] | None:
        """The run that was begun or resumed last, of one task or of any; None: there is none (reads files)."""
        run = self._newest if task is None else self._last.get(task)
        return self._describe(run) if run is not None else None

    async def start(self, task: str, parameters: TrainingParameters, user: str, studies: Path) -> dict[str, Any]:
        """Start a run, or resume the last one of the task.

        Raises
        ------
        Problem
            409: one is at work, or there is none to resume.
        InputError
            The live bundle is missing or broken.
        """
        async with self._starting:
            if self.running or not await asyncio.to_thread(_is_free):
                raise _busy()
            make = self._resumed if parameters.resume else self._new
            run = await asyncio.to_thread(make, task, parameters, user, studies)
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",  # the folder that the server was started in is no place to import from
                "-m",
                self._program,
                str(run.path),
                stdin=asyncio.subprocess.PIPE,  # its end tells the run that the server is gone
                stdout=asyncio.subprocess.DEVNULL,  # libraries name files there
                stderr=None if self._settings.worker_stderr else asyncio.subprocess.DEVNULL,
                start_new_session=True,
            )
            self._last[task] = self._newest = run
            self._stopped = False
            self._watching = asyncio.create_task(self._watch(self._process, run))
        logger.info("training %s begins, by %s", run.path.name, user)
        return await asyncio.to_thread(self._describe, run)

    async def stop(self) -> dict[str, Any] | None:
        """Stop the run with a checkpoint and wait for its end; None: there is none at work."""
        if self._watching is None or not self.running:
            return None
        self._stopped = True
        self._signal(signal.SIGTERM)
        await self._end_within(self._settings.training_stop_s)
        return await asyncio.to_thread(self.last)

    async def close(self) -> None:
        """The server stops: the run writes its checkpoint and counts as interrupted."""
        self._closing = True
        if self._process is not None and self._watching is not None:
            assert self._process.stdin is not None
            self._process.stdin.close()
            await self._end_within(self._settings.training_close_s)

    async def _end_within(self, limit_s: float) -> None:
        assert self._watching is not None
        done, _ = await asyncio.wait({self._watching}, timeout=limit_s)
        if not done:
            logger.warning("the training run does not stop; it is killed, its last checkpoint is kept")
            self._signal(signal.SIGKILL)
            await self._watching

    async def _watch(self, process: asyncio.subprocess.Process, run: RunFolder) -> None:
        status = await process.wait()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # processes that prepared its batches
        outcome = await asyncio.to_thread(lambda: run.outcome)
        if outcome is None:  # killed, out of memory, or stopped before it had begun
            state: EndState = "stopped" if self._stopped else "interrupted" if self._closing else "failed"
            await asyncio.to_thread(run.end, state, error=_died(status) if state == "failed" else None)
            outcome = await asyncio.to_thread(lambda: run.outcome)
        self._process = None
        logger.info("training %s %s", run.path.name, outcome.state if outcome else "ended")
        for path in run.path.glob("incident-*.txt"):
            logger.error("%s in training %s: %s", path.stem, run.path.name, path.read_text(encoding="utf-8").strip())

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                target: Callable[[int, int], None] = os.killpg if number == signal.SIGKILL else os.kill
                target(self._process.pid, number)

    def _new(self, task: str, parameters: TrainingParameters, user: str, studies: Path) -> RunFolder:
        earlier = self._last.get(task)
        if earlier is not None:
            earlier.tidy()  # it is not the one that is resumed any more
        started = now()
        run = RunFolder(training_folder() / f"{task}-{started:%Y%m%dT%H%M%S}-{secrets.token_hex(3)}")
        run.give(
            Order(
                id=run.path.name,
                task=task,
                user=user,
                at=started,
                bundle=live_bundle(task).path,
                studies=studies,
                device=self._settings.training_device,
                parameters=parameters,
            )
        )
        return run

    def _resumed(self, task: str, parameters: TrainingParameters, user: str, studies: Path) -> RunFolder:
        run = self._last.get(task)
        outcome = run.outcome if run is not None else None
        if run is None or outcome is None or outcome.state not in RESUMABLE:
            raise Problem(
                409,
                "There is no run to resume.",
                expected=f"a last run of this task that is {', '.join(RESUMABLE)}",
                got=outcome.state if outcome else "none",
                hint="Start a new run.",
                code="nothing_to_resume",
            )
        order = run.order
        asked = order.parameters.model_copy(update={"minutes": parameters.minutes})
        run.give(order.model_copy(update={"parameters": asked, "user": user, "studies": studies}))
        return run

    def _describe(self, run: RunFolder) -> dict[str, Any]:
        return describe(run, running=self.running and run is self._newest)


def _mark_interrupted() -> None:
    if not _is_free():
        return  # a run of another server, or one that is just writing its checkpoint, is at work
    for run in all_runs():
        if run.outcome is None:
            run.end("interrupted")


def _is_free() -> bool:
    lock = claim(training_folder())
    if lock is not None:
        lock.close()
    return lock is not None


def _busy() -> Problem:
    return Problem(
        409,
        "A training run is at work.",
        expected="one run at a time",
        got="a second one",
        hint="GET /train/ tells how far it is; DELETE /train/ stops it and keeps its checkpoint.",
        code="training_runs",
    )


def _died(status: int) -> dict[str, str]:
    return InputError(
        "The training process ended unexpectedly.",
        expected="an outcome",
        got=f"exit status {status}",
        hint="Look whether memory was short; resume the run, which goes on from its last checkpoint.",
        code="training_died",
    ).as_dict()
