"""The information ceiling of the very patients of an evaluation, as rows beside those of the methods."""

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from pathlib import Path
from typing import Any

from perfusynth import atomic
from perfusynth.evaluation.information_ceiling import arteries, measurement, regions, visible
from perfusynth.evaluation.information_ceiling.bank import Draws, bank_of
from perfusynth.evaluation.information_ceiling.ceiling import Ceiling, Patients, render_patients
from perfusynth.evaluation.information_ceiling.chunks import chunked, code_stamp
from perfusynth.evaluation.information_ceiling.report import as_rows
from perfusynth.evaluation.information_ceiling.run import DRAWS, RENDERED_CHUNK
from perfusynth.evaluation.information_ceiling.sign_reader import shipped_sign_reader
from perfusynth.evaluation.model_figures.names import CEILING, CEILING_PRIOR
from perfusynth.evaluation.patient_rows import phantom_identity

#: What of a method's row is the patient's own, and so the ceiling's row's too.
PATIENT_KEYS = ("case", "seed", "site", "side", "onset_h", "mimic", "sign_clot", "sign_core", "scanner", "protocol")
#: Report of `make information-ceiling`, in the ceiling's folder; and what was made here, patient by patient.
REPORT_FILE, MADE_FILE = "ceiling.json", "ceiling_of_patients.json"

#: Told a stage and the fraction of it that is done.
OnFraction = Callable[[str, float], None]


def ceiling_of_seeds(
    folder: Path, seeds: range, *, draws: int = DRAWS, processes: int = 1, on_progress: OnFraction
) -> dict[int, Mapping[str, Any]]:
    """Each patient's figures (`PatientCeiling`) by seed; those that the folder holds are read, the others made.

    Parameters
    ----------
    folder
        Of `information_ceiling`: its bank of twins (drawn where there is none), its report.
    draws
        Twins in the bank.

    Raises
    ------
    InputError
        Code ``other_phantom``: the bank is of another phantom.
    """
    found = _read(folder)
    if any(seed not in found for seed in seeds):
        found |= _made(folder, seeds, draws, processes, on_progress)
        text = json.dumps({**phantom_identity(), "rows": list(found.values())}, default=float)
        atomic.write_bytes(folder / MADE_FILE, text.encode())
    return {seed: found[seed] for seed in seeds}


def _read(folder: Path) -> dict[int, Mapping[str, Any]]:
    found: dict[int, Mapping[str, Any]] = {}
    for name in (REPORT_FILE, MADE_FILE):
        if (folder / name).is_file():
            report = json.loads((folder / name).read_text(encoding="utf-8"))
            if report["parameter_hash"] == phantom_identity()["parameter_hash"]:
                found |= {row["seed"]: row for row in report["rows"]}
    return found


def _made(
    folder: Path, seeds: range, draws: int, processes: int, on_progress: OnFraction
) -> dict[int, Mapping[str, Any]]:
    def telling(stage: str) -> Callable[[int, int], None]:
        return lambda done, total: on_progress(stage, done / max(total, 1))

    bank = bank_of(folder, draws, processes=processes, on_progress=telling("twins of the ceiling"))
    stem = f"patients_{code_stamp(arteries, measurement, regions, visible)}"
    told = telling("patients of the ceiling")
    arrays = chunked(folder, stem, seeds, render_patients, size=RENDERED_CHUNK, processes=processes, on_progress=told)
    patients = Patients(Draws(**{f.name: arrays[f.name] for f in fields(Draws)}), arrays["measured"], arrays["gain"])
    reader = shipped_sign_reader()
    ceiling = Ceiling(bank, reader.observer, reader.cuts)
    ceiling.prepare(patients.truth.sites)
    figures = []
    with ThreadPoolExecutor(processes) as pool:
        for posterior in pool.map(lambda number: ceiling.posterior(patients, number), range(len(patients))):
            figures.append(posterior.figures)
            telling("posteriors of the ceiling")(len(figures), len(patients))
    return {row["seed"]: row for row in as_rows(figures)}


def ceiling_rows(rows: Sequence[Mapping[str, Any]], ceiling: Mapping[int, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows of the ceiling and of its prior, one a patient each, beside one method's rows of these patients.

    Their Dice is that of the noise-free region on the ceiling's own lattice; whether there is a deficit is the same
    question for all. Volumes are left out: the ceiling's marked set always supposes a deficit.
    """
    found = []
    for row in rows:
        own = ceiling[row["seed"]]
        patient = {key: row.get(key) for key in PATIENT_KEYS}
        truth = {key: value for key, value in row.items() if key == "deficit" or key.startswith("truth_")}
        about = {"kind": "ceiling", "identity": phantom_identity()["parameter_hash"][:12], **patient, **truth}
        to_find = row["deficit"]
        found.append(
            {
                **about,
                "method": CEILING,
                "dice_6": own["dice"] if to_find else None,
                "dice_core": own["dice_core"] if to_find else None,
                "made_side": "right" if own["right_probability"] > 0.5 else "left",
            }
        )
        found.append({**about, "method": CEILING_PRIOR, "dice_6": own["dice_prior"] if to_find else None})
    return found
