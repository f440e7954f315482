"""Stages of long work: their share of the whole for progress, and how long each took."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from perfusynth.progress import OnProgress


class Stages:
    """Tells a listener the overall fraction and keeps each stage's seconds in ``timings_s``.

    ``shares`` are the stages' shares of the whole work.
    """

    def __init__(self, shares: Mapping[str, float], on_progress: OnProgress):
        self._shares = shares
        self._on_progress = on_progress
        self._before = 0.0
        self.timings_s: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[OnProgress]:
        """Run one stage; yields a listener for the progress inside it (fraction of the stage)."""
        share = self._shares[name]
        self._on_progress(name, self._before)
        started = time.perf_counter()
        yield lambda _, fraction: self._on_progress(name, self._before + share * fraction)
        self.timings_s[name] = self.timings_s.get(name, 0.0) + time.perf_counter() - started
        self._before = min(1.0, self._before + share)
        self._on_progress(name, self._before)
