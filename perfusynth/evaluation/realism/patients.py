"""One row of figures a patient, from one seed; many patients in a file of JSON lines that can be continued."""

import json
import math
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from perfusynth.errors import InputError
from perfusynth.evaluation.realism.mr_figures import mr_figures
from perfusynth.evaluation.realism.ncct_figures import (
    asymmetry_figures,
    contrast_figures,
    identity_figures,
    scans_of,
    visibility_figures,
)
from perfusynth.evaluation.realism.perfusion_figures import perfusion_figures
from perfusynth.evaluation.realism.sign_figures import artery_figures
from perfusynth.phantom.ct.misregistration import draw_misregistration
from perfusynth.phantom.patient import Patient, draw_patient
from perfusynth.phantom.scene import scene_of
from perfusynth.phantom.version import PHANTOM_VERSION, parameter_hash


def drawn_figures(patient: Patient) -> dict[str, Any]:
    """What rows need of the numbers that were drawn; no image is made."""
    stroke = patient.stroke
    moved = draw_misregistration(patient.seed)
    turn = math.degrees(math.acos(float(np.clip((np.trace(moved[:3, :3]) - 1) / 2, -1, 1))))
    return {
        "seed": patient.seed,
        "age": patient.age,
        "site": stroke.site,
        "side": stroke.side,
        "collaterals": stroke.collaterals,
        "onset_h": stroke.onset_to_imaging_h,
        "chronic_ica": stroke.chronic_ica,
        "reperfused": stroke.reperfused,
        "clot_length_mm": stroke.clot_length_mm,
        "drawn_core_ml": stroke.core_target_ml,
        "drawn_tmax6_ml": stroke.tmax6_target_ml,
        "drawn_nwu_percent": stroke.nwu_percent,
        "shift_mm": float(np.linalg.norm(moved[:3, 3])),
        "turn_deg": turn,
    }


def figures_of(seed: int) -> dict[str, Any]:
    """All figures of one patient (some seconds); a figure that he does not have is absent or ``None``."""
    patient = draw_patient(seed)
    scene = scene_of(patient)
    scans = scans_of(scene)
    return {
        **drawn_figures(patient),
        **contrast_figures(scans),
        **asymmetry_figures(scans),
        **visibility_figures(scans),
        **artery_figures(scene),
        **perfusion_figures(scans.view),
        **mr_figures(scene),
        # Last: it needs a third scene, and only two are kept.
        **identity_figures(scans),
    }


def _about() -> dict[str, str]:
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
        about = {name: row[name] for name in _about()}
        if about != _about():
            raise InputError(
                f"{path.name} holds patients of another phantom.",
                expected=f"parameter hash {_about()['parameter_hash'][:12]}",
                got=f"{about['parameter_hash'][:12]}, version {about['phantom_version']}",
                hint="Choose another folder with --out.",
                code="other_phantom",
            )
    if path.exists():
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return rows


def _in_processes(seeds: Sequence[int], processes: int) -> Iterator[dict[str, Any]]:
    if processes == 1:
        yield from map(figures_of, seeds)
        return
    with get_context("spawn").Pool(processes) as pool:
        yield from pool.imap_unordered(figures_of, seeds)


def measure_patients(
    path: Path, seeds: Sequence[int], processes: int = 1, on_progress: Callable[[int], None] = lambda done: None
) -> list[dict[str, Any]]:
    """Figures of all ``seeds``, appended to ``path`` as they come; those that are there already are not made again.

    Raises
    ------
    InputError
        The file holds patients of another phantom version or with other parameters.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    done = {row["seed"] for row in _checked(path)}
    missing = [seed for seed in seeds if seed not in done]
    with path.open("a", encoding="utf-8") as file:
        for count, row in enumerate(_in_processes(missing, processes), start=1):
            file.write(json.dumps({**row, **_about()}) + "\n")
            file.flush()
            on_progress(len(seeds) - len(missing) + count)
    wanted = set(seeds)
    return [row for row in read_rows(path) if row["seed"] in wanted]
