"""A patient on one grid with all that training and evaluation need: NCCT, maps and masks in the NCCT's frame."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from perfusynth.phantom.ct.grids import native_grid
from perfusynth.phantom.ct.ncct import render_ncct
from perfusynth.phantom.ct.scanners import SCANNERS, Scanner
from perfusynth.phantom.grid import Grid, brain_extent, planes_of
from perfusynth.phantom.lattice import BRAIN, sample, stream
from perfusynth.phantom.patient import Patient, draw_patient
from perfusynth.phantom.scene import Scene, scene_of
from perfusynth.volumes.model_grid import ModelGrid

#: The compact model grid of the design: voxels in plane, mm, mm.
MODEL_GRID = ModelGrid(size=192, spacing_mm=1.2, slab_mm=5.0)
#: SD of the jitter of a training grid about the brain's centre, mm: brain masks differ by as much.
CENTRE_JITTER_MM = 1.5


@dataclass(frozen=True, eq=False)
class RenderedCase:
    """A rendered patient.

    Parameters
    ----------
    volumes
        float32 ``(x, y, z)``: ``ncct`` [HU], ``tmax`` [s], ``cbf`` [mL/100 g/min]; masks ``brain, core, valid``.
    affine
        4x4, voxel to RAS mm.
    """

    volumes: dict[str, np.ndarray]
    affine: np.ndarray
    patient: Patient
    scanner: Scanner


def render(patient: Patient, grid: Grid, scanner: Scanner, noise_seed: int) -> RenderedCase:
    """Render NCCT, maps and masks on one grid in the head's frame; see `render_ncct`."""
    scene = scene_of(patient)
    ncct, brain = render_ncct(scene, grid, scanner, noise_seed)
    volumes = {"ncct": ncct, "brain": brain.astype(np.float32), **_maps(scene, grid, brain)}
    volumes["valid"] = np.ones(grid.shape, dtype=np.float32)
    return RenderedCase(volumes, grid.affine, patient, scanner)


def _maps(scene: Scene, grid: Grid, brain: np.ndarray) -> dict[str, np.ndarray]:
    fields = scene.haemodynamics
    volumes = {name: np.zeros(grid.shape, dtype=np.float32) for name in ("tmax", "cbf", "core")}
    for planes in planes_of(scene.placement, grid, brain_only=True):
        at = np.nonzero(brain[planes.where])
        points = planes.centres(scene.placement, grid)[:, at[0], at[1], at[2]]
        in_ventricle = sample(scene.tissue.ventricle, BRAIN, points) > 0.5
        volumes["tmax"][planes.where][at] = np.where(in_ventricle, 0, sample(fields.tmax_expected_s, BRAIN, points))
        volumes["cbf"][planes.where][at] = sample(fields.cbf, BRAIN, points)
        volumes["core"][planes.where][at] = sample(fields.core, BRAIN, points) > 0.5
    return volumes


def render_native(patient: Patient, scanner: Scanner, noise_seed: int) -> RenderedCase:
    """Render on the scanner's own matrix, from below the foramen magnum to above the vertex."""
    grid = native_grid(patient, scanner)
    return render(patient, grid, scanner, noise_seed)


def render_on_model_grid(
    seed: int, scanner: Scanner | None = None, *, change: Callable[[Patient], Patient] | None = None
) -> RenderedCase:
    """Draw and render a patient for training: `MODEL_GRID` centred on the brain, in whole slabs; RAS.

    The scanner is drawn from the seed when it is None. ``change`` alters the patient that was drawn (a twin without a
    clot, a curriculum's stronger sign); nothing else of the drawing depends on it.
    """
    patient = draw_patient(seed)
    if change is not None:
        patient = change(patient)
    rng = stream(seed, "model grid")
    drawn = sorted(name for name, s in SCANNERS.items() if s.training)[int(rng.integers(1 << 30)) % 3]
    scanner = scanner if scanner is not None else SCANNERS[drawn]
    low, high = brain_extent(patient)
    slabs = max(1, int(np.ceil((high[2] - low[2]) / MODEL_GRID.slab_mm)))
    step = np.array([MODEL_GRID.spacing_mm, MODEL_GRID.spacing_mm, MODEL_GRID.slab_mm])
    shape = (MODEL_GRID.size, MODEL_GRID.size, slabs)
    affine = np.diag([*step, 1.0])
    centre = (low + high) / 2 + CENTRE_JITTER_MM * rng.standard_normal(3)
    affine[:3, 3] = centre - step * (np.array(shape) - 1) / 2
    noise_seed = int(rng.integers(1 << 31))
    return render(patient, Grid(shape, affine, MODEL_GRID.slab_mm), scanner, noise_seed)
