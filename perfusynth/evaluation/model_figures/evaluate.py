"""An evaluation from end to end: rows of all methods, the ceiling of the same patients, the report."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from perfusynth import atomic
from perfusynth.errors import InputError
from perfusynth.evaluation.information_ceiling.run import DRAWS
from perfusynth.evaluation.model_figures.case_folders import case_folders, registration_mark, relied_on
from perfusynth.evaluation.model_figures.ceiling_rows import ceiling_of_seeds, ceiling_rows
from perfusynth.evaluation.model_figures.plan import Plan
from perfusynth.evaluation.model_figures.report.page import Section
from perfusynth.evaluation.model_figures.report.write import write_report
from perfusynth.evaluation.model_figures.rows import rows_of_cases
from perfusynth.evaluation.model_figures.seen import refuse_seen_folders, refuse_seen_seeds
from perfusynth.evaluation.patient_rows import read_rows
from perfusynth.progress import OnProgress, ignore_progress

#: File of the rows in the folder of an evaluation.
ROWS_FILE = "rows.jsonl"
#: Cases that were left out, and why.
LEFT_OUT_FILE = "left_out.json"


def evaluate_seeds(
    plan: Plan,
    seeds: range,
    out: Path,
    *,
    ceiling: Path | None = None,
    draws: int = DRAWS,
    processes: int = 1,
    on_progress: OnProgress = ignore_progress,
) -> dict[str, Any]:
    """Evaluate on digital patients; returns what ``report.json`` holds.

    Parameters
    ----------
    out
        Folder of rows, report and pictures; rows that it holds are not made again.
    ceiling
        Folder of the information ceiling; None: no ceiling, no skill F.
    draws
        Twins in the ceiling's bank.

    Raises
    ------
    InputError
        ``seen_patients``, ``other_model``, ``other_phantom``, ``same_name``.
    """
    refuse_seen_seeds(plan.bundles(), seeds)
    cases = [str(seed) for seed in seeds]
    rows = rows_of_cases(out / ROWS_FILE, plan, cases, processes, _counting(on_progress))
    if ceiling is not None:
        found = ceiling_of_seeds(ceiling, seeds, draws=draws, processes=processes, on_progress=on_progress)
        first = [row for row in rows if row["method"] == rows[0]["method"]]
        rows += ceiling_rows(first, found)
    return write_report(out, plan, rows, f"digital patients {seeds.start} to {seeds.stop - 1}", on_progress)


def evaluate_cases(
    plan: Plan, out: Path, *, processes: int = 1, on_progress: OnProgress = ignore_progress
) -> dict[str, Any]:
    """Evaluate on the case folders of ``plan.data``, each on its NCCT's own grid.

    Cases whose registration is not to be relied on are left out: ``left_out.json`` and the report say which and why.

    Raises
    ------
    InputError
        ``no_cases``, ``seen_patients``, ``other_model``, ``other_phantom``, ``other_registration``, ``same_name``.
    """
    if plan.data is None:
        raise ValueError("expected a plan with a folder of cases")
    folders, left_out = relied_on(case_folders(plan.data))
    refuse_seen_folders(plan.bundles(), folders)
    _check_registrations(out / ROWS_FILE, folders)
    cases = [folder.name for folder in folders]
    rows = rows_of_cases(out / ROWS_FILE, plan, cases, processes, _counting(on_progress))
    report = json.dumps(left_out, indent=1, sort_keys=True) + "\n"
    atomic.write_bytes(out / LEFT_OUT_FILE, report.encode())
    whom = f"{len(folders)} case folders" + (f", {len(left_out)} left out" if left_out else "")
    told = [Section("Left out", [f"{name}: {reason}." for name, reason in left_out.items()])] if left_out else []
    return write_report(out, plan, rows, whom, on_progress, told)


def _check_registrations(path: Path, folders: Sequence[Path]) -> None:
    """Rows made by a registration that an annotator has corrected since are no figures of the case."""
    known = {row["case"]: row.get("registration") for row in read_rows(path)}
    changed = [f.name for f in folders if f.name in known and known[f.name] != registration_mark(f)]
    if changed:
        raise InputError(
            "The rows there were measured by other registrations.",
            expected="cases whose registration has not changed since",
            got=f"{len(changed)} that have, the first: {changed[0]}",
            hint="Choose another folder with --out.",
            code="other_registration",
        )


def _counting(on_progress: OnProgress) -> Callable[[int, int], None]:
    return lambda done, jobs: on_progress(f"patient {done} of {jobs}", done / jobs)
