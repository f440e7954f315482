"""The non-contrast CT of a patient on any grid."""

from functools import lru_cache

import numpy as np

from perfusynth.phantom.arteries.lumen import add_arteries
from perfusynth.phantom.ct.attenuation import intracranial_hu
from perfusynth.phantom.ct.noise import noise_factor, noise_field, slice_offsets
from perfusynth.phantom.ct.scanners import Scanner
from perfusynth.phantom.grid import Grid, planes_of
from perfusynth.phantom.head.atlas import FORAMEN_MAGNUM_Z
from perfusynth.phantom.head.pose import template_coordinates
from perfusynth.phantom.head.skull import AIR_HU, FACE_LIMIT_Z, extracranial_hu
from perfusynth.phantom.lattice import BRAIN, HEAD, linear_weights, sample, stream
from perfusynth.phantom.patient import Patient
from perfusynth.phantom.scene import Scene, scene_of

#: In-plane distance of the points at which the skull's smooth fields are sampled, mm.
SKULL_STEP_MM = 2.0
#: What a CT image can hold, HU.
HU_LIMITS = (-1024.0, 3071.0)


@lru_cache(maxsize=2)
def _brain_hu(patient: Patient, beam_hardening: float) -> np.ndarray:
    scene = scene_of(patient)
    return intracranial_hu(patient, scene.tissue, scene.haemodynamics, beam_hardening=beam_hardening)


def _skull_at(
    scene: Scene, affine: np.ndarray, ranges: tuple[np.ndarray, np.ndarray, np.ndarray]
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
    points = template_coordinates(scene.placement, affine, (coarse[0], coarse[1], ranges[2])).reshape(3, -1)
    found = []
    for field, outside in ((scene.skull.beyond, 120.0), (scene.skull.thickness, 6.0)):
        values = sample(field, HEAD, points, outside=outside).reshape(len(coarse[0]), len(coarse[1]), -1)
        values = np.tensordot(weights[0], values, axes=(1, 0))
        found.append(np.matmul(weights[1], values).ravel())
    return found[0], found[1]


def _hu_and_inside(
    points: np.ndarray,
    beyond: np.ndarray,
    thickness: np.ndarray,
    patient: Patient,
    brain_hu: np.ndarray,
    edge_mm: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Noise-free HU, and whether a point lies in the brain (inside the inner table, above the foramen magnum)."""
    hu = np.full(beyond.shape, AIR_HU, dtype=np.float32)
    within = np.flatnonzero(beyond < edge_mm)
    inner_points = points[:, within]
    inner = sample(brain_hu, BRAIN, inner_points, outside=patient.attenuation.csf_hu)
    add_arteries(inner, inner_points, patient)
    hu[within] = inner
    skin = thickness + np.float32(patient.head.scalp_mm + edge_mm)
    outside = np.flatnonzero((beyond > -edge_mm) & ((beyond < skin) | (points[2] < FACE_LIMIT_Z)))
    distance = beyond[outside]
    outer = extracranial_hu(distance, thickness[outside], points[:, outside], patient, edge_mm)
    share = np.clip(distance / np.float32(edge_mm) + 0.5, 0, 1)
    hu[outside] += share * (outer - hu[outside])
    return hu, (beyond < 0) & (points[2] > FORAMEN_MAGNUM_Z)


def noise_free_ncct(scene: Scene, grid: Grid, scanner: Scanner) -> tuple[np.ndarray, np.ndarray]:
    """HU without noise, float32, and the brain (inside the inner table, above the foramen magnum), bool.

    ``grid`` is in the head's frame.
    """
    hu = np.full(grid.shape, AIR_HU, dtype=np.float32)
    brain = np.zeros(grid.shape, dtype=bool)
    brain_hu = _brain_hu(scene.patient, scanner.beam_hardening)
    edge_mm = float(np.hypot(scanner.edge_mm, 0.6 * min(grid.spacing[:2])))
    for planes in planes_of(scene.placement, grid):
        beyond, thickness = _skull_at(scene, grid.affine, planes.ranges)
        values, inside = _hu_and_inside(
            planes.points.reshape(3, -1), beyond, thickness, scene.patient, brain_hu, edge_mm
        )
        hu[planes.where] = planes.averaged(values)
        brain[planes.where] = planes.averaged(inside) >= 0.5
    return hu, brain


def render_ncct(scene: Scene, grid: Grid, scanner: Scanner, noise_seed: int) -> tuple[np.ndarray, np.ndarray]:
    """NCCT in HU with noise, float32, and the brain, bool, on ``grid`` (in the head's frame).

    ``noise_seed`` seeds all that differs between two scans of one head on one scanner.
    """
    hu, brain = noise_free_ncct(scene, grid, scanner)
    rng = stream(noise_seed, f"scan {scanner.name}")
    hu += np.float32(scanner.offset_sd_hu * np.clip(rng.standard_normal(), -2, 2))
    add_noise(hu, rng, scene, grid, scanner)
    return np.clip(hu, *HU_LIMITS, out=hu), brain


def add_noise(hu: np.ndarray, rng: np.random.Generator, scene: Scene, grid: Grid, scanner: Scanner) -> None:
    """Add slice offsets and noise to an image on ``grid`` (in the head's frame), in place."""
    spacing = grid.spacing
    normal = np.cross(grid.affine[:3, 0], grid.affine[:3, 1]) / (spacing[0] * spacing[1])
    upright = float(abs(normal @ grid.affine[:3, 2])) / spacing[2]  # < 1 where the grid is sheared
    spacing = spacing * [1, 1, upright]
    hu += slice_offsets(rng, scanner, np.arange(grid.shape[2]) * spacing[2])
    noise = noise_field(rng, scanner, grid.shape, spacing, grid.slab_mm * upright)
    noise *= noise_factor(scene.placement, grid)
    hu += noise
