"""The session's orders: what was asked of the server, how far it is, in words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .client import PerfuSynthClient
from .job_events import Cancelled, Done, Downloading, Event, Failed, Running, Uploading, Waiting
from .job_queue import Order, SynthesisQueue
from .problems import Problem
from .result_package import SynthesisResult


class ScanOrder:
    """One order as the panel shows it.

    Attributes
    ----------
    key, name
        Of the choice that it was made for (see `session_choice.Choice`).
    volume_id
        The NCCT's node, empty for a study that is not in the scene yet.
    order
        As the queue got it.
    text, percent
        How far it is; percent is None where nobody knows.
    active, result, problem
        Whether it goes on, and how it ended.
    measurements, state_id
        What the result's document says, and where the reading lies in the scene once it was shown.
    """

    def __init__(self, ticket: int, key: str, name: str, volume_id: str, order: Order):
        self.ticket, self.key, self.name, self.volume_id, self.order = ticket, key, name, volume_id, order
        self.text = "Asking the server ..."
        self.percent: float | None = None
        self.elapsed_s = 0.0
        self.active = True
        self.result: SynthesisResult | None = None
        self.problem: Problem | None = None
        self.measurements: dict[str, Any] = {}
        self.state_id = ""


class Orders:
    """All orders of the session, newest last.

    Parameters
    ----------
    queue
        Does the work.
    changed
        Called when an order may look different.
    done
        Told an order that has its result.
    """

    def __init__(self, queue: SynthesisQueue, changed: Callable[[], None], done: Callable[[ScanOrder], None]):
        self._queue, self._changed, self._done = queue, changed, done
        self._orders: dict[int, ScanOrder] = {}
        self.problem: Problem | None = None

    @property
    def all(self) -> list[ScanOrder]:
        """Every order of the session."""
        return list(self._orders.values())

    @property
    def problem_text(self) -> str:
        """Why the last order came to nothing, and what to do."""
        return f"{self.problem.what} {self.problem.what_to_do}" if self.problem else ""

    def of(self, key: str) -> ScanOrder | None:
        """The order of a choice that goes on, if there is one."""
        return next((order for order in self._orders.values() if order.active and order.key == key), None)

    def newest(self, key: str) -> ScanOrder | None:
        """The newest order of a choice, however it stands."""
        return next((order for order in reversed(self._orders.values()) if order.key == key), None)

    def last_failed(self, key: str) -> ScanOrder | None:
        """The newest order of a choice, if it failed."""
        newest = self.newest(key)
        return newest if newest is not None and newest.problem is not None else None

    def submit(self, client: PerfuSynthClient, order: Order, key: str, name: str, volume_id: str) -> ScanOrder:
        """Start an order."""
        self.problem = None
        ticket = self._queue.submit(client, order)
        self._orders[ticket] = ScanOrder(ticket, key, name, volume_id, order)
        self._changed()
        return self._orders[ticket]

    def cancel(self, order: ScanOrder) -> None:
        """Stop an order here and on the server; nothing more of it is delivered."""
        self._queue.cancel(order.ticket)
        self.tick()

    def tick(self) -> None:
        """Take in what has happened since."""
        for event in self._queue.drain():
            self._take(self._orders[event.ticket], event)
            self._changed()
        for ticket in self._queue.active():
            order = self._orders[ticket]
            before, order.elapsed_s = int(order.elapsed_s), self._queue.elapsed_s(ticket)
            if int(order.elapsed_s) != before:
                self._changed()

    def shutdown(self) -> None:
        """Stop everything."""
        self._queue.shutdown()

    def _take(self, order: ScanOrder, event: Event) -> None:
        order.elapsed_s = event.elapsed_s
        order.text, order.percent = _told(event)
        if isinstance(event, (Done, Failed, Cancelled)):
            order.active = False
            # The scan's voxels are not needed any more; a look-up of the result is.
            order.order = order.order._replace(ncct=None)
        if isinstance(event, Failed):
            order.problem = self.problem = event.problem
        if isinstance(event, Done):
            order.result, order.measurements = event.result, event.result.measurements
            self._done(order)


def _told(event: Any) -> tuple[str, float | None]:
    """An event in words, and percent of the whole where they are known."""
    if isinstance(event, Uploading):
        return f"Sending the CT: {event.share:.0%}", 100 * event.share
    if isinstance(event, Waiting):
        return event.reason or f"Place {event.place} in the server's queue.", None
    if isinstance(event, Running):
        return f"The server is {event.words}: {event.percent} %", float(event.percent)
    if isinstance(event, Downloading):
        return "Fetching the maps", 100 * event.share if event.share else None
    if isinstance(event, Done):
        return "Done (kept from before; nothing was sent)" if event.from_cache else "Done", 100.0
    if isinstance(event, Cancelled):
        return "Cancelled", None
    return "Failed", None
