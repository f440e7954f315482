"""Stages of a synthesis: their share of the whole for progress, and how long each took."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from perfusynth.progress import OnProgress

#: Share of the whole work by stage, from the timings of a 512x512x40 NCCT on 2 cores (docs/performance.md).
SHARES = {"read": 0.06, "check": 0.03, "mask": 0.12, "generate": 0.69, "measure": 0.07, "package": 0.03}


class Stages:
    """Tells a listener the overall fraction and keeps each stage's seconds in ``timings_s``."""

    def __init__(self, on_progress: OnProgress):
        self._on_progress = on_progress
        self._before = 0.0
        self.timings_s: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[OnProgress]:
        """Run one stage; yields a listener for the progress inside it (fraction of the stage)."""
        share = SHARES[name]
        self._on_progress(name, self._before)
        started = time.perf_counter()
        yield lambda _, fraction: self._on_progress(name, self._before + share * fraction)
        self.timings_s[name] = self.timings_s.get(name, 0.0) + time.perf_counter() - started
        self._before = min(1.0, self._before + share)
        self._on_progress(name, self._before)
