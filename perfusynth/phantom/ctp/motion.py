"""How a head moves during a perfusion series: one rigid transform a frame; nodding dominates."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import ndimage
from scipy.spatial.transform import Rotation

from perfusynth.phantom.lattice import stream
from perfusynth.phantom.patient import Patient

MotionGrade = Literal["negligible", "moderate", "strong"]

#: Grades, % of patients [Mot].
GRADE_PERCENT: dict[MotionGrade, float] = {"negligible": 58.0, "moderate": 24.0, "strong": 19.0}
#: Range of the largest nod in a series by grade, degrees [d].
NOD_DEG: dict[MotionGrade, tuple[float, float]] = {
    "negligible": (0.0, 0.4),
    "moderate": (0.8, 2.5),
    "strong": (3.0, 8.0),
}
#: Rotations about x (nod), y (tilt), z (turn) relative to the nod [d], and shifts along x, y, z, mm per degree [d].
AXIS_SHARE, SHIFT_MM_PER_DEG = (1.0, 0.25, 0.45), (0.15, 0.35, 0.45)
#: Time over which a restless head drifts, s, and of a sudden movement's weight relative to the drift [d].
DRIFT_S, JERK_WEIGHT = 5.0, 1.5
#: Chance of a sudden movement by grade [d].
JERK_CHANCE: dict[MotionGrade, float] = {"negligible": 0.0, "moderate": 0.4, "strong": 0.8}
#: Point of rotation relative to the head's centre: the base of the skull, mm (x, y, z) [d].
PIVOT_MM = (0.0, -20.0, -60.0)


@dataclass(frozen=True, eq=False)
class Motion:
    """``transforms`` ``(frames, 4, 4)``: from the head at rest (the head's frame) to where it lies, RAS mm."""

    grade: MotionGrade
    transforms: np.ndarray

    @property
    def still(self) -> bool:
        """Whether the head never moves."""
        return bool((self.transforms == np.eye(4)).all())


def _course(rng: np.random.Generator, times_s: np.ndarray, jerk: bool) -> np.ndarray:
    """A path from 0 whose largest distance from 0 is 1, ``(frames,)``."""
    count = len(times_s)
    frame = float(times_s[1] - times_s[0]) if count > 1 else 1.0
    drift = ndimage.gaussian_filter1d(np.cumsum(rng.standard_normal(count)), DRIFT_S / frame, mode="nearest")
    drift = (drift - drift[0]) / max(float(np.ptp(drift)), 1e-6)
    at = times_s[0] + float(rng.uniform(0.15, 0.9)) * float(times_s[-1] - times_s[0])
    step = JERK_WEIGHT * rng.choice([-1.0, 1.0]) * (times_s >= at)
    course = drift + step if jerk else drift
    return course / max(float(np.abs(course).max()), 1e-6)


def still(times_s: np.ndarray) -> Motion:
    """No motion at all."""
    return Motion("negligible", np.tile(np.eye(4), (len(times_s), 1, 1)))


def draw_motion(patient: Patient, times_s: np.ndarray) -> Motion:
    """How this patient moves over the frames; the first frame is at rest."""
    rng = stream(patient.seed, "perfusion motion")
    weights = np.array(list(GRADE_PERCENT.values()))
    grade = list(GRADE_PERCENT)[int(rng.choice(len(weights), p=weights / weights.sum()))]
    largest = float(rng.uniform(*NOD_DEG[grade]))
    jerk = bool(rng.random() < JERK_CHANCE[grade])
    angles = np.stack([share * largest * _course(rng, times_s, jerk) for share in AXIS_SHARE], axis=1)
    shifts = np.stack([mm * largest * _course(rng, times_s, jerk) for mm in SHIFT_MM_PER_DEG], axis=1)
    pivot = np.asarray(patient.head.offset_mm) + np.asarray(PIVOT_MM)
    transforms = np.tile(np.eye(4), (len(times_s), 1, 1))
    transforms[:, :3, :3] = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    transforms[:, :3, 3] = pivot + shifts - transforms[:, :3, :3] @ pivot
    transforms[0] = np.eye(4)
    return Motion(grade, transforms)
