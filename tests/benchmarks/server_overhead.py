"""What a server adds to two float maps: the whole request when nothing is inferred, ours against the stock server's."""

import statistics
from pathlib import Path

from tests.benchmarks.clients import Answer, our_infer, our_job, stock_infer
from tests.benchmarks.figure import Figure
from tests.benchmarks.plan import Plan

ROW = "what the server adds"


def measure(ours: str, stock: str, scan: Path, plan: Plan) -> list[Figure]:
    """Requests to both servers in turn.

    Parameters
    ----------
    ours, stock
        Addresses.
    scan
        What is uploaded.
    plan
        How often.
    """
    jobs: list[Answer] = []
    infers: list[Answer] = []
    theirs: list[Answer] = []
    for _ in range(plan.empty_requests):
        jobs.append(our_job(ours, scan))
        infers.append(our_infer(ours, scan))
        theirs.append(stock_infer(stock, scan))
    runs = plan.empty_requests - 1
    typical = {name: _seconds(answers[1:]) for name, answers in (("job", jobs), ("infer", infers), ("stock", theirs))}
    size, their_size = jobs[-1].megabytes, theirs[-1].megabytes
    return [
        Figure(ROW, "POST /infer", typical["infer"], "s", runs, "stock POST /infer", typical["stock"]),
        Figure(ROW, "POST /jobs, poll, fetch", typical["job"], "s", runs, "stock POST /infer", typical["stock"]),
        *_stages(jobs[1:]),
        Figure(ROW, "later jobs", typical["job"], "s", runs, "the first job", jobs[0].seconds),
        Figure(ROW, "stock, later", typical["stock"], "s", runs, "stock, first", theirs[0].seconds),
        Figure(ROW, "sent as result", size, "MB", runs, "stock", their_size, "ours holds the brain mask too"),
    ]


def _seconds(answers: list[Answer]) -> float:
    return statistics.median(answer.seconds for answer in answers)


def _stages(jobs: list[Answer]) -> list[Figure]:
    timings = [job.measurements()["timings_s"] for job in jobs]
    return [
        Figure(ROW, f"of the job: {name}", statistics.median(stage[name] for stage in timings), "s", len(jobs))
        for name in timings[0]
    ]
