"""Syntheses in the background: orders go in, events come out; nothing of an order after its end or its cancel."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from .client import PerfuSynthClient
from .grid_volume import GridVolume
from .job_events import Cancelled, Done, Event, Failed, Waiting
from .problems import Problem
from .result_cache import ResultCache
from .synthesis_run import Make, Pace, Stopped, SynthesisRun

#: Orders that are at work at once: one is computed while the next travels. [d]
AT_ONCE = 2
#: How long closing Slicer waits for the server to hear of it, s. [d]
SHUTDOWN_S = 3.0
#: A server that does not hear that a job is over is told again after these pauses, s.
_GOODBYE_PAUSES_S = (0.5, 2.0, 10.0)


class Order(NamedTuple):
    """What is wanted.

    Attributes
    ----------
    task
        ``ncct_perfusion``.
    ncct
        The scan, HU; its array must not be changed until the order has ended. It may be None where ``study`` is given;
        given all the same, its content finds an earlier result.
    study
        Id of a study of the server's datastore; then nothing is uploaded.
    overrides
        Codes of refusals that the user takes responsibility for.
    """

    task: str
    ncct: GridVolume | None
    study: str = ""
    overrides: tuple[str, ...] = ()


class _Ticket:
    """An order on its way; fields change under the queue's lock."""

    def __init__(self, number: int, order: Order, client: PerfuSynthClient):
        self.number, self.order, self.client = number, order, client
        self.ordered = time.monotonic()
        self.ended_after_s: float | None = None
        self.stop = threading.Event()
        self.job_id = ""

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self.ordered if self.ended_after_s is None else self.ended_after_s


class SynthesisQueue:
    """Runs orders on threads of its own; all methods belong to one thread, the one that draws.

    Parameters
    ----------
    cache
        Where results are kept.
    pace
        How often and how long the server is asked.
    """

    def __init__(self, cache: ResultCache, pace: Pace = Pace()):  # noqa: B008 - immutable
        self._cache = cache
        self._pace = pace
        self._lock = threading.Lock()
        self._events: list[Event] = []
        self._tickets: dict[int, _Ticket] = {}
        self._waiting: deque[_Ticket] = deque()
        self._working: set[int] = set()
        self._goodbyes: list[threading.Thread] = []
        self._closed = False

    def submit(self, client: PerfuSynthClient, order: Order) -> int:
        """Queue an order; returns its ticket at once.

        Raises
        ------
        ValueError
            Neither a scan nor a study, or the queue is shut down.
        """
        if self._closed or (order.ncct is None and not order.study):
            raise ValueError("expected a queue that is open, and a scan or a study")
        with self._lock:
            ticket = _Ticket(len(self._tickets) + 1, order, client)
            self._tickets[ticket.number] = ticket
            self._waiting.append(ticket)
            place = len(self._working) + len(self._waiting)
            if place > AT_ONCE:
                self._tell(ticket, lambda n, s: Waiting(n, s, 0, "Your other scans are synthesised first."))
        self._start_next()
        return ticket.number

    def cancel(self, ticket: int) -> None:
        """End an order and have the server stop its work; returns at once.

        The next `drain` gives `Cancelled` and nothing else of this order. An order that has ended stays as it ended.
        """
        with self._lock:
            found = self._tickets[ticket]
            if found.ended_after_s is not None:
                return
            self._events = [event for event in self._events if event.ticket != ticket]
            self._end(found, Cancelled)
            found.stop.set()
            job_id = found.job_id
        if job_id:
            self._say_goodbye(found.client, job_id)
        self._start_next()

    def elapsed_s(self, ticket: int) -> float:
        """Since the order; stands still when it has ended, s."""
        return self._tickets[ticket].elapsed_s

    def active(self) -> list[int]:
        """Orders that have not ended, first one first."""
        return [number for number, ticket in self._tickets.items() if ticket.ended_after_s is None]

    def drain(self) -> list[Event]:
        """All events since the last call, oldest first; never waits."""
        with self._lock:
            found, self._events = self._events, []
        return found

    def shutdown(self, wait_s: float = SHUTDOWN_S) -> None:
        """Cancel everything; waits so long at most until the server has heard of it."""
        self._closed = True
        for ticket in self.active():
            self.cancel(ticket)
        end = time.monotonic() + wait_s
        for thread in list(self._goodbyes):
            thread.join(max(0.0, end - time.monotonic()))

    # --- on the threads

    def _start_next(self) -> None:
        with self._lock:
            while self._waiting and len(self._working) < AT_ONCE:
                ticket = self._waiting.popleft()
                if ticket.ended_after_s is None:
                    self._working.add(ticket.number)
                    self._thread(self._work, ticket, name=f"PerfuSynth order {ticket.number}")

    def _work(self, ticket: _Ticket) -> None:
        run = SynthesisRun(
            ticket.client,
            self._cache,
            self._pace,
            ticket.stop,
            tell=lambda make: self._tell_locked(ticket, make),
            on_job=lambda job_id: self._on_job(ticket, job_id),
        )
        make = _outcome(run, ticket.order)
        if make is not None:
            self._finish(ticket, make)
        # What was fetched need not stay there for an hour, and what was given up need not run; a cancel says so itself.
        if ticket.job_id and not ticket.stop.is_set():
            self._say_goodbye(ticket.client, ticket.job_id)
        self._start_next()

    def _on_job(self, ticket: _Ticket, job_id: str) -> None:
        """The server has taken the order: now there is something to cancel."""
        with self._lock:
            ticket.job_id = job_id
            stopped = ticket.stop.is_set()
        if stopped:
            self._say_goodbye(ticket.client, job_id)

    def _finish(self, ticket: _Ticket, make: Make) -> None:
        with self._lock:
            if ticket.ended_after_s is None:
                self._end(ticket, make)

    def _end(self, ticket: _Ticket, make: Make) -> None:
        ticket.ended_after_s = ticket.elapsed_s
        ticket.order = ticket.order._replace(ncct=None)  # orders stay listed; their voxels need not
        self._working.discard(ticket.number)
        self._events.append(make(ticket.number, ticket.ended_after_s))

    def _tell_locked(self, ticket: _Ticket, make: Make) -> None:
        with self._lock:
            self._tell(ticket, make)

    def _tell(self, ticket: _Ticket, make: Make) -> None:
        if ticket.ended_after_s is None:
            self._events.append(make(ticket.number, ticket.elapsed_s))

    def _say_goodbye(self, client: PerfuSynthClient, job_id: str) -> None:
        with self._lock:
            self._goodbyes = [thread for thread in self._goodbyes if thread.is_alive()]
            self._goodbyes.append(self._thread(_end_at_server, client, job_id, name="PerfuSynth goodbye"))

    @staticmethod
    def _thread(target: Callable[..., None], *arguments: object, name: str) -> threading.Thread:
        thread = threading.Thread(target=target, args=arguments, name=name, daemon=True)
        thread.start()
        return thread


def _outcome(run: SynthesisRun, order: Order) -> Make | None:
    """Work an order off; returns how it ended, None when it was cancelled, which is told already."""
    try:
        result, from_cache = run.result_of(order.task, order.ncct, order.study, order.overrides)
    except Stopped:
        return None
    except Problem as problem:
        return _failed(problem)
    except Exception as error:  # a mistake of ours must end the order, not leave it running for ever
        return _failed(
            Problem(
                "internal_error",
                "The extension made a mistake while it worked on this scan.",
                "Try again; if it stays so, report it with what stands under Details.",
                f"{type(error).__name__}: {error}",
            )
        )
    return lambda ticket, elapsed_s: Done(ticket, elapsed_s, result, from_cache)


def _failed(problem: Problem) -> Make:
    return lambda ticket, elapsed_s: Failed(ticket, elapsed_s, problem)


def _end_at_server(client: PerfuSynthClient, job_id: str) -> None:
    """Repeated where nothing came back: a DELETE of a job that is gone does no harm."""
    for pause in (*_GOODBYE_PAUSES_S, 0.0):
        try:
            client.cancel(job_id)
            return
        except Problem:
            time.sleep(pause)
