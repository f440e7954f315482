"""How long ``GET /info/`` takes while a server is at work, ours at a synthesis, the stock one at an inference.

A poller asks every 20 ms, one request at a time. A request that takes longer keeps the poller from asking; those that
it would have asked meanwhile are counted too, each with the time that it would have waited. Without them a server
that answers nothing for four seconds would show one slow request among many fast ones.
"""

import threading
import time
from collections.abc import Callable
from pathlib import Path

from tests.benchmarks.clients import TIMEOUT_S, our_job, session, stock_infer
from tests.benchmarks.figure import Figure
from tests.benchmarks.plan import Plan
from tests.benchmarks.timing import percentile

ROW = "/info/ while at work"
EVERY_S = 0.02


def measure(ours: str, stock: str, scan: Path, plan: Plan) -> list[Figure]:
    """Half of the requests, 95 % of them, and the slowest."""
    our_times = [t for _ in range(plan.syntheses) for t in _polled(ours, lambda: our_job(ours, scan))]
    stock_times = _polled(stock, lambda: stock_infer(stock, scan, busy_s=plan.busy_s))
    against = f"stock, {plan.busy_s:g} s at work"
    kinds: dict[str, Callable[[list[float]], float]] = {
        "p50": lambda times: percentile(times, 0.5),
        "p95": lambda times: percentile(times, 0.95),
        "slowest": max,
    }
    return [
        Figure(ROW, name, 1e3 * of(our_times), "ms", len(our_times), against, 1e3 * of(stock_times))
        for name, of in kinds.items()
    ]


def _polled(url: str, work: Callable[[], object]) -> list[float]:
    """Seconds of each ``GET /info/`` while ``work`` runs."""
    faults: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as fault:
            faults.append(fault)

    worker = threading.Thread(target=run, daemon=True)
    times: list[float] = []
    with session() as http:
        http.get(f"{url}/info/", timeout=TIMEOUT_S)
        worker.start()
        while worker.is_alive():
            started = time.perf_counter()
            http.get(f"{url}/info/", timeout=TIMEOUT_S).raise_for_status()
            taken = time.perf_counter() - started
            times += with_kept_back(taken)
            time.sleep(max(0.0, EVERY_S - taken))
    if faults:
        raise faults[0]
    return times


def with_kept_back(taken: float) -> list[float]:
    """A request's seconds, and those of the requests that it kept the poller from asking."""
    return [taken, *(taken - k * EVERY_S for k in range(1, int(taken / EVERY_S) + 1))]
