"""Large arteries as tubes along poly-lines in MNI space, and the clot in the occluded one."""

import itertools
from dataclasses import dataclass

import numpy as np

from perfusynth.phantom.patient import Patient

#: Centre lines, MNI mm, for the right side (x > 0), and radii in mm [Rai]; the basilar artery is in the midline.
CENTRE_LINES: dict[str, tuple[float, tuple[tuple[float, float, float], ...]]] = {
    "ICA": (2.0, ((22, -12, -52), (16, -2, -38), (14, 8, -30), (13, 8, -22), (14, 4, -16))),
    "M1": (1.55, ((14, 4, -16), (20, 5, -17), (28, 4, -17), (37, 5, -13))),
    "M2-sup": (1.2, ((37, 5, -13), (41, 10, -4), (41, 8, 6), (42, -4, 16))),
    "M2-inf": (1.2, ((37, 5, -13), (41, -4, -8), (42, -16, -2), (43, -28, 6))),
    "A1": (1.1, ((14, 4, -16), (8, 10, -16), (2.5, 16, -14))),
    "A2": (1.1, ((2.5, 16, -14), (2.5, 28, -8), (2.5, 36, 4), (2.5, 32, 18))),
    "P2": (1.1, ((1, -12, -17), (9, -15, -16), (19, -24, -11), (21, -36, -7))),
    "basilar": (1.6, ((0, -20, -50), (0, -14, -40), (0, -10, -30), (0, -12, -19))),
}
#: Width over which a tube's edge blends, mm (sub-sampling of a slab).
EDGE_MM = 1.0


@dataclass(frozen=True, eq=False)
class Tube:
    """One straight piece: ends ``(3,)`` in MNI mm, radius in mm, HU that it adds to blood (0 when patent)."""

    start: np.ndarray
    end: np.ndarray
    radius_mm: float
    contrast_hu: float


def _cut(points: np.ndarray, low_mm: float, high_mm: float) -> list[tuple[np.ndarray, np.ndarray]]:
    """Straight pieces of a poly-line between two distances along it."""
    pieces, at = [], 0.0
    for a, b in itertools.pairwise(points):
        length = float(np.linalg.norm(b - a))
        low, high = max(low_mm - at, 0.0), min(high_mm - at, length)
        if high > low:
            pieces.append((a + (b - a) * low / length, a + (b - a) * high / length))
        at += length
    return pieces


def _line(name: str, sign: float) -> np.ndarray:
    return np.asarray(CENTRE_LINES[name][1], dtype=float) * np.array([sign, 1.0, 1.0])


def tubes(patient: Patient) -> list[Tube]:
    """All arteries of one patient; the clot's pieces lie over the occluded artery and carry its contrast."""
    found = []
    for name, (radius, _) in CENTRE_LINES.items():
        for sign in (0.0,) if name == "basilar" else (-1.0, 1.0):
            line = _line(name, sign if sign else 1.0)
            found += [Tube(a, b, radius, 0.0) for a, b in _cut(line, 0.0, np.inf)]
    if patient.stroke.site in CENTRE_LINES and patient.stroke.clot_contrast_hu != 0:
        line = _line(patient.stroke.site, -1.0 if patient.stroke.side == "left" else 1.0)
        total = float(np.linalg.norm(np.diff(line, axis=0), axis=1).sum())
        # ICA clots reach up to the terminus; others begin within the first half of the segment.
        length = min(patient.stroke.clot_length_mm / float(np.mean(patient.head.scale)), total)
        start = total - length if patient.stroke.site == "ICA" else patient.stroke.clot_start * (total - length)
        radius = CENTRE_LINES[patient.stroke.site][0]
        found += [Tube(a, b, radius, patient.stroke.clot_contrast_hu) for a, b in _cut(line, start, start + length)]
    return found


def _inside(points: np.ndarray, tube: Tube, size: float) -> np.ndarray:
    """Share 0-1 of the tube at MNI points ``(3, n)``; ``size`` is the patient's scale."""
    axis = tube.end - tube.start
    along = np.clip(((points - tube.start[:, None]) * axis[:, None]).sum(0) / max(float(axis @ axis), 1e-6), 0, 1)
    nearest = tube.start[:, None] + axis[:, None] * along
    distance = size * np.sqrt(((points - nearest) ** 2).sum(0))
    return np.clip((tube.radius_mm - distance) / EDGE_MM + 0.5, 0, 1).astype(np.float32)


def add_arteries(hu: np.ndarray, points: np.ndarray, patient: Patient) -> None:
    """Put blood, then clots, into ``hu`` ``(n,)`` at MNI points ``(3, n)``, in place."""
    size = float(np.mean(patient.head.scale))
    low = np.array([-52.0, -46.0, -58.0])[:, None]
    high = np.array([52.0, 44.0, 26.0])[:, None]
    candidates = np.flatnonzero((points[2] > low[2]) & (points[2] < high[2]))
    local = points[:, candidates]
    candidates = candidates[((local > low) & (local < high)).all(axis=0)]
    if not len(candidates):
        return
    local = points[:, candidates]
    blood = np.zeros(len(candidates), dtype=np.float32)
    clot = np.zeros(len(candidates), dtype=np.float32)
    for tube in tubes(patient):
        margin = (tube.radius_mm + EDGE_MM) / size
        near = np.ones(len(candidates), dtype=bool)
        for axis in (2, 1, 0):
            lo = min(tube.start[axis], tube.end[axis]) - margin
            hi = max(tube.start[axis], tube.end[axis]) + margin
            near &= (local[axis] > lo) & (local[axis] < hi)
        at = np.flatnonzero(near)
        if not len(at):
            continue
        share = _inside(local[:, at], tube, size)
        if tube.contrast_hu:
            clot[at] = np.maximum(clot[at], share)
        else:
            blood[at] = np.maximum(blood[at], share)
    before = hu[candidates]
    filled = before + blood * (np.float32(patient.attenuation.blood_hu) - before)
    hu[candidates] = filled + np.float32(patient.stroke.clot_contrast_hu) * clot
