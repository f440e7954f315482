"""Work off the main thread, one lane a kind of question: the newest question of a lane is the only one answered."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any, NamedTuple

from .problems import Problem

#: How long `Background.shutdown` waits for work that does not look at ``cancelled``, s. [d]
_PATIENCE_S = 2.0


class _Task(NamedTuple):
    lane: str
    number: int
    work: Callable[[Callable[[], bool]], Any]
    on_done: Callable[[Any], None]
    on_problem: Callable[[Problem], None]


class Background:
    """Threads that work while the caller's thread stays free; answers come when it asks for them.

    Every lane has a thread of its own, so that a slow server does not hold up the measuring of volumes.
    """

    def __init__(self) -> None:
        self._answers: queue.Queue = queue.Queue()
        self._newest: dict[str, int] = {}
        self._lanes: dict[str, queue.Queue] = {}
        self._threads: list[threading.Thread] = []
        self._number = 0
        self._over = False

    def run(
        self,
        lane: str,
        work: Callable[[Callable[[], bool]], Any],
        on_done: Callable[[Any], None],
        on_problem: Callable[[Problem], None],
    ) -> None:
        """Start work; what the lane was asked before is given up.

        Parameters
        ----------
        work
            Called on the lane's thread with ``cancelled``, which turns true when the answer is no longer wanted.
        on_done, on_problem
            One of them is called by `deliver`, on its caller's thread.
        """
        self._number += 1
        self._newest[lane] = self._number
        if lane not in self._lanes:
            self._lanes[lane] = queue.Queue()
            thread = threading.Thread(target=self._work_off, args=(lane,), name=f"PerfuSynth {lane}", daemon=True)
            self._threads.append(thread)
            thread.start()
        self._lanes[lane].put(_Task(lane, self._number, work, on_done, on_problem))

    def forget(self, lane: str) -> None:
        """Nothing that the lane was asked is wanted any more."""
        self._newest.pop(lane, None)

    def busy(self, lane: str) -> bool:
        """Whether an answer of the lane is still to come."""
        return lane in self._newest

    def deliver(self) -> bool:
        """Hand over the answers that are there; returns whether there was one."""
        delivered = False
        while True:
            try:
                task, answer, problem = self._answers.get_nowait()
            except queue.Empty:
                return delivered
            if not self._wanted(task):
                continue
            self._newest.pop(task.lane)
            delivered = True
            if problem is None:
                task.on_done(answer)
            else:
                task.on_problem(problem)

    def shutdown(self) -> None:
        """Give all work up; nothing is delivered any more."""
        self._over = True
        self._newest.clear()
        for lane in self._lanes.values():
            lane.put(None)
        for thread in self._threads:
            thread.join(_PATIENCE_S)

    def _wanted(self, task: _Task) -> bool:
        return not self._over and self._newest.get(task.lane) == task.number

    def _work_off(self, lane: str) -> None:
        while True:
            task: _Task | None = self._lanes[lane].get()
            if task is None:
                return
            if not self._wanted(task):
                continue
            answer, problem = None, None
            try:
                answer = task.work(lambda task=task: not self._wanted(task))
            except Problem as known:
                problem = known
            except Exception as error:  # a fault of this program: told in words, the cause for its makers in `detail`
                problem = Problem(
                    "fault",
                    "Something in PerfuSynth went wrong.",
                    "Try again; if it happens again, tell the makers of PerfuSynth what the Python console says.",
                    f"{lane}: {type(error).__name__}: {error}",
                )
            if self._wanted(task):
                self._answers.put((task, answer, problem))
