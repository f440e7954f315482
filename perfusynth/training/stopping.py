"""Why a run stops before its end, and how it notices: time is up, a signal, the person who waits."""

import signal
import threading
import time
from enum import IntEnum
from types import FrameType


class Stop(IntEnum):
    """Reasons, the stronger the larger: several processes follow the strongest. ``PATIENCE`` ends a phase only."""

    NO = 0
    PATIENCE = 1
    TIME = 2
    SIGNAL = 3
    CANCELLED = 4


class Stopping:
    """Watches the clock and, while the block runs, SIGTERM and Ctrl-C; a second one is obeyed at once.

    Parameters
    ----------
    minutes
        From now on; None: no limit.
    """

    def __init__(self, minutes: float | None):
        self._ends = time.monotonic() + 60 * minutes if minutes is not None else float("inf")
        self._signalled = False
        self._before: dict[int, object] = {}

    def __enter__(self) -> "Stopping":
        if threading.current_thread() is threading.main_thread():  # elsewhere Python refuses handlers
            for number in (signal.SIGTERM, signal.SIGINT):
                self._before[number] = signal.signal(number, self._told)
        return self

    def __exit__(self, *_: object) -> None:
        self._give_back()

    def _told(self, number: int, frame: FrameType | None) -> None:
        self._signalled = True
        self._give_back()

    def _give_back(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # what signal.signal gave
        self._before.clear()

    def reason(self) -> Stop:
        """Whether to stop now."""
        if self._signalled:
            return Stop.SIGNAL
        return Stop.TIME if time.monotonic() >= self._ends else Stop.NO
