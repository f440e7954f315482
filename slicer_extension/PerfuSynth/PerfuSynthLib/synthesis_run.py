"""One synthesis from scan to result: looks into the cache, sends, watches, fetches; stops when it is told to."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from .client import JobStatus, PerfuSynthClient, models_of
from .connection_problems import UNAVAILABLE, ConnectionLost, ServerProblem
from .grid_volume import GridVolume
from .job_events import Downloading, Event, Running, Uploading, Waiting
from .problems import Problem
from .result_cache import ResultCache, content_key
from .result_package import SynthesisResult, read_result

#: Refusals that pass by themselves: the queue is full, the user has too many jobs, the disk is nearly full.
_PASSING = ("queue_full", "too_many_jobs", "disk_full")
#: Shares of a transfer are told in steps of this.
_SHARE_STEP = 0.01

#: Makes an event of ticket and elapsed seconds.
Make = Callable[[int, float], Event]


class Pace(NamedTuple):
    """How often and how long the server is asked, in seconds. [d]

    Attributes
    ----------
    poll_s
        Between two questions how far the job is.
    outage_s
        So long a job is watched further though the server does not answer.
    retry_s, longest_retry_s
        Between two attempts at a server that is full and does not say when to come back; longest that it may ask for.
    patience_s
        So long a full server is tried.
    """

    poll_s: float = 0.4
    outage_s: float = 30.0
    retry_s: float = 10.0
    longest_retry_s: float = 120.0
    patience_s: float = 1800.0


class Stopped(Exception):
    """The order was cancelled."""


class SynthesisRun:
    """Works on one order; belongs to one thread.

    Parameters
    ----------
    client, cache, pace
        Which server, where results are kept, how patiently.
    stop
        Set: the order was cancelled.
    tell
        Takes news.
    on_job
        Told the job's id at once, so that it can be cancelled.
    """

    def __init__(
        self,
        client: PerfuSynthClient,
        cache: ResultCache,
        pace: Pace,
        stop: threading.Event,
        *,
        tell: Callable[[Make], None],
        on_job: Callable[[str], None],
    ):
        self._client, self._cache, self._pace, self._stop = client, cache, pace, stop
        self._tell, self._on_job = tell, on_job
        self._told_share = -1.0
        self._told: tuple[object, ...] = ()

    def result_of(
        self, task: str, ncct: GridVolume | None, study: str, overrides: tuple[str, ...]
    ) -> tuple[SynthesisResult, bool]:
        """The result, and whether it came out of the cache.

        Raises
        ------
        Problem
            Why there is none.
        Stopped
            The order was cancelled.
        """
        info = self._client.info()
        self._check_stop()
        models, version = models_of(info), str(info["perfusynth"].get("version", ""))
        weights = next((model.weights_sha256 for model in models if model.task == task), "")
        if ncct is not None and weights:
            kept = self._cache.get(content_key(ncct, task, weights, version, overrides))
            self._check_stop()
            if kept is not None:
                return kept, True
        job_id = self._sent(task, study or _required(ncct), overrides)
        self._on_job(job_id)
        self._check_stop()
        self._wait_for_end(job_id)
        package = self._cache.new_file()
        try:
            result = self._fetched(job_id, package)
            if ncct is not None and (key := _key_of_result(result, ncct, task, overrides)):
                self._cache.put(key, package)
        finally:
            if package.exists():
                package.unlink()
        return result, False

    # --- steps

    def _sent(self, task: str, ncct: GridVolume | str, overrides: tuple[str, ...]) -> str:
        """Submit, again and again while the server is full; returns the job's id."""
        end = time.monotonic() + self._pace.patience_s
        while True:
            self._told_share = -1.0
            try:
                return self._client.submit(task, ncct, overrides, self._on_upload)
            except ServerProblem as problem:
                pause = self._pause_after(problem)
                if pause is None or time.monotonic() + pause > end:
                    raise
                reason = f"{problem.what} Trying again in {pause:.0f} s."
            self._tell(lambda n, s, r=reason: Waiting(n, s, 0, r))
            self._pause(pause)

    def _pause_after(self, problem: ServerProblem) -> float | None:
        passing = problem.code in _PASSING or problem.status == 429
        if not passing:
            return None
        asked = self._pace.retry_s if problem.retry_after_s is None else problem.retry_after_s
        return min(max(asked, self._pace.poll_s), self._pace.longest_retry_s)

    def _wait_for_end(self, job_id: str) -> None:
        answered = time.monotonic()
        while True:
            try:
                status = self._client.status(job_id)
                answered = time.monotonic()
            except (ConnectionLost, ServerProblem) as problem:
                silent = isinstance(problem, ConnectionLost) or problem.code == UNAVAILABLE
                if not silent or time.monotonic() - answered > self._pace.outage_s:
                    raise
                self._tell_once(
                    ("outage",), lambda n, s: Waiting(n, s, 0, "The server does not answer; it is tried again.")
                )
            else:
                if self._ended(status):
                    return
            self._pause(self._pace.poll_s)

    def _ended(self, status: JobStatus) -> bool:
        if status.state == "done":
            return True
        if status.state == "failed" and status.problem is not None:
            raise status.problem
        if status.state == "cancelled":
            raise Problem(
                "cancelled_at_server",
                "The server has stopped this synthesis.",
                "It may be shutting down; try again in a while.",
            )
        if status.state == "queued":
            self._tell_once(
                ("queued", status.place),
                lambda n, s: Waiting(n, s, status.place, f"Place {status.place} in the server's queue."),
            )
        else:
            self._tell_once((status.stage, status.percent), lambda n, s: Running(n, s, status.stage, status.percent))
        return False

    def _fetched(self, job_id: str, package: Path) -> SynthesisResult:
        self._told_share = -1.0
        self._client.download_result(job_id, package, self._on_download)
        self._check_stop()
        result = read_result(package)
        self._check_stop()
        return result

    # --- news and stopping

    def _on_upload(self, share: float) -> None:
        self._check_stop()
        if share >= self._told_share + _SHARE_STEP:
            self._told_share = share
            self._tell(lambda n, s: Uploading(n, s, share))

    def _on_download(self, come: int, expected: int) -> None:
        self._check_stop()
        share = come / expected if expected else 0.0
        if share >= self._told_share + _SHARE_STEP:
            self._told_share = share
            self._tell(lambda n, s: Downloading(n, s, share))

    def _tell_once(self, what: tuple[object, ...], make: Make) -> None:
        if what != self._told:
            self._told = what
            self._tell(make)

    def _pause(self, seconds: float) -> None:
        if self._stop.wait(seconds):
            raise Stopped

    def _check_stop(self) -> None:
        if self._stop.is_set():
            raise Stopped


def _key_of_result(result: SynthesisResult, ncct: GridVolume, task: str, overrides: tuple[str, ...]) -> str | None:
    """The key by what made the result, which may have been promoted since the question; None where it does not say."""
    model, software = result.measurements.get("model"), result.measurements.get("software")
    if not isinstance(model, dict) or not isinstance(software, dict):
        return None
    return content_key(ncct, task, str(model.get("weights_sha256")), str(software.get("version")), overrides)


def _required(ncct: GridVolume | None) -> GridVolume:
    if ncct is None:
        raise ValueError("expected a scan or a study")
    return ncct
