"""Rows of figures, one a patient, in a file of JSON lines that a later run continues."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from perfusynth.errors import InputError
from perfusynth.phantom.version import PHANTOM_VERSION, parameter_hash


def _of_phantom() -> dict[str, str]:
    return {"phantom_version": PHANTOM_VERSION, "parameter_hash": parameter_hash()}


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Rows of a file, by seed; a last line that was cut off is left out."""
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").split("\n")
    rows = [json.loads(line) for line in lines[:-1] if line]
    return sorted(rows, key=lambda row: row["seed"])


def _checked(path: Path) -> list[dict[str, Any]]:
    """Rows so far, if they are of this phantom; the file is left with whole lines only."""
    rows = read_rows(path)
    for row in rows:
        about = {name: row[name] for name in _of_phantom()}
        if about != _of_phantom():
            raise InputError(
                f"{path.name} holds patients of another phantom.",
                expected=f"parameter hash {_of_phantom()['parameter_hash'][:12]}",
                got=f"{about['parameter_hash'][:12]}, version {about['phantom_version']}",
                hint="Choose another folder with --out.",
                code="other_phantom",
            )
    if path.exists():
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return rows


def _in_processes(
    figures: Callable[[int], Mapping[str, Any]], seeds: Sequence[int], processes: int
) -> Iterator[Mapping[str, Any]]:
    if processes == 1:
        yield from map(figures, seeds)
        return
    with get_context("spawn").Pool(processes) as pool:
        yield from pool.imap_unordered(figures, seeds)


def rows_of_patients(
    path: Path,
    seeds: Sequence[int],
    figures: Callable[[int], Mapping[str, Any]],
    processes: int = 1,
    on_progress: Callable[[int], None] = lambda done: None,
) -> list[dict[str, Any]]:
    """Rows of all ``seeds``, appended to ``path`` as they come; those that are there already are not made again.

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
    path.parent.mkdir(parents=True, exist_ok=True)
    done = {row["seed"] for row in _checked(path)}
    missing = [seed for seed in seeds if seed not in done]
    with path.open("a", encoding="utf-8") as file:
        for count, row in enumerate(_in_processes(figures, missing, processes), start=1):
            file.write(json.dumps({**row, **_of_phantom()}) + "\n")
            file.flush()
            on_progress(len(seeds) - len(missing) + count)
    wanted = set(seeds)
    return [row for row in read_rows(path) if row["seed"] in wanted]
