"""Cases on their way back to the other annotators: each is told to the server once, before anything new is taken."""

from __future__ import annotations

import contextlib
import threading
from collections import deque

from PerfuSynthLib.problems import Problem

from .worklist_client import WorklistClient


class CaseReturns:
    """Leases that are to end. May be used from several threads."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[WorklistClient, str]] = deque()
        self._telling = threading.Lock()

    def add(self, client: WorklistClient, name: str) -> None:
        """Nobody works here on a case any more."""
        self._waiting.append((client, name))

    def tell(self) -> None:
        """Tell the server of all of them (blocking); who comes while it is told waits until it is.

        A case that cannot be given back holds up no other: its lease runs out by itself.
        """
        with self._telling:
            while self._waiting:
                client, name = self._waiting.popleft()
                with contextlib.suppress(Problem):
                    client.give_back(name)
