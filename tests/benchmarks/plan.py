"""How much is measured: the full run, and the quick one that only shows that everything works."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """Sizes and repetitions of one run.

    Parameters
    ----------
    shape
        Voxels of the scan and its maps.
    requests
        Requests to the real pipeline's server; the first is told apart from the others.
    empty_requests
        Requests to each server whose generator does nothing.
    syntheses
        Syntheses during which ``/info/`` is polled.
    busy_s
        Length of the stock server's inference during which ``/info/`` is polled, s.
    repeats
        Repetitions of whatever needs no server.
    """

    shape: tuple[int, int, int]
    requests: int
    empty_requests: int
    syntheses: int
    busy_s: float
    repeats: int


FULL = Plan((512, 512, 40), requests=10, empty_requests=10, syntheses=3, busy_s=4.0, repeats=5)
QUICK = Plan((256, 256, 40), requests=2, empty_requests=2, syntheses=1, busy_s=1.0, repeats=1)
