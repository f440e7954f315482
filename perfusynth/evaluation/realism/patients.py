"""One row of figures a patient, from one seed, and many patients' rows."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from perfusynth.evaluation.patient_rows import rows_of_patients
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


def measure_patients(
    path: Path, seeds: Sequence[int], processes: int = 1, on_progress: Callable[[int], None] = lambda done: None
) -> list[dict[str, Any]]:
    """Figures of all ``seeds``, appended to ``path`` as they come; those that are there already are not made again.

    Raises
    ------
    InputError
        The file holds patients of another phantom version or with other parameters.
    """
    return rows_of_patients(path, seeds, figures_of, processes, on_progress)
