"""An evaluation from end to end: rows of all methods, the ceiling of the same patients, the report."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from perfusynth.evaluation.information_ceiling.run import DRAWS
from perfusynth.evaluation.model_figures.case_folders import case_folders
from perfusynth.evaluation.model_figures.ceiling_rows import ceiling_of_seeds, ceiling_rows
from perfusynth.evaluation.model_figures.plan import Plan
from perfusynth.evaluation.model_figures.report.write import write_report
from perfusynth.evaluation.model_figures.rows import rows_of_cases
from perfusynth.evaluation.model_figures.seen import refuse_seen_folders, refuse_seen_seeds
from perfusynth.progress import OnProgress, ignore_progress

#: File of the rows in the folder of an evaluation.
ROWS_FILE = "rows.jsonl"


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

    Raises
    ------
    InputError
        ``no_cases``, ``seen_patients``, ``other_model``, ``other_phantom``, ``same_name``.
    """
    if plan.data is None:
        raise ValueError("expected a plan with a folder of cases")
    folders = case_folders(plan.data)
    refuse_seen_folders(plan.bundles(), folders)
    cases = [folder.name for folder in folders]
    rows = rows_of_cases(out / ROWS_FILE, plan, cases, processes, _counting(on_progress))
    return write_report(out, plan, rows, f"{len(folders)} case folders", on_progress)


def _counting(on_progress: OnProgress) -> Callable[[int, int], None]:
    return lambda done, jobs: on_progress(f"patient {done} of {jobs}", done / jobs)
