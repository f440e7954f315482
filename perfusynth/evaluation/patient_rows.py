"""Rows of figures, one a patient, in a file of JSON lines that a later run continues."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

from perfusynth.errors import InputError
from perfusynth.phantom.version import PHANTOM_VERSION, parameter_hash

#: A job of `rows_of_jobs`, and one line of a file.
Job = TypeVar("Job")
Row = Mapping[str, Any]


def phantom_identity() -> dict[str, str]:
    """Version and parameters of the phantom, as rows of its patients say them."""
    return {"phantom_version": PHANTOM_VERSION, "parameter_hash": parameter_hash()}


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Rows of a file, in the order in which they were written; a last line that was cut off is left out."""
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").split("\n")
    return [json.loads(line) for line in lines[:-1] if line]


def _checked(path: Path, about: Mapping[str, str]) -> list[dict[str, Any]]:
    """Rows so far, if they say the same ``about`` themselves; the file is left with whole lines only."""
    rows = read_rows(path)
    for row in rows:
        got = {name: row.get(name) for name in about}
        if got != about:
            raise InputError(
                f"{path.name} holds patients of another phantom.",
                expected=", ".join(f"{name} {value[:12]}" for name, value in about.items()),
                got=", ".join(f"{name} {str(value)[:12]}" for name, value in got.items()),
                hint="Choose another folder with --out.",
                code="other_phantom",
            )
    if path.exists():
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return rows


def _in_processes(make: Callable[[Job], list[Row]], jobs: Sequence[Job], processes: int) -> Iterator[list[Row]]:
    if processes == 1 or len(jobs) == 1:
        yield from map(make, jobs)
        return
    # Fresh processes: no thread of the caller is forked.
    with get_context("spawn").Pool(processes) as pool:
        yield from pool.imap_unordered(make, jobs)


def rows_of_jobs(
    path: Path,
    jobs: Callable[[Sequence[Row]], Sequence[Job]],
    make: Callable[[Job], list[Row]],
    about: Mapping[str, str],
    processes: int = 1,
    on_progress: Callable[[int, int], None] = lambda done, jobs: None,
) -> list[dict[str, Any]]:
    """All rows of a file after those of the missing jobs were appended, each as soon as it is made.

    Parameters
    ----------
    jobs
        From the rows that are there: what is still to be done.
    make
        Rows of one job; can be pickled.
    about
        What every row says besides, and what rows of an earlier run must say, too.
    on_progress
        Told how many of the missing jobs are done, and how many they were; may raise `Cancelled`.

    Raises
    ------
    InputError
        ``other_phantom``: the file's rows say something else ``about`` themselves.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    missing = jobs(_checked(path, about))
    with path.open("a", encoding="utf-8") as file:
        for count, rows in enumerate(_in_processes(make, missing, processes), start=1):
            file.write("".join(json.dumps({**row, **about}) + "\n" for row in rows))
            file.flush()
            on_progress(count, len(missing))
    return read_rows(path)


def rows_of_patients(
    path: Path,
    seeds: Sequence[int],
    figures: Callable[[int], Mapping[str, Any]],
    processes: int = 1,
    on_progress: Callable[[int], None] = lambda done: None,
) -> list[dict[str, Any]]:
    """Rows of all ``seeds``, by seed, appended to ``path`` as they come; those that are there are not made again.

    Parameters
    ----------
    figures
        One patient's figures, from his seed, ``seed`` among them; can be pickled.
    on_progress
        Told how many patients are done.

    Raises
    ------
    InputError
        ``other_phantom``: the file holds patients of another phantom version or with other parameters.
    """

    def missing(rows: Sequence[Row]) -> list[int]:
        done = {row["seed"] for row in rows}
        return [seed for seed in seeds if seed not in done]

    rows = rows_of_jobs(
        path,
        missing,
        partial(_one_row, figures=figures),
        phantom_identity(),
        processes,
        lambda done, jobs: on_progress(len(seeds) - jobs + done),
    )
    wanted = set(seeds)
    return sorted((row for row in rows if row["seed"] in wanted), key=lambda row: row["seed"])


def _one_row(seed: int, *, figures: Callable[[int], Mapping[str, Any]]) -> list[Row]:
    return [figures(seed)]
