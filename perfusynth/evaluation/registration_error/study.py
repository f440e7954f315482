"""Simulated pairs registered, figures of each; three sets of seeds that share no digital patient.

Registration rarely fails on them but for two patients, who are nothing like a place some millimetres off. So every pair
gives a second row: the transform and its restarts displaced together by a known motion, as if registration had ended in
a wrong optimum that all restarts agree on. Models are fitted on both kinds of rows.
"""

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from perfusynth.errors import InputError
from perfusynth.evaluation.patient_rows import Row, phantom_identity, rows_of_jobs
from perfusynth.evaluation.registration_error.motion import drawn_displacement
from perfusynth.evaluation.registration_error.pairs import SEEDS_A_BLOCK, SimulatedPair, simulated_pair
from perfusynth.phantom.lattice import stream
from perfusynth.registration.error_probability import WRONG_MM
from perfusynth.registration.head_images import prepared
from perfusynth.registration.quality_figures import quality_figures
from perfusynth.registration.register import Registered, register
from perfusynth.registration.registration_settings import RegistrationSettings

Part = Literal["fit", "check", "report"]

#: Block of seeds of each part; block 0 is the benchmark's (tests/benchmarks/registration.py).
BLOCKS: dict[Part, int] = {"fit": 1, "check": 2, "report": 3}
#: Hard and ordinary pairs of each part.
HARD_PAIRS: dict[Part, int] = {"fit": 100, "check": 52, "report": 200}
ORDINARY_PAIRS: dict[Part, int] = {"fit": 25, "check": 12, "report": 24}
#: Length of the displacement in second rows, mm: least and largest, evenly on a logarithmic scale.
DISPLACED_MM = (0.4, 15.0)
#: File of rows in the folder of a run.
ROWS = "rows.jsonl"

#: Part, seed, whether it is a hard pair.
Job = tuple[Part, int, bool]


def jobs_of(share: float = 1.0) -> list[Job]:
    """All pairs, part by part; of each kind the first ``share`` of the seeds, at least four."""
    jobs: list[Job] = []
    for part, block in BLOCKS.items():
        for hard, count in ((False, ORDINARY_PAIRS[part]), (True, HARD_PAIRS[part])):
            seeds = range(block * SEEDS_A_BLOCK, block * SEEDS_A_BLOCK + max(4, math.ceil(share * count)))
            jobs += [(part, seed, hard) for seed in seeds]
    return jobs


def row_of(job: Job) -> list[Row]:
    """One pair as it was registered, and displaced: figures, true error (mm; None for two patients), seconds."""
    part, seed, hard = job
    pair = simulated_pair(seed, hard)
    row: dict[str, Any] = {"part": part, "seed": seed, "hard": hard, "kind": pair.kind, "heads": list(pair.heads)}
    try:
        found = register(pair.fixed, pair.moving)
    except InputError as error:
        return [{**row, "refused": error.code}]
    error_mm = pair.error_mm(found.fixed_to_moving)
    row |= {"displaced": False, "error_mm": error_mm if math.isfinite(error_mm) else None}
    row |= {"figures": dict(found.figures), "seconds": round(found.seconds, 2)}
    return [row] if row["error_mm"] is None else [row, row | _displaced(pair, found)]


def _displaced(pair: SimulatedPair, found: Registered) -> dict[str, Any]:
    """What differs in the second row."""
    rng = stream(pair.seed, f"displaced {pair.kind}")
    length_mm = float(np.exp(rng.uniform(*np.log(DISPLACED_MM))))
    moved = drawn_displacement(rng, pair.points.mean(axis=0), length_mm)
    there, *restarts = (transform @ moved for transform in (found.fixed_to_moving, *found.restarts))
    fixed, moving = (prepared(image, RegistrationSettings()) for image in (pair.fixed, pair.moving))
    figures = quality_figures(fixed, moving, there, restarts=restarts)
    return {"displaced": True, "error_mm": pair.error_mm(there), "figures": figures}


def settings_hash() -> str:
    """SHA-256 (hex) of the settings that registration runs with."""
    return hashlib.sha256(repr(RegistrationSettings()).encode()).hexdigest()


def is_wrong(row: Row) -> bool:
    """Whether a registered pair is wrong by more than `WRONG_MM`; two patients always are."""
    return row["error_mm"] is None or row["error_mm"] > WRONG_MM


def measure_pairs(
    folder: Path,
    jobs: Sequence[Job],
    processes: int = 1,
    on_progress: Callable[[int, int], None] = lambda done, missing: None,
) -> list[dict[str, Any]]:
    """Rows of all pairs; those that the folder holds already are not made again.

    Raises
    ------
    InputError
        ``other_phantom``: the folder's rows are of another phantom, or registered with other settings.
    """

    def missing(rows: Sequence[Row]) -> list[Job]:
        done = {_key(row) for row in rows}
        return [job for job in jobs if job not in done]

    about = phantom_identity() | {"registration_settings": settings_hash()}
    rows = rows_of_jobs(folder / ROWS, missing, row_of, about, processes, on_progress)
    wanted = set(jobs)
    return sorted(
        (row for row in rows if _key(row) in wanted),
        key=lambda row: (row["seed"], row["hard"], row.get("displaced", False)),
    )


def usable(rows: Sequence[Mapping[str, Any]], part: Part) -> list[Mapping[str, Any]]:
    """Rows of a part, registered and displaced, that have figures."""
    return [row for row in rows if row["part"] == part and "refused" not in row]


def registered(rows: Sequence[Mapping[str, Any]], part: Part, *, hard: bool | None = None) -> list[Mapping[str, Any]]:
    """Rows of a part as they were registered; ``hard``: only the hard, only the ordinary, or (None) both."""
    return [row for row in usable(rows, part) if not row["displaced"] and (hard is None or row["hard"] is hard)]


def _key(row: Mapping[str, Any]) -> Job:
    return row["part"], row["seed"], row["hard"]
