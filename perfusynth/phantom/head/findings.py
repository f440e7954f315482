"""Heads that no map may be made of: haemorrhage, tumour, craniotomy, metal. Put in only when asked for."""

import numpy as np

from perfusynth.phantom.head.atlas import atlas
from perfusynth.phantom.head.face import AIR_HU, SKIN_HU
from perfusynth.phantom.lattice import BRAIN, sample, stream
from perfusynth.phantom.patient import Patient

#: Haematoma: places (MNI mm, right side): putamen, thalamus, frontal, parietal, temporal lobe; mL; HU [d].
HAEMATOMA_PLACES = ((25, 0, 4), (14, -20, 8), (32, 32, 20), (36, -46, 28), (44, -22, -12))
HAEMATOMA_ML, HAEMATOMA_HU, INTRAVENTRICULAR_SHARE = (20.0, 60.0), (60.0, 75.0), 0.4
#: Oedema around it: width in mm, darkening in HU.
RIM_MM, RIM_HU = (4.0, 9.0), -9.0
#: Tumour: places, radius in mm, HU of rim and necrosis, width of the rim, reach and darkening of its oedema, and reach
#: of the mass that presses CSF out of sulci and ventricle [d].
TUMOUR_PLACES = ((34, 36, 18), (38, -42, 30), (46, -14, -14), (28, -70, 16))
TUMOUR_RADIUS_MM, TUMOUR_RIM_HU, NECROSIS_HU, TUMOUR_RIM_MM = (13.0, 22.0), (42.0, 52.0), 18.0, 6.0
OEDEMA_MM, OEDEMA_HU, MASS_MM, PRESSED_HU = (18.0, 30.0), -10.0, 14.0, 31.0
#: Craniotomy: middle (MNI mm, right side), radius of the hole, how far the flap sinks, thickness and HU of fluid below
#: it, share that is sunken, share with plates; radius and HU of a plate's screws [d].
HOLE_PLACES, HOLE_RADIUS_MM = ((66, 0, 26), (54, 44, 28), (60, -50, 34)), (32.0, 52.0)
SINK_MM, FLUID_MM, FLUID_HU, SUNKEN_SHARE, PLATE_SHARE = (5.0, 12.0), (4.0, 9.0), 12.0, 0.5, 0.6
SCREW_MM, METAL_HU = 2.6, 3071.0
#: Metal: places of clips and coils (MNI mm), radius in mm; streaks: HU beside it, reach in plane and across, mm [d]
#: (from about 100 HU on, a streak of metal near the skull joins it to the bone in a brain mask made by thresholds).
METAL_PLACES, METAL_RADIUS_MM = ((36, 4, -16), (2, 18, -14), (14, 4, -16), (1, -14, -20)), (2.8, 5.5)
STREAK_HU, STREAK_MM, STREAK_Z_MM, STREAKS = (40.0, 80.0), 24.0, 5.0, (7, 13)
#: Depth below the inner table that a finding keeps free, mm; HU above which a voxel is bone and stays.
MARGIN_MM, BONE_HU = 2.0, 110.0
#: Unevenness of a mass' surface, relative to its radius.
UNEVEN = 0.16


def add_finding(
    hu: np.ndarray, beyond: np.ndarray, thickness: np.ndarray, points: np.ndarray, patient: Patient
) -> None:
    """Put the patient's finding into ``hu``, in place; nothing where it is "none".

    Parameters
    ----------
    hu
        HU with everything but noise, float32 ``(n,)``.
    beyond
        Distance (mm) beyond the inner table, negative inside, ``(n,)``.
    thickness
        Local skull thickness, mm, ``(n,)``.
    points
        MNI mm, ``(3, n)``.
    """
    rng = stream(patient.seed, f"finding {patient.head.finding}")
    match patient.head.finding:
        case "haemorrhage":
            _haemorrhage(hu, beyond, points, patient, rng)
        case "tumour":
            _tumour(hu, beyond, points, patient, rng)
        case "craniotomy":
            _craniotomy(hu, beyond, thickness, points, patient, rng)
        case "metal":
            _metal(hu, points, patient, rng)


def _place(rng: np.random.Generator, places: tuple[tuple[int, int, int], ...], jitter_mm: float) -> np.ndarray:
    """One of the places (on the right), moved a little, on either side."""
    side = (float(rng.choice([-1.0, 1.0])), 1.0, 1.0)
    return (np.array(places[int(rng.integers(len(places)))], dtype=float) + rng.normal(0, jitter_mm, 3)) * side


def _distance(points: np.ndarray, centre: np.ndarray, patient: Patient) -> np.ndarray:
    """Patient mm from a place in MNI mm."""
    return np.float32(np.mean(patient.head.scale)) * np.sqrt(
        ((points - centre[:, None].astype(np.float32)) ** 2).sum(axis=0)
    )


def _near(points: np.ndarray, centre: np.ndarray, reach_mm: float, patient: Patient) -> np.ndarray:
    reach = reach_mm / float(np.mean(patient.head.scale))
    at = np.flatnonzero(np.abs(points[2] - centre[2]) < reach)
    return at[(np.abs(points[:2, at] - centre[:2, None]) < reach).all(axis=0)]


def _lumpy(points: np.ndarray, centre: np.ndarray, patient: Patient, rng: np.random.Generator) -> np.ndarray:
    """Distance from a place, stretched by direction so that what is round in it is an uneven lump of equal volume."""
    distance = _distance(points, centre, patient)
    direction = (points - centre[:, None]) / np.maximum(distance, 1e-3)
    waves = np.zeros(distance.shape, dtype=np.float32)
    for _ in range(6):
        axis, phase = rng.normal(0, 2.2, 3), rng.uniform(0, 2 * np.pi)
        waves += np.sin(axis @ direction + phase).astype(np.float32)
    return distance / (1 + np.float32(UNEVEN / np.sqrt(3)) * waves)


def _edge(mm: np.ndarray, width_mm: float) -> np.ndarray:
    return np.clip(mm / np.float32(width_mm) + np.float32(0.5), 0, 1)


def _haemorrhage(
    hu: np.ndarray, beyond: np.ndarray, points: np.ndarray, patient: Patient, rng: np.random.Generator
) -> None:
    centre = _place(rng, HAEMATOMA_PLACES, 4.0)
    radius = float(3 * 1000 * rng.uniform(*HAEMATOMA_ML) / (4 * np.pi)) ** (1 / 3)
    blood_hu, rim_mm = rng.uniform(*HAEMATOMA_HU), rng.uniform(*RIM_MM)
    in_ventricle = rng.random() < INTRAVENTRICULAR_SHARE
    at = _near(points, centre, 1.4 * radius + rim_mm, patient)
    at = at[(beyond[at] < -MARGIN_MM) & (hu[at] < BONE_HU)]
    distance = _lumpy(points[:, at], centre, patient, rng)
    hu[at] += np.float32(RIM_HU) * _edge(radius + rim_mm - distance, rim_mm) * (hu[at] > 20)
    hu[at] += _edge(radius - distance, 2.0) * (np.float32(blood_hu) - hu[at])
    if in_ventricle:
        deep = np.flatnonzero((beyond < -15) & (hu < 22) & (points[1] < 0))
        distance = sample(atlas(patient.head.anatomy).ventricle_mm, BRAIN, points[:, deep], outside=50.0)
        # Blood settles in the back of a supine head.
        share = _edge(3.0 - distance, 3.0) * _edge(-25 - points[1, deep], 12.0)
        hu[deep] += share * (np.float32(blood_hu - 8) - hu[deep])


def _tumour(hu: np.ndarray, beyond: np.ndarray, points: np.ndarray, patient: Patient, rng: np.random.Generator) -> None:
    centre = _place(rng, TUMOUR_PLACES, 4.0)
    radius, oedema_mm, rim_hu = (rng.uniform(*r) for r in (TUMOUR_RADIUS_MM, OEDEMA_MM, TUMOUR_RIM_HU))
    at = _near(points, centre, 1.5 * radius + oedema_mm, patient)
    at = at[(beyond[at] < -MARGIN_MM) & (hu[at] < BONE_HU)]
    distance = _lumpy(points[:, at], centre, patient, rng)
    pressed = _edge(radius + MASS_MM - distance, 8.0)
    hu[at] += pressed * np.maximum(np.float32(PRESSED_HU) - hu[at], 0)
    # Oedema follows the white matter (the darker tissue) and spares the cortex.
    white = _edge(34.0 - hu[at], 4.0)
    hu[at] += np.float32(OEDEMA_HU) * white * np.clip((radius + oedema_mm - distance) / oedema_mm, 0, 1)
    inner = _edge(radius - TUMOUR_RIM_MM - distance, 3.0)
    mass = np.float32(rim_hu) + inner * np.float32(NECROSIS_HU - rim_hu)
    hu[at] += _edge(radius - distance, 2.5) * (mass - hu[at])


def _craniotomy(
    hu: np.ndarray,
    beyond: np.ndarray,
    thickness: np.ndarray,
    points: np.ndarray,
    patient: Patient,
    rng: np.random.Generator,
) -> None:
    centre, radius = _place(rng, HOLE_PLACES, 4.0), float(rng.uniform(*HOLE_RADIUS_MM))
    sunken, plates, turn = rng.random() < SUNKEN_SHARE, rng.random() < PLATE_SHARE, rng.uniform(0, np.pi)
    sink_mm, fluid_mm = rng.uniform(*SINK_MM) if sunken else 0.0, 0.0 if sunken else rng.uniform(*FLUID_MM)
    scalp_mm = np.float32(patient.head.scalp_mm)
    at = _near(points, centre, radius + 15, patient)
    at = at[(beyond[at] > -25) & (beyond[at] < thickness[at] + scalp_mm + 3)]
    distance = _distance(points[:, at], centre, patient)
    hole = _edge(radius - distance, 2.0)
    # Without bone the scalp lies on the dura, and sinks in most in the middle.
    depth = beyond[at] + np.float32(sink_mm) * np.clip(1 - (distance / radius) ** 2, 0, 1)
    scalp = np.float32(SKIN_HU) + _edge(depth - scalp_mm - 2.0, 1.0) * np.float32(AIR_HU - SKIN_HU)
    hu[at] += hole * _edge(depth, 1.0) * (scalp - hu[at])
    fluid = hole * _edge(beyond[at] + np.float32(fluid_mm), 1.0) * _edge(-beyond[at], 1.0) * (fluid_mm > 0)
    hu[at] += fluid * (np.float32(FLUID_HU) - hu[at])
    if plates:
        middle = centre / np.linalg.norm(centre)
        across = np.cross(middle, [0.0, 0.0, 1.0])
        across /= np.linalg.norm(across)
        up = np.cross(across, middle)
        reach = (radius + 3.0) / float(np.mean(patient.head.scale))
        for angle in turn + np.arange(4) * np.pi / 2:
            screw = centre + reach * (np.cos(angle) * across + np.sin(angle) * up)
            near = _edge(SCREW_MM + 2 - _distance(points[:, at], screw, patient), 1.0)
            near *= _edge(SCREW_MM / 2 - np.abs(beyond[at] - thickness[at]), 1.0)
            hu[at] += near * (np.float32(METAL_HU) - hu[at])


def _metal(hu: np.ndarray, points: np.ndarray, patient: Patient, rng: np.random.Generator) -> None:
    centre, radius = _place(rng, METAL_PLACES, 1.5), float(rng.uniform(*METAL_RADIUS_MM))
    count, phase, streak_hu = int(rng.integers(*STREAKS)), rng.uniform(0, 2 * np.pi), rng.uniform(*STREAK_HU)
    at = _near(points, centre, 90.0, patient)
    at = at[(hu[at] > -200) & (np.abs(points[2, at] - centre[2]) < 3 * STREAK_Z_MM)]
    offset: np.ndarray = points[:, at] - centre[:, None].astype(np.float32)
    in_plane, angle = np.hypot(offset[0], offset[1]), np.arctan2(offset[1], offset[0])
    streak = np.cos(count * angle + phase) + 0.6 * np.cos((2 * count + 1) * angle - phase)
    fall = np.exp(-in_plane / STREAK_MM - (offset[2] / STREAK_Z_MM) ** 2)
    hu[at] += (np.float32(streak_hu) * streak * fall).astype(np.float32)
    hu[at] += _edge(radius - _distance(points[:, at], centre, patient), 1.0) * (np.float32(METAL_HU) - hu[at])
