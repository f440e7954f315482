"""The thin pair of a case: NCCT and CTA on one fine grid, with the arteries labelled and as centre lines."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from perfusynth import atomic
from perfusynth.phantom.arteries.centre_lines import centre_lines, vein_lines
from perfusynth.phantom.arteries.courses import ARTERY_LABELS
from perfusynth.phantom.case.files import write_volume
from perfusynth.phantom.case.settings import plain_matrix
from perfusynth.phantom.ct.cta import artery_labels, render_cta
from perfusynth.phantom.ct.grids import thin_pair_grid
from perfusynth.phantom.ct.ncct import render_ncct
from perfusynth.phantom.ct.scanners import CTA_PROTOCOL, Scanner
from perfusynth.phantom.scene import Scene


def write_thin_pair(
    folder: Path, scene: Scene, scanner: Scanner, fixed_to_moving: np.ndarray, noise_seed: int
) -> dict[str, Any]:
    """Write the four files; returns what ``case.json`` says about them."""
    to_head = np.linalg.inv(fixed_to_moving)
    own = thin_pair_grid(scene.patient, to_head)
    grid = own.moved(to_head)
    hu, _ = render_ncct(scene, grid, scanner, noise_seed)
    write_volume(folder / "ncct.nii.gz", hu, own, np.int16, "thin NCCT, HU")
    hu, _ = render_cta(scene, grid, CTA_PROTOCOL, noise_seed)
    write_volume(folder / "cta.nii.gz", hu, own, np.int16, "thin CTA, HU")
    write_volume(folder / "artery_labels.nii.gz", artery_labels(scene, grid), own, np.uint8, "artery labels")
    lines = {
        "frame": "moving",
        "unit": "RAS mm",
        "labels": ARTERY_LABELS,
        "arteries": centre_lines(scene.patient, fixed_to_moving),
        "veins": vein_lines(scene.patient, fixed_to_moving),
    }
    text = json.dumps(lines, sort_keys=True, allow_nan=False)
    atomic.write_bytes(folder / "centre_lines.json", (text + "\n").encode())
    return {"shape": list(own.shape), "affine": plain_matrix(own.affine), "slab_mm": own.slab_mm, "frame": "moving"}
