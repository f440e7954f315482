"""From a head CT's upload to both maps, through the real server and pipeline over HTTP."""

import statistics
from pathlib import Path

from tests.benchmarks.clients import our_job
from tests.benchmarks.figure import Figure
from tests.benchmarks.plan import Plan

ROW = "request to maps"


def measure(url: str, scan: Path, plan: Plan) -> list[Figure]:
    """The later requests against the first, and where their time goes."""
    answers = [our_job(url, scan) for _ in range(plan.requests)]
    first, later = answers[0], answers[1:]
    timings = [answer.measurements()["timings_s"] for answer in later]
    typical = statistics.median(answer.seconds for answer in later)
    outside = statistics.median(
        answer.seconds - sum(stages.values()) for answer, stages in zip(later, timings, strict=True)
    )
    sent = f"{scan.stat().st_size / 1e6:.1f} MB up, {later[0].megabytes:.1f} MB down"
    whole = Figure(ROW, "later requests", typical, "s", len(later), "the first request", first.seconds, sent)
    stages = [
        Figure(ROW, f"of it: {name}", statistics.median(stage[name] for stage in timings), "s", len(later))
        for name in timings[0]
    ]
    rest = Figure(ROW, "of it: outside the stages", outside, "s", len(later), note="HTTP, queue, polling, zip")
    return [whole, *stages, rest]
