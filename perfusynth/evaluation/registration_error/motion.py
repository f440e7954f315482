"""Rigid motion: about a centre, while a scan is under way, and the one that fits two sets of points."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from perfusynth.registration.rigid_motion import about

#: Rounds in which a point's height and how far the head has moved at that height are brought together.
ROUNDS = 8
#: A turn moves points of the brain by about as much as a point at this distance from its axis, mm.
HEAD_RADIUS_MM = 50.0


def apply(transform: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Where a 4x4 transform takes points ``(n, 3)``."""
    return points @ transform[:3, :3].T + transform[:3, 3]


def rigid_fit(points: np.ndarray, there: np.ndarray) -> np.ndarray:
    """The rigid transform (4x4) that takes points nearest to others [Kabsch, Acta Cryst 1976;A32:922]."""
    centre, centre_there = points.mean(axis=0), there.mean(axis=0)
    turn, _ = Rotation.align_vectors(there - centre_there, points - centre)
    found = np.eye(4)
    found[:3, :3] = turn.as_matrix()
    found[:3, 3] = centre_there - found[:3, :3] @ centre
    return found


def drawn_displacement(rng: np.random.Generator, centre: np.ndarray, length_mm: float) -> np.ndarray:
    """4x4 of a motion that moves a head's points by about so much: part shift, part turn about ``centre``."""
    part = rng.uniform()
    axis, direction = (vector / np.linalg.norm(vector) for vector in rng.standard_normal((2, 3)))
    turn = Rotation.from_rotvec((1 - part) * length_mm / HEAD_RADIUS_MM * axis)
    return about(turn.as_matrix(), centre, part * length_mm * direction)


@dataclass(frozen=True)
class Nod:
    """A motion of the head: a rotation about a centre, and a shift, mm."""

    rotation: Rotation
    centre: np.ndarray
    shift: np.ndarray


@dataclass(frozen=True, eq=False)
class Course:
    """How the head moves while the slices of a scan are taken.

    Parameters
    ----------
    normal
        Unit normal of the slices; heights are along it, mm.
    nod
        From where the head lies at first to where it lies at last.
    middle_mm, length_mm
        Height at which half of it is over, and over how much height it goes on.
    """

    normal: np.ndarray
    nod: Nod
    middle_mm: float
    length_mm: float

    def share(self, height_mm: np.ndarray) -> np.ndarray:
        """How much of the motion is over when the slice at a height is taken, 0 to 1."""
        return np.clip((height_mm - self.middle_mm) / self.length_mm + 0.5, 0, 1)

    def at(self, share: float) -> np.ndarray:
        """4x4, RAS mm of the scan: what the head has moved by when so much of the motion is over."""
        turn = Rotation.from_rotvec(share * self.nod.rotation.as_rotvec()).as_matrix()
        return about(turn, self.nod.centre, share * self.nod.shift)

    def where(self, points: np.ndarray, truth: np.ndarray) -> np.ndarray:
        """Where points lie in the scan that ``truth`` takes to where they lay at first.

        A point is seen in the slice at whose time it lies in that slice: found by repetition, since the height changes
        by some millimetres only.
        """
        start = apply(truth, points)
        there = start
        for _ in range(ROUNDS):
            share = self.share(there @ self.normal)[:, None]
            turned = Rotation.from_rotvec(share * self.nod.rotation.as_rotvec()).apply(start - self.nod.centre)
            there = turned + self.nod.centre + share * self.nod.shift
        return there
