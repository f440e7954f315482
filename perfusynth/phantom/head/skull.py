"""Skull, scalp, face and upper neck: tables and diploe around the cavity, and a crude skull base below it."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import ndimage

from perfusynth.phantom.lattice import HEAD, sample, smooth_field, stream
from perfusynth.phantom.patient import Patient

#: HU of compact bone, diploe, scalp, fat, muscle, air, water-like globe and lens.
TABLE_HU, DIPLOE_HU, SCALP_HU, FAT_HU, MUSCLE_HU = 1350.0, 550.0, 35.0, -100.0, 55.0
AIR_HU, GLOBE_HU, LENS_HU, CSF_HU, CORD_HU = -1000.0, 10.0, 75.0, 8.0, 34.0
#: Thickness of the inner and outer table as shares of the skull.
INNER_SHARE, OUTER_SHARE = 0.27, 0.30
#: SD and smoothness of the local skull thickness (relative) and of the CSF gap (mm), mm.
THICKNESS_VARIATION, GAP_VARIATION_MM, LOCAL_SIGMA_MM = 0.16, 0.5, 22.0
#: Above this MNI z, in mm, there is only calvaria and scalp, no face.
FACE_LIMIT_Z = 6.0
#: Ellipsoids (cx, cy, cz, rx, ry, rz) in MNI mm; cx > 0 stands for both sides.
FACE = (0.0, 40.0, -70.0, 66.0, 52.0, 70.0)
NOSE = (0.0, 96.0, -62.0, 14.0, 16.0, 22.0)
ORBIT = (32.0, 56.0, -36.0, 18.0, 27.0, 18.0)
GLOBE = (33.0, 70.0, -36.0, 12.5, 12.5, 12.5)
LENS = (34.0, 80.0, -36.0, 4.0, 2.2, 4.0)
AIRWAYS = (
    (0.0, 50.0, -42.0, 11.0, 20.0, 14.0),
    (0.0, 14.0, -42.0, 11.0, 11.0, 9.0),
    (26.0, 52.0, -70.0, 14.0, 15.0, 14.0),
    (7.0, 66.0, -74.0, 4.0, 24.0, 14.0),
    (0.0, 20.0, -84.0, 12.0, 14.0, 22.0),
    (13.0, 74.0, -12.0, 9.0, 5.0, 11.0),
)
MASTOID = (54.0, -34.0, -48.0, 11.0, 13.0, 15.0)
EAR_CANAL = (68.0, -22.0, -46.0, 16.0, 3.5, 3.5)
MANDIBLE = (48.0, 10.0, -80.0, 6.0, 16.0, 30.0)
#: Neck and spinal canal: centre y at z = -90, slope of y with z, radii in mm.
NECK_Y, NECK_RADIUS_X, NECK_RADIUS_Y = -18.0, 58.0, 62.0
CANAL_Y, CANAL_RADIUS, CORD_RADIUS, VERTEBRA_RADIUS = -38.0, 12.0, 5.5, 21.0


@dataclass(frozen=True, eq=False)
class OuterHead:
    """Static head outside the cavity, on `HEAD`: ``hu``, and ``surface`` (signed mm, positive inside the skin)."""

    hu: np.ndarray
    surface: np.ndarray


@dataclass(frozen=True, eq=False)
class SkullFields:
    """On `HEAD`, mm: distance ``beyond`` the inner table (negative inside) and thickness of the skull."""

    beyond: np.ndarray
    thickness: np.ndarray


def _ellipsoid(shape: tuple[float, ...]) -> np.ndarray:
    """Signed distance-like value in mm on `HEAD`, positive inside; both sides where cx > 0."""
    x, y, z = HEAD.axes()
    cx, cy, cz, rx, ry, rz = shape
    radius = np.sqrt(((np.abs(x) - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 + ((z - cz) / rz) ** 2)
    return ((1 - radius) * min(rx, ry, rz)).astype(np.float32)


def _put(hu: np.ndarray, inside_mm: np.ndarray, value: float | np.ndarray) -> None:
    share = np.clip(inside_mm / HEAD.step_mm + 0.5, 0, 1)
    hu += share * (value - hu)


@lru_cache(maxsize=1)
def outer_head() -> OuterHead:
    """Face, skull base, neck: built once per process in template space."""
    x, y, z = HEAD.axes()
    neck_radius = np.sqrt((x / NECK_RADIUS_X) ** 2 + ((y - NECK_Y) / NECK_RADIUS_Y) ** 2)
    neck = np.minimum((1 - neck_radius) * NECK_RADIUS_X, (-45.0 - z) * 0.8 + 0 * x)
    face = np.minimum(_ellipsoid(FACE), -10.0 - z)
    surface = np.maximum.reduce([neck, face, _ellipsoid(NOSE)]).astype(np.float32)

    rng = np.random.default_rng(0)
    texture = smooth_field(rng, HEAD, 6.0)
    hu = np.where(texture > 0.7, FAT_HU, MUSCLE_HU).astype(np.float32)
    hu = ndimage.gaussian_filter(hu, 0.7)
    _put(hu, 5.0 - surface, FAT_HU + 20)  # subcutaneous fat
    _put(hu, 2.0 - surface, SCALP_HU)
    bone = np.float32(700.0) + np.float32(180.0) * smooth_field(rng, HEAD, 4.0)
    # Facial skeleton and central skull base.
    _put(hu, _ellipsoid((0.0, 48.0, -66.0, 36.0, 30.0, 22.0)), bone * 0.3)
    _put(hu, _ellipsoid((0.0, -2.0, -48.0, 26.0, 24.0, 13.0)), bone)
    _put(hu, _ellipsoid((40.0, -28.0, -42.0, 28.0, 12.0, 12.0)), bone * 1.3)  # petrous pyramids
    _put(hu, _ellipsoid(MASTOID) + 3, bone)
    _put(hu, _ellipsoid(MANDIBLE), bone * 1.2)
    _put(hu, _ellipsoid((52.0, 34.0, -44.0, 5.0, 26.0, 5.0)), bone * 1.4)  # zygomatic arch
    orbit = _ellipsoid(ORBIT)
    _put(hu, orbit + 1.5, bone * 0.8)
    _put(hu, orbit, FAT_HU + 10)
    _put(hu, _ellipsoid((26.0, 46.0, -36.0, 3.0, 24.0, 3.0)), MUSCLE_HU)
    globe = _ellipsoid(GLOBE)
    _put(hu, globe + 1.0, SCALP_HU)
    _put(hu, globe, GLOBE_HU)
    _put(hu, _ellipsoid(LENS), LENS_HU)
    for shape in AIRWAYS:
        _put(hu, _ellipsoid(shape) + 1.0, bone)
    for shape in AIRWAYS:
        _put(hu, _ellipsoid(shape), AIR_HU)
    cells = np.where(smooth_field(rng, HEAD, 4.0) > 0, AIR_HU * 0.85, 600.0).astype(np.float32)
    _put(hu, _ellipsoid(MASTOID), cells)
    _put(hu, _ellipsoid(EAR_CANAL), AIR_HU)
    # Occipital condyles, atlas and spinal canal.
    canal = np.sqrt(x**2 + (y - CANAL_Y) ** 2)
    below = np.clip((-66.0 - z) / HEAD.step_mm + 0.5, 0, 1)
    _put(hu, np.minimum(VERTEBRA_RADIUS - canal, (below - 0.5) * 9), bone * 1.1)
    _put(hu, np.minimum(CANAL_RADIUS - canal, (below - 0.5) * 9), CSF_HU)
    _put(hu, np.minimum(CORD_RADIUS - canal, (below - 0.5) * 9), CORD_HU)
    return OuterHead(hu, surface)


def skull_fields(patient: Patient, cavity: np.ndarray) -> SkullFields:
    """One patient's inner table (the atlas' ``cavity`` plus a local CSF gap) and local thickness of the skull."""
    rng = stream(patient.seed, "skull")
    thickness = 1 + THICKNESS_VARIATION * smooth_field(rng, HEAD, LOCAL_SIGMA_MM)
    _, y, _ = HEAD.axes()
    thickness = thickness * (1 + 0.12 * np.clip(-(y + 20) / 80, -1, 1))  # thicker at the back
    gap = patient.head.csf_gap_mm + GAP_VARIATION_MM * smooth_field(rng, HEAD, LOCAL_SIGMA_MM)
    beyond = np.float32(np.mean(patient.head.scale)) * cavity - np.clip(gap, 0.3, 4.0)
    thickness = patient.head.skull_mm * np.clip(thickness, 0.5, 1.6)
    return SkullFields(beyond.astype(np.float32), thickness.astype(np.float32))


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
    head = outer_head()
    face = np.flatnonzero(points[2] < FACE_LIMIT_Z)
    base_hu = np.full(beyond.shape, AIR_HU, dtype=np.float32)
    surface = np.full(beyond.shape, -50.0, dtype=np.float32)
    base_hu[face] = sample(head.hu, HEAD, points[:, face], outside=AIR_HU)
    surface[face] = sample(head.surface, HEAD, points[:, face], outside=-50.0)

    def step(mm: np.ndarray) -> np.ndarray:
        return np.clip(mm / np.float32(edge_mm) + 0.5, 0, 1)

    in_face = step(surface)
    scalp_depth = beyond - thickness
    scalp = SCALP_HU + (FAT_HU * 0.7 - SCALP_HU) * step(scalp_depth - 0.8) * step(
        patient.head.scalp_mm * 0.55 - scalp_depth
    )
    hu = np.where(scalp_depth < patient.head.scalp_mm + edge_mm, scalp, AIR_HU)
    hu += step(scalp_depth - patient.head.scalp_mm) * (AIR_HU - hu)
    hu += in_face * step(scalp_depth - 1.0) * (base_hu - hu)
    # Bone: table, diploe, table.
    bone = DIPLOE_HU + (TABLE_HU - DIPLOE_HU) * np.maximum(
        step(INNER_SHARE * thickness - beyond), step(beyond - (1 - OUTER_SHARE) * thickness)
    )
    # Air cells and the spinal canal reach through the base.
    open_below = step(-(points[2] + 64.0)) * step(14.0 - np.hypot(points[0], points[1] + 36.0))
    bone = np.where((base_hu < -400) & (beyond > 2.5) & (surface > 0), base_hu, bone)
    bone += open_below * (base_hu - bone)
    hu += step(-scalp_depth) * (bone - hu)
    return hu.astype(np.float32)
