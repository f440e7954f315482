"""The simulator's own fields on a grid: what no measurement sees, kept beside the maps that deconvolution makes."""

from pathlib import Path

import numpy as np

from perfusynth.phantom.case.content import ml, tmax_volumes_ml
from perfusynth.phantom.case.files import write_volume
from perfusynth.phantom.grid import Grid, planes_of
from perfusynth.phantom.head.atlas import FORAMEN_MAGNUM_Z
from perfusynth.phantom.lattice import BRAIN, HEAD, sample
from perfusynth.phantom.scene import Scene

#: File in ``truth/`` -> what it holds.
FIELDS: dict[str, str] = {
    "delay_s": "bolus delay, s",
    "dispersion_s": "dispersion, s",
    "mtt": "MTT, s",
    "cbf": "CBF, mL/100 g/min",
    "cbv": "CBV, mL/100 g",
    "core": "infarcted share of tissue",
    "water_uptake": "net water uptake, %",
    "tmax_expected": "Tmax without noise, s",
}
#: Share of a voxel that must be brain for truth to be told there.
BRAIN_SHARE = 0.5
#: Share of a voxel that must be infarcted for it to count as core.
CORE_SHARE = 0.5


def on_lattice(scene: Scene) -> dict[str, np.ndarray]:
    """The fields of `FIELDS` on `BRAIN`."""
    fields = scene.haemodynamics
    return {
        "delay_s": fields.delay_s,
        "dispersion_s": fields.dispersion_s,
        "mtt": fields.mtt_s,
        "cbf": fields.cbf,
        "cbv": fields.cbv,
        "core": scene.infarct,
        "water_uptake": fields.water_uptake_percent,
        "tmax_expected": fields.tmax_expected_s,
    }


def on_grid(scene: Scene, grid: Grid, fields: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Fields of `BRAIN` averaged over each voxel's slab, 0 outside the brain, float32.

    ``grid`` is in the head's frame.
    """
    found = {name: np.zeros(grid.shape, dtype=np.float32) for name in fields}
    for planes in planes_of(scene.placement, grid, brain_only=True):
        points = planes.points.reshape(3, -1)
        beyond = sample(scene.skull.beyond, HEAD, points, outside=120.0)
        brain = planes.averaged((beyond < 0) & (points[2] > FORAMEN_MAGNUM_Z)) >= BRAIN_SHARE
        for name, field in fields.items():
            found[name][planes.where] = planes.averaged(sample(field, BRAIN, points)) * brain
    return found


def write_truth(folder: Path, scene: Scene, grid: Grid, own: Grid) -> dict[str, float]:
    """Write all fields to ``folder``; returns volumes in mL: of the expected Tmax, and of voxels mostly infarcted.

    Parameters
    ----------
    grid
        In the head's frame.
    own
        The same voxels in the frame that the files are written in.
    """
    found = on_grid(scene, grid, on_lattice(scene))
    for name, values in found.items():
        write_volume(folder / f"{name}.nii.gz", values, own, np.float32, f"truth, {FIELDS[name]}")
    return tmax_volumes_ml(found["tmax_expected"], grid) | {"core": ml(found["core"] > CORE_SHARE, grid)}
