"""A patient on one grid with all that training and evaluation need: NCCT, measured maps and masks in one frame."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from perfusynth.phantom.ct.grids import slice_axes
from perfusynth.phantom.ct.ncct import render_ncct
from perfusynth.phantom.ct.scanners import SCANNERS, Scanner
from perfusynth.phantom.ctp.maps import measured_maps
from perfusynth.phantom.ctp.protocols import PROTOCOLS, Protocol
from perfusynth.phantom.grid import Grid, brain_extent, planes_of
from perfusynth.phantom.lattice import BRAIN, sample, stream
from perfusynth.phantom.patient import Patient, draw_patient
from perfusynth.phantom.scene import Scene, scene_of
from perfusynth.volumes.model_grid import ModelGrid

#: The compact model grid of the design: voxels in plane, mm, mm.
MODEL_GRID = ModelGrid(size=192, spacing_mm=1.2, slab_mm=5.0)
#: SD of the jitter of a training grid about the brain's centre, mm: brain masks differ by as much.
CENTRE_JITTER_MM = 1.5
#: Height that a perfusion study covers where training is not to lose slabs to a short coverage, mm.
WHOLE_HEAD_MM = 300.0


@dataclass(frozen=True, eq=False)
class RenderedCase:
    """A rendered patient.

    Parameters
    ----------
    volumes
        float32 ``(x, y, z)``: ``ncct`` [HU]; maps as measured ``tmax, mtt`` [s], ``cbf`` [mL/100 g/min], ``cbv``
        [mL/100 g]; masks ``brain``, ``core`` (infarcted tissue, as DWI shows it), ``valid`` (where maps exist).
    affine
        4x4, voxel to RAS mm.
    """

    volumes: dict[str, np.ndarray]
    affine: np.ndarray
    patient: Patient
    scanner: Scanner
    protocol: Protocol


def render(patient: Patient, grid: Grid, scanner: Scanner, protocol: Protocol, noise_seed: int) -> RenderedCase:
    """Render NCCT, measured maps and masks on one grid in the head's frame.

    ``noise_seed`` seeds all that differs between two scans of one head on one scanner by one protocol.
    """
    scene = scene_of(patient)
    ncct, brain = render_ncct(scene, grid, scanner, noise_seed)
    maps = measured_maps(scene, grid, protocol, noise_seed)
    volumes = {
        "ncct": ncct,
        **{name: getattr(maps, name) * brain for name in ("tmax", "cbf", "cbv", "mtt")},
        "brain": brain.astype(np.float32),
        "core": core_on(scene, grid, brain).astype(np.float32),
        "valid": maps.valid.astype(np.float32),
    }
    return RenderedCase(volumes, grid.affine, patient, scanner, protocol)


def core_on(scene: Scene, grid: Grid, brain: np.ndarray) -> np.ndarray:
    """The infarcted tissue at voxel centres inside ``brain``, bool."""
    core = np.zeros(grid.shape, dtype=bool)
    for planes in planes_of(scene.placement, grid, brain_only=True):
        at = np.nonzero(brain[planes.where])
        points = planes.centres(scene.placement, grid)[:, at[0], at[1], at[2]]
        core[planes.where][at] = sample(scene.infarct, BRAIN, points) > 0.5
    return core


def whole_head(protocol: Protocol) -> Protocol:
    """The protocol as if it covered the whole head."""
    return replace(protocol, coverage_mm=WHOLE_HEAD_MM)


def render_on_model_grid(
    seed: int,
    scanner: Scanner | None = None,
    protocol: Protocol | None = None,
    *,
    change: Callable[[Patient], Patient] | None = None,
) -> RenderedCase:
    """Draw and render a patient for training on his `model_grid`, along the scanner's axes.

    Scanner and protocol (over the whole head) are drawn from the seed among those for training when they are None.
    ``change`` alters the patient that was drawn (a twin without a clot, a curriculum's stronger sign); nothing else
    of the drawing depends on it.
    """
    patient = draw_patient(seed)
    if change is not None:
        patient = change(patient)
    rng = stream(seed, "model grid")
    scanners = sorted(name for name, s in SCANNERS.items() if s.training)
    protocols = sorted(name for name, p in PROTOCOLS.items() if p.training)
    drawn_scanner, drawn_protocol = scanners[rng.integers(len(scanners))], protocols[rng.integers(len(protocols))]
    scanner = scanner if scanner is not None else SCANNERS[drawn_scanner]
    protocol = protocol if protocol is not None else whole_head(PROTOCOLS[drawn_protocol])
    jitter = CENTRE_JITTER_MM * rng.standard_normal(3)
    frame = np.eye(4)
    frame[:3, :3] = slice_axes(scanner)  # inclined where the scanner's gantry tilts
    grid = model_grid(patient, frame, jitter).moved(frame)
    return render(patient, grid, scanner, protocol, int(rng.integers(1 << 31)))


def model_grid(patient: Patient, frame: np.ndarray | None = None, offset_mm: np.ndarray | float = 0.0) -> Grid:
    """`MODEL_GRID` about the brain's centre, in whole slabs; its affine leads to ``frame``.

    ``frame`` (4x4, rigid) takes that frame's coordinates to RAS mm of the head's frame; None: the head's own.
    ``offset_mm`` moves the centre along the frame's axes.
    """
    low, high = brain_extent(patient, frame)
    slabs = max(1, int(np.ceil((high[2] - low[2]) / MODEL_GRID.slab_mm)))
    step = np.array([MODEL_GRID.spacing_mm, MODEL_GRID.spacing_mm, MODEL_GRID.slab_mm])
    shape = (MODEL_GRID.size, MODEL_GRID.size, slabs)
    affine = np.diag([*step, 1.0])
    affine[:3, 3] = (low + high) / 2 + offset_mm - step * (np.array(shape) - 1) / 2
    return Grid(shape, affine, MODEL_GRID.slab_mm)
