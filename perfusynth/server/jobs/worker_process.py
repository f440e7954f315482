"""The server's end of one worker process: start, run a job, cancel, kill."""

import asyncio
import contextlib
import json
import logging
import os
import secrets
import shutil
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from perfusynth.server.jobs.job import Job
from perfusynth.server.jobs.protocol import WorkerSpec, encode, encode_spec

logger = logging.getLogger(__name__)

#: Longest line of the protocol, bytes; an error with its trace takes a few kB.
_LINE_LIMIT = 1 << 20


@dataclass(frozen=True)
class Outcome:
    """How a job ended in its worker; ``died`` is the worker's own end."""

    kind: Literal["done", "failed", "cancelled", "died"]
    error: dict[str, Any] | None = None
    trace: str | None = None


class WorkerLoadError(Exception):
    """The worker could not load its pipelines; ``error`` is what may be told to users, if anything."""

    def __init__(self, error: dict[str, Any] | None, trace: str | None):
        super().__init__(trace or "load failed")
        self.error = error
        self.trace = trace


class WorkerProcess:
    """A running worker: a fresh interpreter, so that nothing of the server's state is copied into it.

    Parameters
    ----------
    spec
        What it loads.
    temp
        Where its folder for temporary files is made; that folder goes when the worker ends, however it ends: a killed
        worker has no chance to remove the slices that it unpacked.
    show_stderr
        Whether what libraries print there goes to the server's own standard error.
    """

    def __init__(self, spec: WorkerSpec, temp: Path, *, show_stderr: bool = False):
        self._show_stderr = show_stderr
        self.spec = spec
        self._temp = temp / f"worker-{secrets.token_hex(8)}"
        self._process: asyncio.subprocess.Process | None = None
        self._events: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        self._reader: asyncio.Task[None] | None = None
        self.exited = asyncio.Event()

    @property
    def pid(self) -> int | None:
        """Process id, once started."""
        return self._process.pid if self._process else None

    async def start(self, timeout_s: float) -> None:
        """Start it and wait until its pipelines are warm.

        Raises
        ------
        WorkerLoadError
            It cannot load them, died, or took longer than ``timeout_s``.
        """
        try:
            await self._launch()
        except OSError as error:  # no memory, process or file descriptor left: it may get better
            await self.kill()
            raise WorkerLoadError(None, f"cannot be started ({type(error).__name__}, errno {error.errno})") from None
        assert self._process is not None
        self._reader = asyncio.create_task(self._read())
        self._write(encode_spec(self.spec))
        try:
            event = await asyncio.wait_for(self._events.get(), timeout_s)
        except TimeoutError:
            await self.kill()
            raise WorkerLoadError(None, f"not ready after {timeout_s:g} s") from None
        if event is None:
            await self.kill()
            raise WorkerLoadError(None, f"died while loading, exit status {self._process.returncode}")
        if event["event"] != "ready":
            await self.kill()
            raise WorkerLoadError(event.get("error"), event.get("trace"))

    async def _launch(self) -> None:
        self._temp.mkdir(mode=0o700)
        environment = os.environ | {"TMPDIR": str(self._temp), "PYTHONUNBUFFERED": "1"}
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",  # the folder that the server was started in is no place to import from
            "-m",
            "perfusynth.server.jobs.worker",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            # Libraries name files there; faults come as events, without names.
            stderr=None if self._show_stderr else asyncio.subprocess.DEVNULL,
            env=environment,
            limit=_LINE_LIMIT,
            start_new_session=True,  # Ctrl-C in a terminal is the server's to handle; what it starts ends with it
        )

    async def run(self, job: Job, on_progress: Callable[[str, float], None]) -> Outcome:
        """Run one job to its end, or to the worker's."""
        self._write(
            encode(
                {
                    "run": job.id,
                    "task": job.task,
                    "inputs": {name: str(path) for name, path in job.inputs.items()},
                    "out": str(job.output),
                    "result": str(job.result),
                    "measurements": str(job.measurements),
                    "options": dict(job.options),
                }
            )
        )
        while (event := await self._events.get()) is not None:
            if event.get("id") != job.id:
                continue
            if event["event"] == "progress":
                on_progress(event["stage"], event["fraction"])
            else:
                return Outcome(event["event"], event.get("error"), event.get("trace"))
        return Outcome("died", trace=f"exit status {self._process.returncode if self._process else None}")

    def cancel(self, job_id: str) -> None:
        """Ask it to stop a job at its next progress report."""
        self._write(encode({"cancel": job_id}))

    async def kill(self) -> None:
        """End it and what it started at once, wait until it is gone, and remove its temporary files."""
        if self._process is not None:
            if self._process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self._process.pid, signal.SIGKILL)
            await self._process.wait()
            if self._reader is not None:
                await self._reader
        await asyncio.to_thread(shutil.rmtree, self._temp, ignore_errors=True)

    def _write(self, line: bytes) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        with contextlib.suppress(ConnectionError, RuntimeError):  # its death is seen by the reader
            self._process.stdin.write(line)

    async def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        try:
            while line := await self._process.stdout.readline():
                self._events.put_nowait(json.loads(line))
        except (ValueError, OSError) as error:
            logger.error("worker sent an unreadable line (%s)", type(error).__name__)
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
        await self._process.wait()
        self.exited.set()
        self._events.put_nowait(None)
