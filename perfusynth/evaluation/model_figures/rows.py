"""Rows of an evaluation: one line a patient and method, made by several processes, continued by a later run."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from perfusynth.errors import InputError
from perfusynth.evaluation.model_figures.patient_figures import DIGITS, figures_of
from perfusynth.evaluation.model_figures.plan import Plan, chosen, methods_of
from perfusynth.evaluation.patient_rows import phantom_identity, rows_of_jobs

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Job:
    """A patient, and the methods whose rows of him are missing."""

    case: str
    methods: tuple[str, ...]


def rows_of_cases(
    path: Path,
    plan: Plan,
    cases: Sequence[str],
    processes: int = 1,
    on_progress: Callable[[int, int], None] = lambda done, jobs: None,
) -> list[dict[str, Any]]:
    """Rows of all methods on all cases, by case; those that ``path`` holds are not made again.

    Raises
    ------
    InputError
        ``other_phantom``; ``other_model``: the file holds rows of other weights under a method's name.
    """
    identities = plan.method_identities()

    def missing(rows: Sequence[Row]) -> list[Job]:
        _check_identities(rows, identities)
        done = {(row["case"], row["method"]) for row in rows}
        jobs = (Job(case, tuple(name for name in identities if (case, name) not in done)) for case in cases)
        return [job for job in jobs if job.methods]

    make = partial(_rows_of_job, plan=plan, alone=processes == 1)
    rows = rows_of_jobs(path, missing, make, phantom_identity(), processes, on_progress)
    place = {case: number for number, case in enumerate(cases)}
    order = {name: number for number, name in enumerate(identities)}
    wanted = [row for row in rows if row["case"] in place and row["method"] in order]
    return sorted(wanted, key=lambda row: (order[row["method"]], place[row["case"]]))


def _check_identities(rows: Sequence[Row], identities: Mapping[str, str]) -> None:
    for row in rows:
        expected = identities.get(row["method"])
        if expected is not None and row["identity"] != expected:
            raise InputError(
                f"The rows there are of other weights of {row['method']}.",
                expected=f"weights {expected}",
                got=f"weights {row['identity']}",
                hint="Choose another folder with --out.",
                code="other_model",
            )


def _rows_of_job(job: Job, *, plan: Plan, alone: bool) -> list[Row]:
    if not alone:
        torch.set_num_threads(1)  # the processes share the cores already
    case, ranges = plan.case(job.case), plan.ranges()
    rows: list[Row] = []
    for method in chosen(methods_of(plan), job.methods):
        start = time.perf_counter()
        made = method(case)
        made_s = time.perf_counter() - start
        figures = figures_of(case, made, ranges)
        timed = {"seconds": made_s, "seconds_figures": time.perf_counter() - start - made_s}
        about = {"method": method.name, "kind": method.kind, "identity": method.identity}
        rows.append({**about, **figures, **{name: round(value, DIGITS) for name, value in timed.items()}})
    return rows
