"""The head outside the cavity and below the vault: face, sinuses, orbits, ears, skull base, upper neck.

Built once per process in template space from ellipsoids and cones at the places that anatomy gives them (MNI mm); the
patient's warp makes it his own. `perfusynth.phantom.head.skull` lays the tables of the skull over it.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import ndimage

from perfusynth.phantom.lattice import HEAD, smooth_field

#: HU of soft tissues, air, water-like globe, lens, bone of the face (compact, spongy), otic capsule, enamel.
SKIN_HU, FAT_HU, MUSCLE_HU, GLAND_HU, CARTILAGE_HU = 35.0, -95.0, 55.0, 15.0, 110.0
AIR_HU, GLOBE_HU, LENS_HU, CSF_HU, CORD_HU = -1000.0, 10.0, 75.0, 8.0, 34.0
COMPACT_HU, SPONGY_HU, PETROUS_HU, OTIC_HU, TOOTH_HU = 1000.0, 380.0, 1250.0, 1900.0, 2000.0
#: Thickness of skin and of the fat below it, mm.
SKIN_MM, SUBCUTANEOUS_MM = 2.0, 5.0
#: Outline at MNI z: (z, half-width, centre y, half-length) of the face in front and of neck and nape behind.
FACE_OUTLINE = (
    (-130.0, 44.0, 22.0, 52.0),
    (-112.0, 56.0, 18.0, 62.0),
    (-90.0, 66.0, 16.0, 66.0),
    (-60.0, 73.0, 16.0, 66.0),
    (-40.0, 74.0, 16.0, 64.0),
    (-22.0, 72.0, 14.0, 64.0),
    (-6.0, 66.0, 10.0, 62.0),
)
NECK_OUTLINE = (
    (-130.0, 58.0, -38.0, 58.0),
    (-100.0, 62.0, -36.0, 64.0),
    (-80.0, 70.0, -32.0, 72.0),
    (-62.0, 76.0, -28.0, 80.0),
    (-46.0, 76.0, -24.0, 74.0),
)
#: The neck begins below, the face below, MNI z in mm.
NECK_TOP_Z, FACE_TOP_Z = -46.0, -6.0
#: Orbit: apex and front centre (x > 0 stands for both sides), radius at either, mm.
ORBIT = ((15.0, 18.0, -34.0), (35.0, 70.0, -40.0), 5.0, 19.5)
#: Spinal canal: centre y, radius of canal and cord, of the bone around, mm; the foramen magnum's z.
CANAL_Y, CANAL_RADIUS, CORD_RADIUS, VERTEBRA_RADIUS, CANAL_TOP_Z = -47.0, 12.5, 5.5, 18.0, -66.0

#: Planes of fat between muscles: smoothness of the field whose zeros they are, mm, and their width in its SD.
FAT_PLANE_SIGMA_MM, FAT_PLANE_WIDTH = 8.0, 0.14

#: Ellipsoid ``(cx, cy, cz, rx, ry, rz, yaw)`` in MNI mm and degrees about z; cx > 0 stands for both sides.
Shape = tuple[float, float, float, float, float, float, float]
NOSE: Shape = (0, 90, -62, 12, 14, 20, 0)
EAR: Shape = (82, -30, -44, 4, 15, 26, -20)
TEMPORALIS: Shape = (60, 12, -22, 16, 30, 34, 0)
MUSCLES: tuple[Shape, ...] = (
    TEMPORALIS,
    (57, 10, -84, 8, 17, 24, 8),
    (37, 8, -74, 8, 15, 15, 20),
    (15, -92, -86, 13, 11, 34, 0),
    (36, -82, -84, 15, 12, 34, 20),
    (58, -44, -96, 9, 15, 36, 30),
    (10, -20, -90, 9, 7, 30, 0),
    (20, -66, -84, 12, 9, 12, 0),
    (0, 38, -104, 24, 30, 18, 0),
)
#: Fat of the cheeks, beside the pharynx, behind the orbit's side and below the occiput.
FAT: tuple[Shape, ...] = (
    (42, 44, -82, 13, 18, 14, 0),
    (24, -2, -78, 6, 10, 16, 0),
    (52, 36, -48, 8, 14, 12, 30),
    (0, -100, -96, 10, 10, 34, 0),
)
PAROTID: Shape = (62, -12, -80, 9, 13, 20, 0)
#: Bones, with their HU.
BONES: tuple[tuple[Shape, float], ...] = (
    ((52, 51, -62, 10, 9, 9, -30), SPONGY_HU),  # zygoma
    ((66, 18, -58, 2.6, 28, 3.5, 8), COMPACT_HU),  # zygomatic arch
    ((48, 46, -38, 2.6, 24, 17, 38), COMPACT_HU),  # lateral wall of the orbit
    ((36, 76, -20, 20, 5, 5, -22), COMPACT_HU),  # brow
    ((20, 18, -70, 2.5, 9, 16, 10), COMPACT_HU),  # pterygoid process
    ((0, 56, -86, 27, 24, 6, 0), SPONGY_HU),  # palate and alveolar process
    ((4, 78, -48, 3, 6, 12, 0), COMPACT_HU),  # nasal bones
    ((0, 6, -46, 21, 24, 13, 0), SPONGY_HU),  # body of the sphenoid
    ((40, -28, -44, 28, 9, 10, -27), PETROUS_HU),  # petrous pyramid
    ((35, -29, -43, 6, 5, 6, 0), OTIC_HU),
    ((50, -3, -56, 9, 5, 6, 0), COMPACT_HU),  # condyle of the mandible
    ((51, 4, -78, 3.2, 14, 24, 4), COMPACT_HU),  # its ramus
    ((38, 36, -106, 4.5, 32, 9, 30), COMPACT_HU),  # its body
    ((18, -38, -70, 7, 11, 6, 20), COMPACT_HU),  # occipital condyle
    ((21, -42, -84, 9, 9, 7, 0), SPONGY_HU),  # lateral mass of the atlas
    ((0, -30, -90, 5, 5, 15, 0), COMPACT_HU),  # dens
    ((0, -32, -110, 13, 9, 10, 0), SPONGY_HU),  # axis
)
#: Air in thin walls: maxillary, sphenoid and frontal sinus.
SINUSES: tuple[Shape, ...] = (
    (28, 42, -65, 12.5, 17, 16, 12),
    (7.5, 17, -45, 7, 12, 9, 0),
    (11, 77.5, -10, 10.5, 5.2, 13, -14),
)
#: Air cells between septa, with the size of the cells: ethmoid, mastoid.
CELLS: tuple[tuple[Shape, float], ...] = (((7, 47, -42, 7.5, 22, 12, 0), 2.6), ((55, -37, -50, 10, 14, 16, -15), 2.4))
#: Air: nasal cavity, nasopharynx, oropharynx, ear canal, middle ear.
AIRWAYS: tuple[Shape, ...] = (
    (6, 56, -67, 6, 30, 17, 0),
    (0, 10, -70, 13, 12, 11, 0),
    (0, 2, -98, 13, 7, 26, 0),
    (66, -24, -50, 18, 3.5, 3.5, 0),
    (47, -24, -47, 3, 4, 5, 0),
)
#: In the nose: septum, turbinates.
SEPTUM: Shape = (0, 56, -66, 1.0, 30, 17, 0)
TURBINATES: tuple[Shape, ...] = ((7, 54, -74, 3.2, 20, 5, 0), (6, 48, -62, 2.2, 15, 5, 0))
#: In the orbit: globe, lens, optic nerve, rectus muscles.
GLOBE: Shape = (34, 68, -40, 12.3, 12.3, 12.3, 0)
LENS: Shape = (34.5, 77.5, -40, 4.5, 2.2, 4.5, 0)
OPTIC: tuple[Shape, ...] = (
    (25, 42, -38, 2.2, 20, 2.2, -20),
    (37, 45, -38, 2.2, 20, 6, -12),
    (18, 45, -38, 2.2, 20, 6, -14),
)


@dataclass(frozen=True, eq=False)
class OuterHead:
    """Static head outside the cavity, on `HEAD`: ``hu``, and ``surface`` (signed mm, positive inside the skin)."""

    hu: np.ndarray
    surface: np.ndarray


def _ellipsoid(shape: Shape) -> np.ndarray:
    """Signed distance-like value in mm on `HEAD`, positive inside; both sides where cx > 0."""
    x, y, z = HEAD.axes()
    cx, cy, cz, rx, ry, rz, yaw = shape
    c, s = np.cos(np.deg2rad(yaw)), np.sin(np.deg2rad(yaw))
    dx, dy = (np.abs(x) if cx > 0 else x) - cx, y - cy
    along_x, along_y = c * dx + s * dy, c * dy - s * dx
    radius = np.sqrt((along_x / rx) ** 2 + (along_y / ry) ** 2 + ((z - cz) / rz) ** 2)
    return ((1 - radius) * min(rx, ry, rz)).astype(np.float32)


def _cone(apex: tuple[float, ...], front: tuple[float, ...], at_apex: float, at_front: float) -> np.ndarray:
    x, y, z = HEAD.axes()
    start, axis = np.array(apex), np.array(front) - np.array(apex)
    length = float(np.linalg.norm(axis))
    relative = [np.abs(x) - start[0], y - start[1], z - start[2]]
    along = sum(r * a / length for r, a in zip(relative, axis, strict=True))
    across = np.sqrt(np.maximum(sum(r**2 for r in relative) - along**2, 0))
    radius = at_apex + (at_front - at_apex) * np.sqrt(np.clip(along / length, 0, 1))
    return np.minimum(np.minimum(radius - across, along), length + 6 - along).astype(np.float32)


def _outline(table: tuple[tuple[float, float, float, float], ...]) -> np.ndarray:
    """Signed mm inside an elliptic outline whose size changes with z."""
    x, y, z = HEAD.axes()
    rows = np.array(table)
    rx, cy, ry = (np.interp(z, rows[:, 0], rows[:, k]).astype(np.float32) for k in (1, 2, 3))
    return (1 - np.sqrt((x / rx) ** 2 + ((y - cy) / ry) ** 2)) * np.minimum(rx, ry)


def _put(hu: np.ndarray, inside_mm: np.ndarray, value: float | np.ndarray) -> None:
    share = np.clip(inside_mm / HEAD.step_mm + 0.5, 0, 1)
    hu += share * (value - hu)


def _surface() -> np.ndarray:
    _, _, z = HEAD.axes()
    neck = np.minimum(_outline(NECK_OUTLINE), (NECK_TOP_Z - z) * 0.7)
    face = np.minimum(_outline(FACE_OUTLINE), (FACE_TOP_Z - z) * 0.7)
    body = np.maximum.reduce([neck, face, _ellipsoid(TEMPORALIS) + SKIN_MM + 1])
    body = ndimage.gaussian_filter(body.astype(np.float32), 1.5)
    return np.maximum.reduce([body, _ellipsoid(NOSE), _ellipsoid(EAR)])


def _soft_tissue(surface: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    planes = np.abs(smooth_field(rng, HEAD, FAT_PLANE_SIGMA_MM))
    hu = MUSCLE_HU + (FAT_HU - MUSCLE_HU) * np.clip((FAT_PLANE_WIDTH - planes) / 0.12 + 0.5, 0, 1)
    hu = hu.astype(np.float32)
    for shape in FAT:
        _put(hu, _ellipsoid(shape), FAT_HU)
    for shape in MUSCLES:
        inside = _ellipsoid(shape)
        _put(hu, inside + 1.5, FAT_HU)
        _put(hu, inside, MUSCLE_HU)
    _put(hu, _ellipsoid(PAROTID), GLAND_HU)
    _put(hu, SUBCUTANEOUS_MM - surface, FAT_HU)
    _put(hu, SKIN_MM - surface, SKIN_HU)
    _put(hu, _ellipsoid(NOSE), SKIN_HU)
    _put(hu, _ellipsoid(EAR), CARTILAGE_HU * 0.5)
    return hu


def _spine(hu: np.ndarray) -> None:
    """Ring of the upper cervical spine, canal and cord, in place."""
    x, y, z = HEAD.axes()
    canal = np.sqrt(x**2 + (y - CANAL_Y) ** 2)
    below = (CANAL_TOP_Z - z) + 0 * canal
    ring = 2.5 - np.abs(np.abs(z + 96.0) - 11.0)  # arches of atlas and axis
    _put(hu, np.minimum(np.minimum(VERTEBRA_RADIUS - canal, ring), below), COMPACT_HU)
    _put(hu, np.minimum(CANAL_RADIUS - canal, below), CSF_HU)
    _put(hu, np.minimum(CORD_RADIUS - canal, below), CORD_HU)


def _orbits(hu: np.ndarray) -> None:
    orbit = _cone(*ORBIT)
    _put(hu, orbit + 1.2, COMPACT_HU * 0.7)
    _put(hu, orbit, FAT_HU)
    for shape in OPTIC:
        _put(hu, np.minimum(_ellipsoid(shape), orbit), MUSCLE_HU * 0.8)
    globe = _ellipsoid(GLOBE)
    _put(hu, globe + 1.0, MUSCLE_HU)
    _put(hu, globe, GLOBE_HU)
    _put(hu, _ellipsoid(LENS), LENS_HU)


@lru_cache(maxsize=1)
def outer_head() -> OuterHead:
    """Face, skull base, neck: built once per process in template space (about 1 s)."""
    rng = np.random.default_rng(0)
    surface = _surface()
    hu = _soft_tissue(surface, rng)
    uneven = np.float32(1.0) + np.float32(0.2) * smooth_field(rng, HEAD, 4.0)
    for shape, value in BONES:
        inside = _ellipsoid(shape)
        _put(hu, inside, value * uneven)
        _put(hu, np.minimum(inside, 2.0 - inside), max(value, COMPACT_HU))  # a compact rim
    _orbits(hu)
    mastoid, ethmoid = CELLS[1][0], CELLS[0][0]
    _put(hu, _ellipsoid(mastoid) + 2.5, COMPACT_HU)
    _put(hu, _ellipsoid(ethmoid) + 1.0, COMPACT_HU * 0.7)
    for shape in (*SINUSES, AIRWAYS[0]):
        _put(hu, _ellipsoid(shape) + 1.0, COMPACT_HU * 0.8)
    for shape in (*SINUSES, *AIRWAYS):
        _put(hu, _ellipsoid(shape), AIR_HU)
    for shape, size in CELLS:
        septum = np.clip(1.5 - 3.0 * np.abs(smooth_field(rng, HEAD, size)), 0, 1)
        _put(hu, _ellipsoid(shape), AIR_HU + septum * (COMPACT_HU * 0.6 - AIR_HU))
    for shape in TURBINATES:
        _put(hu, _ellipsoid(shape), MUSCLE_HU)
    _put(hu, _ellipsoid(SEPTUM), CARTILAGE_HU)
    teeth = np.minimum(_ellipsoid((0, 56, -94, 27, 26, 7, 0)), -_ellipsoid((0, 54, -94, 19, 19, 9, 0)))
    _put(hu, teeth, TOOTH_HU * np.clip(0.7 + smooth_field(rng, HEAD, 3.0), 0.2, 1))
    _spine(hu)
    return OuterHead(hu, surface)
