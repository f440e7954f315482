"""The queue of jobs: takes, hands to workers, cancels, expires."""

import asyncio
import contextlib
import logging
import secrets
import shutil
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from perfusynth.server.jobs import errors
from perfusynth.server.jobs.ids import JobIds
from perfusynth.server.jobs.job import Job
from perfusynth.server.jobs.protocol import WorkerSpec
from perfusynth.server.jobs.slot import WorkerSlot
from perfusynth.server.settings import Settings

logger = logging.getLogger(__name__)


class JobQueue:
    """All jobs of one server run; lives in its event loop, only files are touched in threads.

    Parameters
    ----------
    settings
        Limits and times.
    spec
        What each worker loads; its device is replaced by each of ``settings.devices``.
    ids
        Maker of ids.
    folder
        Where jobs have their folders.
    temp
        Temporary files of the workers.
    """

    def __init__(self, settings: Settings, spec: WorkerSpec, ids: JobIds, folder: Path, temp: Path):
        self._settings = settings
        self._ids = ids
        self._folder = folder
        self._jobs: dict[str, Job] = {}
        self._waiting: deque[Job] = deque()
        self._changed = asyncio.Condition()
        self._slots = [WorkerSlot(self, replace(spec, device=device), settings, temp) for device in settings.devices]
        self._tasks: set[asyncio.Task[None]] = set()

    # --- life of the queue

    def start(self) -> None:
        """Start the workers; returns at once, jobs wait until one is warm."""
        for work in (*(slot.work() for slot in self._slots), self._expire()):
            self._keep(asyncio.create_task(work))

    async def stop(self) -> None:
        """Kill the workers; jobs that had not ended are cancelled."""
        for job in self._jobs.values():
            job.end("cancelled")
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(slot.stop() for slot in self._slots))

    async def renew(self, tasks: tuple[str, ...], models: Mapping[str, str]) -> bool:
        """Have workers with these models (bundle by task) take over, each between two of its jobs.

        Returns
        -------
        Whether all could load them; a device that cannot keeps what it has.
        """
        return all(await asyncio.gather(*(slot.renew(tasks, models) for slot in self._slots)))

    def worker_states(self) -> list[str]:
        """``warming``, ``ready`` or ``failed``, one a device."""
        return [slot.state for slot in self._slots]

    # --- requests

    def check_room(self, user: str) -> None:
        """Refuse before an upload is read what `submit` would refuse after it.

        Raises
        ------
        Problem
            The queue is full, the user has too many jobs, or no worker can load the models.
        """
        retry = self._settings.retry_after_s
        if all(slot.state == "failed" for slot in self._slots):
            raise errors.no_worker(self._slots[0].load_error, retry)
        if len(self._waiting) >= self._settings.max_queue:
            raise errors.queue_full(self._settings.max_queue, retry)
        if sum(job.active for job in self._of(user)) >= self._settings.max_jobs_per_user:
            raise errors.user_limit(self._settings.max_jobs_per_user, retry)

    def new_folder(self, user: str) -> tuple[str, Path]:
        """A fresh id and its folder (with ``in`` for the uploads)."""
        job_id = self._ids.new(user)
        folder = self._folder / job_id
        (folder / "in").mkdir(parents=True, mode=0o700)
        return job_id, folder

    async def submit(
        self, job_id: str, user: str, task: str, inputs: Mapping[str, Path], options: Mapping[str, Any]
    ) -> Job:
        """Queue a job whose folder `new_folder` made.

        Raises
        ------
        Problem
            As `check_room`.
        """
        self.check_room(user)
        job = Job(job_id, user, task, inputs, options, self._folder / job_id)
        self._jobs[job.id] = job
        self._waiting.append(job)
        for old in self._ended_of(user)[: -self._settings.max_results_per_user]:
            await self.forget(old)
        await self.notify()
        return job

    def get(self, job_id: str, user: str) -> Job:
        """A job of this user.

        Raises
        ------
        Problem
            404: never this user's; 410: once, but no more.
        """
        job = self._jobs.get(job_id)
        if job is not None and job.user == user:
            return job
        raise errors.gone() if self._ids.was_issued(job_id, user) else errors.not_found()

    def describe(self, job: Job) -> dict[str, Any]:
        """What its owner is told."""
        place = self._waiting.index(job) + 1 if job.state == "queued" and job in self._waiting else 0
        return job.describe(place, self._settings.result_ttl_s)

    async def cancel(self, job: Job) -> None:
        """Cancel a waiting or running job; remove an ended one with its result."""
        if not job.active:
            await self.forget(job)
            return
        waiting = job in self._waiting
        job.end("cancelled")
        if waiting:
            self._waiting.remove(job)
            await self.release(job)
        else:
            for slot in self._slots:
                if slot.job is job:
                    self._keep(asyncio.create_task(slot.cancel(job)))

    async def forget(self, job: Job) -> None:
        """Remove a job and its files; its id answers 410 from now on."""
        self._jobs.pop(job.id, None)
        await asyncio.to_thread(shutil.rmtree, job.folder, ignore_errors=True)

    def dispose(self, job: Job) -> None:
        """Cancel a job if it runs and forget it, in the background: nobody can ask for it again."""
        self._keep(asyncio.create_task(self._dispose(job)))

    # --- for the slots

    async def next_job(self) -> Job:
        """Wait for the next job and take it."""
        async with self._changed:
            await self._changed.wait_for(lambda: bool(self._waiting))
            job = self._waiting.popleft()
        job.state, job.stage, job.started = "running", "starting", time.monotonic()
        job.attempts += 1
        return job

    async def put_back(self, job: Job) -> None:
        """Queue a job again, ahead of the others: its worker died."""
        await asyncio.to_thread(shutil.rmtree, job.output, ignore_errors=True)
        if not job.active:  # cancelled meanwhile
            await self.release(job)
            return
        job.state, job.stage, job.fraction = "queued", "queued", 0.0
        self._waiting.appendleft(job)
        await self.notify()

    async def release(self, job: Job) -> None:
        """Remove what an ended job needs no more."""
        await asyncio.to_thread(job.remove_inputs)
        job.released.set()
        logger.info("job %s %s after %.2f s", job.id, job.state, (job.ended or time.monotonic()) - job.created)

    async def fail_waiting(self, error: dict[str, Any]) -> None:
        """Fail all that wait: no worker will come."""
        if any(slot.state != "failed" for slot in self._slots):
            return
        while self._waiting:
            job = self._waiting.popleft()
            job.end("failed", error)
            await self.release(job)

    async def notify(self) -> None:
        """Wake who waits for jobs."""
        async with self._changed:
            self._changed.notify_all()

    def incident(self, job: Job, trace: str | None) -> dict[str, str]:
        """Log a fault of ours under a fresh id; returns what the user is told."""
        incident = secrets.token_hex(6)
        logger.error("incident %s in job %s: %s", incident, job.id, trace)
        return errors.incident_fields(incident)

    # --- inner works

    def _of(self, user: str) -> list[Job]:
        return [job for job in self._jobs.values() if job.user == user]

    def _ended_of(self, user: str) -> list[Job]:
        return sorted((job for job in self._of(user) if not job.active), key=lambda job: job.ended or 0.0)

    async def _dispose(self, job: Job) -> None:
        if job.active:
            await self.cancel(job)
        await job.released.wait()
        await self.forget(job)

    async def _expire(self) -> None:
        ttl = self._settings.result_ttl_s
        while True:
            await asyncio.sleep(min(ttl / 4, 30))
            now = time.monotonic()
            for job in list(self._jobs.values()):
                if job.ended is not None and job.released.is_set() and now - job.ended >= ttl:
                    with contextlib.suppress(OSError):
                        await self.forget(job)

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
