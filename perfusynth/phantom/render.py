"""A patient on a scanner: NCCT, Tmax, CBF and masks on any orthogonal grid, on the native one, on the model grid."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from perfusynth.phantom.anatomy import FORAMEN_MAGNUM_Z, atlas, tissue_of
from perfusynth.phantom.arteries import add_arteries
from perfusynth.phantom.attenuation import intracranial_hu
from perfusynth.phantom.lattice import BRAIN, HEAD, linear_weights, sample, stream
from perfusynth.phantom.noise import noise_field, slice_offsets
from perfusynth.phantom.patient import Patient, draw_patient
from perfusynth.phantom.perfusion_fields import PerfusionFields, perfusion_fields
from perfusynth.phantom.pose import Placement, placement_of, template_coordinates
from perfusynth.phantom.scanners import SCANNERS, Scanner
from perfusynth.phantom.skull import AIR_HU, FACE_LIMIT_Z, SkullFields, extracranial_hu, outer_head, skull_fields
from perfusynth.volumes.model_grid import ModelGrid

#: The compact model grid of the design: voxels in plane, mm, mm.
MODEL_GRID = ModelGrid(size=192, spacing_mm=1.2, slab_mm=5.0)
#: SD of the jitter of a training grid about the brain's centre, mm: brain masks differ by as much.
CENTRE_JITTER_MM = 1.5
#: Largest distance between the planes that are averaged to one slab, mm.
PLANE_MM = 1.8
#: What a native scan shows above the vertex and below the foramen magnum, mm.
NATIVE_MARGIN_MM = (18.0, 12.0)
#: Nodes along each axis when looking for the head.
COARSE_NODES = 40
#: Distance from the inner table beyond which there is only air above the face, mm; top of the face, MNI z.
CALVARIA_MM = 32.0
#: In-plane distance of the points at which the skull's smooth fields are sampled, mm.
SKULL_STEP_MM = 2.0
#: Points rendered at once, to bound the memory.
CHUNK_POINTS = 4_000_000


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


@dataclass(frozen=True, eq=False)
class _Head:
    """All fields of one patient that do not depend on the grid."""

    placement: Placement
    skull: SkullFields
    hu: np.ndarray
    ventricle: np.ndarray
    perfusion: PerfusionFields


def _head_of(patient: Patient, scanner: Scanner) -> _Head:
    tissue = tissue_of(patient)
    fields = perfusion_fields(patient, tissue)
    hu = intracranial_hu(patient, tissue, fields, beam_hardening=scanner.beam_hardening)
    return _Head(placement_of(patient), skull_fields(patient, atlas().cavity), hu, tissue.ventricle, fields)


@lru_cache(maxsize=2)
def _cached_head(patient: Patient, scanner: Scanner) -> _Head:
    return _head_of(patient, scanner)


def _planes(shape_z: int, slab_mm: float, spacing_z: float) -> tuple[int, np.ndarray]:
    """Planes a slab, and the fractional z indices of all planes, ascending."""
    count = max(1, round(slab_mm / PLANE_MM))
    offsets = ((np.arange(count) + 0.5) / count - 0.5) * slab_mm / spacing_z
    return count, (np.arange(shape_z)[:, None] + offsets[None]).ravel()


def _skull_at(
    head: _Head, affine: np.ndarray, ranges: tuple[np.ndarray, np.ndarray, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Distance beyond the inner table and skull thickness, mm, at all points of a grid, flat.

    Both are smooth: sampled in plane about as densely as the atlas itself, then interpolated linearly.
    """
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    coarse, weights = [], []
    for index, step in zip(ranges[:2], spacing[:2], strict=True):
        count = max(2, int(np.ceil((index[-1] - index[0]) * step / SKULL_STEP_MM)) + 1)
        nodes = np.linspace(index[0], index[-1], count)
        coarse.append(nodes)
        weights.append(linear_weights(count, (index - nodes[0]) / (nodes[1] - nodes[0])))
    points = template_coordinates(head.placement, affine, (coarse[0], coarse[1], ranges[2])).reshape(3, -1)
    found = []
    for field, outside in ((head.skull.beyond, 120.0), (head.skull.thickness, 6.0)):
        values = sample(field, HEAD, points, outside=outside).reshape(len(coarse[0]), len(coarse[1]), -1)
        values = np.tensordot(weights[0], values, axes=(1, 0))
        found.append(np.matmul(weights[1], values).ravel())
    return found[0], found[1]


def _ncct_and_inside(
    points: np.ndarray, beyond: np.ndarray, thickness: np.ndarray, head: _Head, patient: Patient, edge_mm: float
) -> tuple[np.ndarray, np.ndarray]:
    """Noise-free HU, and whether a point lies in the brain (inside the inner table, above the foramen magnum)."""
    hu = np.full(beyond.shape, AIR_HU, dtype=np.float32)
    within = np.flatnonzero(beyond < edge_mm)
    inner_points = points[:, within]
    inner = sample(head.hu, BRAIN, inner_points, outside=patient.csf_hu)
    add_arteries(inner, inner_points, patient)
    hu[within] = inner
    skin = thickness + np.float32(patient.scalp_mm + edge_mm)
    outside = np.flatnonzero((beyond > -edge_mm) & ((beyond < skin) | (points[2] < FACE_LIMIT_Z)))
    distance = beyond[outside]
    outer = extracranial_hu(distance, thickness[outside], points[:, outside], patient, edge_mm)
    share = np.clip(distance / np.float32(edge_mm) + 0.5, 0, 1)
    hu[outside] += share * (outer - hu[outside])
    return hu, (beyond < 0) & (points[2] > FORAMEN_MAGNUM_Z)


def render(
    patient: Patient,
    *,
    shape: tuple[int, int, int],
    affine: np.ndarray,
    slab_mm: float,
    scanner: Scanner,
    noise_seed: int,
) -> RenderedCase:
    """Render a patient on an orthogonal grid.

    Parameters
    ----------
    shape, affine
        The grid: voxels ``(x, y, z)``, 4x4 voxel to RAS mm, axes at right angles.
    slab_mm
        Slice thickness that is averaged over, along the third axis.
    scanner
        Noise, offsets, beam hardening.
    noise_seed
        Seed of all that differs between two scans of one head on one scanner.
    """
    affine = np.asarray(affine, dtype=np.float64)
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    head = _cached_head(patient, scanner)
    edge_mm = float(np.hypot(scanner.edge_mm, 0.6 * min(spacing[:2])))
    per_slab, planes = _planes(shape[2], slab_mm, spacing[2])
    volumes = {name: np.zeros(shape, dtype=np.float32) for name in ("ncct", "tmax", "cbf", "brain", "core")}
    volumes["ncct"] += AIR_HU
    x, y = _columns_with_head(head.placement, affine, shape)
    step = max(1, CHUNK_POINTS // (len(x) * len(y) * per_slab))
    for low in range(0, shape[2], step):
        high = min(low + step, shape[2])
        z = planes[low * per_slab : high * per_slab]
        points = template_coordinates(head.placement, affine, (x, y, z))
        beyond, thickness = _skull_at(head, affine, (x, y, z))
        hu, inside = _ncct_and_inside(points.reshape(3, -1), beyond, thickness, head, patient, edge_mm)
        grouped = (len(x), len(y), high - low, per_slab)
        columns = (slice(int(x[0]), int(x[-1]) + 1), slice(int(y[0]), int(y[-1]) + 1))
        volumes["ncct"][*columns, low:high] = hu.reshape(grouped).mean(axis=3)
        brain = inside.reshape(grouped).mean(axis=3) >= 0.5
        volumes["brain"][*columns, low:high] = brain
        # The maps' own point spread is wider than a plane: their value at the slab's centre is enough.
        centre = np.arange(low, high, dtype=float)
        at = np.nonzero(brain)
        if per_slab % 2:
            middle = points.reshape(3, *grouped)[..., per_slab // 2][:, at[0], at[1], at[2]]
        else:
            middle = template_coordinates(head.placement, affine, (x, y, centre))[:, at[0], at[1], at[2]]
        _maps_at(volumes, head, middle, (at[0] + int(x[0]), at[1] + int(y[0]), at[2] + low))
    rng = stream(noise_seed, f"scan {scanner.name}")
    volumes["ncct"] += np.float32(scanner.offset_sd_hu * np.clip(rng.standard_normal(), -2, 2))
    volumes["ncct"] += slice_offsets(rng, scanner, np.arange(shape[2]) * spacing[2])
    volumes["ncct"] += noise_field(rng, scanner, shape, spacing, slab_mm)
    np.clip(volumes["ncct"], -1024, 3071, out=volumes["ncct"])
    volumes["valid"] = np.ones(shape, dtype=np.float32)
    return RenderedCase(volumes, affine, patient, scanner)


def _columns_with_head(
    placement: Placement, affine: np.ndarray, shape: tuple[int, int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Voxel indices along x and y between which the head lies; the rest of the grid is air."""
    ranges = [np.linspace(0, n - 1, max(2, min(n, COARSE_NODES))) for n in shape]
    points = template_coordinates(placement, affine, tuple(ranges)).reshape(3, -1)  # type: ignore[arg-type]
    near = (sample(atlas().cavity, HEAD, points, outside=120.0) < CALVARIA_MM) | (
        sample(outer_head().surface, HEAD, points, outside=-50.0) > -5.0
    )
    near = near.reshape(tuple(len(r) for r in ranges))
    found = []
    for axis in (0, 1):
        hit = np.flatnonzero(near.any(axis=(1 - axis, 2)))
        first, last = (max(hit[0] - 1, 0), min(hit[-1] + 1, len(ranges[axis]) - 1)) if len(hit) else (0, 1)
        found.append(np.arange(int(ranges[axis][first]), int(np.ceil(ranges[axis][last])) + 1, dtype=float))
    return found[0], found[1]


def _maps_at(volumes: dict[str, np.ndarray], head: _Head, points: np.ndarray, at: tuple[np.ndarray, ...]) -> None:
    """Fill ``tmax, cbf, core`` at voxels ``at`` whose centres are MNI ``points``."""
    in_ventricle = sample(head.ventricle, BRAIN, points) > 0.5
    tmax = sample(head.perfusion.tmax, BRAIN, points)
    volumes["tmax"][at] = np.where(in_ventricle, 0, tmax)
    volumes["cbf"][at] = sample(head.perfusion.cbf, BRAIN, points)
    volumes["core"][at] = sample(head.perfusion.core, BRAIN, points) > 0.5


def _head_extent(patient: Patient) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper corner (RAS mm, along the scan's axes) of the brain."""
    step, count = 3.3, np.array([66, 72, 66])
    affine = np.diag([step, step, step, 1.0])
    affine[:3, 3] = np.asarray(patient.offset_mm) - step * (count - 1) / 2
    ranges = tuple(np.arange(n, dtype=float) for n in count)
    points = template_coordinates(placement_of(patient), affine, ranges).reshape(3, -1)  # type: ignore[arg-type]
    cavity = sample(atlas().cavity, HEAD, points, outside=120.0) * np.float32(np.mean(patient.scale))
    inside = (cavity < patient.csf_gap_mm) & (points[2] > FORAMEN_MAGNUM_Z)
    inside = inside.reshape(tuple(count))
    low, high = np.zeros(3), np.zeros(3)
    for axis in range(3):
        found = np.flatnonzero(inside.any(axis=tuple(a for a in range(3) if a != axis)))
        low[axis], high[axis] = affine[axis, 3] + step * np.array([found[0] - 0.5, found[-1] + 0.5])
    return low, high


def render_native(patient: Patient, scanner: Scanner, noise_seed: int) -> RenderedCase:
    """Render on the scanner's own matrix, from below the foramen magnum to above the vertex."""
    low, high = _head_extent(patient)
    bottom, top = low[2] - NATIVE_MARGIN_MM[1], high[2] + NATIVE_MARGIN_MM[0]
    slices = int(np.ceil((top - bottom) / scanner.spacing_mm))
    affine = np.diag([scanner.pixel_mm, scanner.pixel_mm, scanner.spacing_mm, 1.0])
    centre = np.asarray(patient.offset_mm) * 0.5
    affine[:2, 3] = centre[:2] - scanner.pixel_mm * (scanner.matrix - 1) / 2
    affine[2, 3] = bottom + scanner.spacing_mm / 2
    return render(
        patient,
        shape=(scanner.matrix, scanner.matrix, slices),
        affine=affine,
        slab_mm=scanner.slice_mm,
        scanner=scanner,
        noise_seed=noise_seed,
    )


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
    low, high = _head_extent(patient)
    slabs = max(1, int(np.ceil((high[2] - low[2]) / MODEL_GRID.slab_mm)))
    step = np.array([MODEL_GRID.spacing_mm, MODEL_GRID.spacing_mm, MODEL_GRID.slab_mm])
    shape = (MODEL_GRID.size, MODEL_GRID.size, slabs)
    affine = np.diag([*step, 1.0])
    centre = (low + high) / 2 + CENTRE_JITTER_MM * rng.standard_normal(3)
    affine[:3, 3] = centre - step * (np.array(shape) - 1) / 2
    noise_seed = int(rng.integers(1 << 31))
    return render(
        patient, shape=shape, affine=affine, slab_mm=MODEL_GRID.slab_mm, scanner=scanner, noise_seed=noise_seed
    )
