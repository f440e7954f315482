"""The skull of a patient around the cavity, its scalp, and what a CT shows outside the cavity."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import ndimage

from perfusynth.phantom.head.atlas import atlas
from perfusynth.phantom.head.face import AIR_HU, CANAL_RADIUS, CANAL_Y, FAT_HU, SKIN_HU, outer_head
from perfusynth.phantom.head.traits import Anatomy
from perfusynth.phantom.lattice import HEAD, sample, smooth_field, stream
from perfusynth.phantom.patient import Patient

#: HU of compact bone, diploe.
TABLE_HU, DIPLOE_HU = 1350.0, 560.0
#: Thickness of the inner and outer table as shares of the skull; below the first thickness there is no diploe, from the
#: second on it is as wide as the shares leave, mm.
INNER_SHARE, OUTER_SHARE, DIPLOE_FROM_MM = 0.26, 0.30, (2.5, 5.0)
#: SD and smoothness of the local skull thickness (relative) and of the CSF gap (mm), mm.
THICKNESS_VARIATION, GAP_VARIATION_MM, LOCAL_SIGMA_MM = 0.12, 0.5, 22.0
#: Above this MNI z, in mm, there is only calvaria and scalp, no face and no temporal muscle.
FACE_LIMIT_Z = 14.0
#: Where the vault is thicker or thinner than its mean: MNI mm (x > 0: both sides), sigma y and z, mm, change.
THICKNESS_PLACES = (
    ((68.0, -12.0, -12.0), (26.0, 18.0), -0.60),  # temporal squama
    ((0.0, -104.0, -18.0), (18.0, 12.0), 0.55),  # occipital protuberance
    ((0.0, 72.0, 2.0), (14.0, 22.0), 0.25),  # frontal crest
    ((10.0, 72.0, -12.0), (14.0, 11.0), 0.90),  # around the frontal sinus
    ((28.0, -88.0, -46.0), (16.0, 14.0), -0.45),  # cerebellar fossae
)
#: Reach of these places along x, mm.
PLACE_SIGMA_X_MM = 22.0
#: The base: relative thickness of its floor in front (orbital roof, cribriform plate, middle fossa) and behind, and the
#: MNI y between which it changes; steepness (downward part of the normal) between which a surface is floor.
FLOOR_FRONT, FLOOR_BACK, FLOOR_Y, FLOOR_NORMAL = 0.28, 0.75, (-26.0, -12.0), (0.35, 0.75)
#: Head holder: half-width and depth of its trough, centre y, MNI mm; thickness in mm and HU of its shell.
HOLDER_HALF_WIDTH_MM, HOLDER_DEPTH_MM, HOLDER_Y, HOLDER_MM, HOLDER_HU = 104.0, 112.0, -28.0, 2.5, -120.0
#: Depth of tissue over which the scalp's fat lies, as share of the scalp, and the galea below it, mm.
SCALP_FAT_SHARE, GALEA_MM = 0.6, 1.0


@dataclass(frozen=True, eq=False)
class SkullFields:
    """On `HEAD`, mm: distance ``beyond`` the inner table (negative inside) and thickness of the skull."""

    beyond: np.ndarray
    thickness: np.ndarray


@lru_cache(maxsize=2)
def _plan(anatomy: Anatomy) -> np.ndarray:
    """Relative thickness of the skull on `HEAD`, the same for all patients of an atlas."""
    cavity = atlas(anatomy).cavity
    x, y, z = HEAD.axes()
    relative = np.ones(HEAD.shape, dtype=np.float32)
    for (cx, cy, cz), (sy, sz), change in THICKNESS_PLACES:
        lateral = (np.abs(x) if cx > 0 else x) - cx
        squared = (lateral / PLACE_SIGMA_X_MM) ** 2 + ((y - cy) / sy) ** 2 + ((z - cz) / sz) ** 2
        relative += np.float32(change) * np.exp(-squared / 2)
    down = -np.gradient(ndimage.gaussian_filter(cavity, 1.5), HEAD.step_mm, axis=2)
    low, high = FLOOR_NORMAL
    floor = np.clip((down - low) / (high - low), 0, 1) * (z < 0)
    front = np.clip((y - FLOOR_Y[0]) / (FLOOR_Y[1] - FLOOR_Y[0]), 0, 1)
    relative = relative + floor * (FLOOR_BACK + front * (FLOOR_FRONT - FLOOR_BACK) - relative)
    return ndimage.gaussian_filter(relative.astype(np.float32), 1.0)


def skull_fields(patient: Patient, cavity: np.ndarray) -> SkullFields:
    """One patient's inner table (the atlas' ``cavity`` plus a local CSF gap) and local thickness of the skull."""
    rng = stream(patient.seed, "skull")
    thickness = 1 + THICKNESS_VARIATION * smooth_field(rng, HEAD, LOCAL_SIGMA_MM)
    gap = patient.head.csf_gap_mm + GAP_VARIATION_MM * smooth_field(rng, HEAD, LOCAL_SIGMA_MM)
    beyond = np.float32(np.mean(patient.head.scale)) * cavity - np.clip(gap, 0.3, 4.0)
    thickness = patient.head.skull_mm * np.clip(thickness, 0.6, 1.5) * _plan(patient.head.anatomy)
    return SkullFields(beyond.astype(np.float32), thickness.astype(np.float32))


def _bone(beyond: np.ndarray, thickness: np.ndarray, edge_mm: float) -> np.ndarray:
    """HU of table, diploe, table at a distance beyond the inner table."""
    low, high = DIPLOE_FROM_MM
    diploe = TABLE_HU + (DIPLOE_HU - TABLE_HU) * np.clip((thickness - low) / (high - low), 0, 1)
    table = np.maximum(
        _step(INNER_SHARE * thickness - beyond, edge_mm), _step(beyond - (1 - OUTER_SHARE) * thickness, edge_mm)
    )
    return diploe + (TABLE_HU - diploe) * table


def _step(mm: np.ndarray, edge_mm: float) -> np.ndarray:
    return np.clip(mm / np.float32(edge_mm) + np.float32(0.5), 0, 1)


def extracranial_hu(
    beyond: np.ndarray, thickness: np.ndarray, points: np.ndarray, patient: Patient, edge_mm: float
) -> np.ndarray:
    """HU outside the cavity.

    Parameters
    ----------
    beyond
        Distance (mm) from the inner table, > about -1, ``(n,)``.
    thickness
        Local skull thickness, mm, ``(n,)``.
    points
        MNI mm, ``(3, n)``.
    edge_mm
        Width of edges.
    """
    depth = beyond - thickness
    scalp_mm = np.float32(patient.head.scalp_mm)
    hu = np.full(beyond.shape, AIR_HU, dtype=np.float32)
    near = np.flatnonzero(depth < scalp_mm + edge_mm)
    at = depth[near]
    fat = _step(at - GALEA_MM, edge_mm) * _step(SCALP_FAT_SHARE * scalp_mm - at, edge_mm)
    scalp = SKIN_HU + np.float32(0.8 * FAT_HU - SKIN_HU) * fat
    hu[near] = scalp + _step(at - scalp_mm, edge_mm) * (AIR_HU - scalp)

    face = np.flatnonzero(points[2] < FACE_LIMIT_Z)
    head = outer_head()
    face_hu = sample(head.hu, HEAD, points[:, face], outside=AIR_HU)
    surface = sample(head.surface, HEAD, points[:, face], outside=-50.0)
    share = _step(surface, edge_mm) * _step(depth[face] - 1.0, edge_mm)
    hu[face] += share * (face_hu - hu[face])

    skull = np.flatnonzero(depth < edge_mm)
    bone = _bone(beyond[skull], thickness[skull], edge_mm)
    # Air cells reach into the skull, and so does the spinal canal.
    in_face = np.full(beyond.shape, SKIN_HU, dtype=np.float32)
    in_face[face] = np.where(surface > 0, face_hu, SKIN_HU)
    own = in_face[skull]
    bone = np.where((own < -400) & (beyond[skull] > 2.0), own, bone)
    x, y, z = points[:, skull]
    canal = _step(-(z + 64.0), edge_mm) * _step(CANAL_RADIUS + 2.0 - np.hypot(x, y - CANAL_Y), edge_mm)
    bone += canal * (own - bone)
    hu[skull] += _step(-depth[skull], edge_mm) * (bone - hu[skull])
    return hu


def add_holder(hu: np.ndarray, points: np.ndarray, patient: Patient) -> None:
    """Put the head holder's thin shell into the air of ``hu`` ``(n,)`` at MNI points ``(3, n)``, in place."""
    if not patient.head.holder:
        return
    behind = np.flatnonzero((points[1] < HOLDER_Y) & (hu < -900))
    x, y = points[0, behind], points[1, behind]
    radius = np.hypot(x / HOLDER_HALF_WIDTH_MM, (y - HOLDER_Y) / HOLDER_DEPTH_MM)
    distance = np.abs(radius - 1) * np.float32(HOLDER_DEPTH_MM)
    share = np.clip((HOLDER_MM / 2 - distance) + np.float32(0.5), 0, 1)
    hu[behind] += share * (np.float32(HOLDER_HU) - hu[behind])
