"""One device's place in the queue: keeps a worker alive there and feeds it."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from perfusynth.server.jobs import errors
from perfusynth.server.jobs.job import Job
from perfusynth.server.jobs.protocol import WorkerSpec
from perfusynth.server.jobs.worker_process import Outcome, WorkerLoadError, WorkerProcess
from perfusynth.server.settings import Settings

if TYPE_CHECKING:
    from perfusynth.server.jobs.queue import JobQueue

logger = logging.getLogger(__name__)

#: Waiting times between attempts to load, s: a full GPU or a slow disk gets better, a missing file does not.
_BACKOFF_S = (1.0, 5.0, 30.0)
#: After so many failures in a row the slot counts as failed; it still goes on trying.
_GIVE_UP_AFTER = 2


class WorkerSlot:
    """Starts a worker, gives it job after job, and replaces it when it dies.

    Parameters
    ----------
    queue
        Where jobs come from.
    spec, settings, temp
        Of its workers.
    """

    def __init__(self, queue: "JobQueue", spec: WorkerSpec, settings: Settings, temp: Path):
        self._queue = queue
        self._spec = spec
        self._settings = settings
        self._temp = temp
        self._worker: WorkerProcess | None = None
        self._successor: WorkerProcess | None = None
        self._succeeded = asyncio.Event()
        self.state: Literal["warming", "ready", "failed"] = "warming"
        self.load_error: dict[str, Any] | None = None
        self.job: Job | None = None

    @property
    def pid(self) -> int | None:
        """Process id of the present worker."""
        return self._worker.pid if self._worker else None

    async def work(self) -> None:
        """Run for ever."""
        while True:
            worker = self._worker = await self._warm_worker()
            self.state, self.load_error = "ready", None
            logger.info("worker on %s is ready", self._spec.device)
            await self._feed(worker)
            await worker.kill()
            if self._successor is None:
                self.state = "warming"
                logger.warning("worker on %s ended; a new one starts", self._spec.device)

    async def renew(self, tasks: tuple[str, ...], models: Mapping[str, str]) -> bool:
        """Have a worker with these models take over between two jobs; the present one works until it is warm.

        Returns
        -------
        Whether they are taken; False when they cannot be loaded: the present models stay.
        """
        spec = replace(self._spec, tasks=tasks, models=dict(models))
        if spec == self._spec:
            return True
        if self.state == "ready":
            worker = self._new_worker(spec)
            try:
                await worker.start(self._settings.load_timeout_s)
            except WorkerLoadError as error:
                logger.error("new models cannot be loaded on %s: %s", spec.device, error.error or error.trace)
                return False
            except asyncio.CancelledError:
                await worker.kill()
                raise
            self._successor = worker
            self._succeeded.set()
        self._spec = spec
        return True

    async def stop(self) -> None:
        """Kill the present worker, and one that was about to take over."""
        for worker in (self._worker, self._successor):
            if worker is not None:
                await worker.kill()

    async def cancel(self, job: Job) -> None:
        """Ask for the end of ``job``; kill the worker when it goes on regardless."""
        worker = self._worker
        if worker is None:
            return
        worker.cancel(job.id)
        try:
            await asyncio.wait_for(job.released.wait(), self._settings.cancel_grace_s)
        except TimeoutError:
            if self.job is job:
                logger.warning("job %s does not stop; its worker is killed", job.id)
                await worker.kill()

    def _new_worker(self, spec: WorkerSpec) -> WorkerProcess:
        return WorkerProcess(spec, self._temp, show_stderr=self._settings.worker_stderr)

    async def _warm_worker(self) -> WorkerProcess:
        """The successor, or a fresh worker with the slot's models, however many attempts it takes."""
        failures = 0
        while self._successor is None:
            worker = self._worker = self._new_worker(self._spec)
            try:
                await worker.start(self._settings.load_timeout_s)
            except WorkerLoadError as error:
                failures += 1
                logger.error("worker on %s cannot load: %s", self._spec.device, error.error or error.trace)
                if failures >= _GIVE_UP_AFTER:
                    self.state, self.load_error = "failed", error.error
                    await self._queue.fail_waiting(error.error or errors.no_worker_fields())
                await asyncio.sleep(_BACKOFF_S[min(failures, len(_BACKOFF_S)) - 1])
                continue
            if worker.spec == self._spec:
                return worker
            await worker.kill()  # other models went live while it loaded
        self._succeeded.clear()
        worker, self._successor = self._successor, None
        return worker

    async def _feed(self, worker: WorkerProcess) -> None:
        """Give it jobs until it ends, or another is ready to take its place."""
        ended = asyncio.create_task(worker.exited.wait())
        succeeded = asyncio.create_task(self._succeeded.wait())
        try:
            while not (worker.exited.is_set() or self._succeeded.is_set()):
                waiting = asyncio.create_task(self._queue.next_job())
                try:
                    await asyncio.wait({waiting, ended, succeeded}, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    if not waiting.done():
                        waiting.cancel()
                        await asyncio.gather(waiting, return_exceptions=True)
                if waiting.cancelled():
                    return
                job = waiting.result()
                if worker.exited.is_set():  # it died idle: none of the job's attempts
                    job.attempts -= 1
                    await self._queue.put_back(job)
                    return
                await self._run(worker, job)
        finally:
            ended.cancel()
            succeeded.cancel()

    async def _run(self, worker: WorkerProcess, job: Job) -> None:
        if not job.active:  # cancelled between the queue and here
            await self._queue.release(job)
            return
        self.job = job

        def on_progress(stage: str, fraction: float) -> None:
            if job.active:
                job.stage, job.fraction = stage, min(max(fraction, job.fraction), 1.0)

        try:
            try:
                outcome = await asyncio.wait_for(worker.run(job, on_progress), self._settings.job_timeout_s)
            except TimeoutError:
                job.end("failed", errors.timeout_fields(self._settings.job_timeout_s))
                await worker.kill()
                outcome = Outcome("died")
        finally:
            self.job = None
        await self._conclude(job, outcome)

    async def _conclude(self, job: Job, outcome: Outcome) -> None:
        if job.active and outcome.kind == "died":
            logger.warning("worker died under job %s (%s)", job.id, outcome.trace)
            if job.attempts < self._settings.attempts:
                await self._queue.put_back(job)
                return
            job.end("failed", errors.worker_died_fields(job.attempts))
        elif job.active and outcome.kind == "failed":
            job.end("failed", outcome.error or self._queue.incident(job, outcome.trace))
        elif job.active:
            job.end("done" if outcome.kind == "done" else "cancelled")
        await self._queue.release(job)
