"""A CT image of a patient's head from what fills his skull: shared by NCCT and CTA."""

from collections.abc import Callable

import numpy as np

from perfusynth.phantom.ct.noise import noise_factor, noise_field, slice_offsets
from perfusynth.phantom.ct.scanners import Scanner
from perfusynth.phantom.grid import Grid, Planes, planes_of
from perfusynth.phantom.head.atlas import FORAMEN_MAGNUM_Z
from perfusynth.phantom.head.face import AIR_HU
from perfusynth.phantom.head.findings import add_finding
from perfusynth.phantom.head.pose import template_coordinates
from perfusynth.phantom.head.skull import FACE_LIMIT_Z, add_holder, extracranial_hu
from perfusynth.phantom.lattice import BRAIN, HEAD, linear_weights, sample, stream
from perfusynth.phantom.scene import Scene

#: In-plane distance of the points at which the skull's smooth fields are sampled, mm.
SKULL_STEP_MM = 2.0
#: Arteries and veins lie at most so far outside the cavity: anywhere, and below an MNI z in the skull base, mm.
VESSEL_REACH_MM, BASE_REACH_MM, BASE_Z = 8.0, 40.0, -20.0
#: Width of an edge as a share of the pixel, added to the scanner's own in quadrature.
PIXEL_EDGE = 0.6
#: What a CT image can hold, HU.
HU_LIMITS = (-1024.0, 3071.0)

#: Puts vessels into HU ``(n,)`` at MNI points ``(3, n)``, in place.
AddVessels = Callable[[np.ndarray, np.ndarray], None]


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


def _plane_hu(
    scene: Scene, grid: Grid, planes: Planes, brain_hu: np.ndarray, add_vessels: AddVessels, edge_mm: float
) -> tuple[np.ndarray, np.ndarray]:
    """HU at all points of some planes, and whether they lie in the brain, flat."""
    patient, points = scene.patient, planes.points.reshape(3, -1)
    beyond, thickness = _skull_at(scene, grid.affine, planes.ranges)
    hu = np.full(beyond.shape, AIR_HU, dtype=np.float32)
    within = np.flatnonzero(beyond < edge_mm)
    hu[within] = sample(brain_hu, BRAIN, points[:, within], outside=patient.attenuation.csf_hu)
    skin = thickness + np.float32(patient.head.scalp_mm + edge_mm)
    outside = np.flatnonzero((beyond > -edge_mm) & ((beyond < skin) | (points[2] < FACE_LIMIT_Z)))
    distance = beyond[outside]
    outer = extracranial_hu(distance, thickness[outside], points[:, outside], patient, edge_mm)
    share = np.clip(distance / np.float32(edge_mm) + np.float32(0.5), 0, 1)
    hu[outside] += share * (outer - hu[outside])
    add_holder(hu, points, patient)
    # After the bone, so that the sinuses have their grooves and the carotid arteries their canals; the clot is last.
    at = np.flatnonzero((beyond < VESSEL_REACH_MM) | ((points[2] < BASE_Z) & (beyond < BASE_REACH_MM)))
    with_vessels = hu[at]
    add_vessels(with_vessels, points[:, at])
    hu[at] = with_vessels
    if patient.head.finding != "none":  # over the vessels: a clip hides the artery it sits on
        add_finding(hu, beyond, thickness, points, patient)
    return hu, (beyond < 0) & (points[2] > FORAMEN_MAGNUM_Z)


def noise_free_image(
    scene: Scene, grid: Grid, scanner: Scanner, brain_hu: np.ndarray, add_vessels: AddVessels
) -> tuple[np.ndarray, np.ndarray]:
    """HU without noise, float32, and the brain (inside the inner table, above the foramen magnum), bool.

    Parameters
    ----------
    grid
        In the head's frame.
    brain_hu
        HU on `BRAIN` of all that is no vessel.
    """
    hu = np.full(grid.shape, AIR_HU, dtype=np.float32)
    brain = np.zeros(grid.shape, dtype=bool)
    edge_mm = float(np.hypot(scanner.edge_mm, PIXEL_EDGE * min(grid.spacing[:2])))
    for planes in planes_of(scene.placement, grid):
        values, inside = _plane_hu(scene, grid, planes, brain_hu, add_vessels, edge_mm)
        hu[planes.where] = planes.averaged(values)
        brain[planes.where] = planes.averaged(inside) >= 0.5
    return hu, brain


def add_noise(hu: np.ndarray, scene: Scene, grid: Grid, scanner: Scanner, noise_seed: int) -> None:
    """Add what differs between two scans of one head on one scanner to an image, in place: offset and noise."""
    rng = stream(noise_seed, f"scan {scanner.name}")
    spacing = grid.spacing
    normal = np.cross(grid.affine[:3, 0], grid.affine[:3, 1]) / (spacing[0] * spacing[1])
    upright = float(abs(normal @ grid.affine[:3, 2])) / spacing[2]  # < 1 where the grid is sheared
    spacing = spacing * [1, 1, upright]
    hu += np.float32(scanner.offset_sd_hu * np.clip(rng.standard_normal(), -2, 2))
    hu += slice_offsets(rng, scanner, np.arange(grid.shape[2]) * spacing[2])
    noise = noise_field(rng, scanner, grid.shape, spacing, grid.slab_mm * upright)
    noise *= noise_factor(scene.placement, grid)
    hu += noise
    np.clip(hu, *HU_LIMITS, out=hu)
