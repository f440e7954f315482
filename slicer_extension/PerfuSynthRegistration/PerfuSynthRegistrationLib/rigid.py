"""Rigid transforms as 4x4 matrices (RAS, mm): made rigid, undone, built about a point, told in mm and degrees."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from PerfuSynthLib.problems import Problem

#: A matrix whose axes are this far from orthonormal is no rounding of a rigid one any more. [d]
RIGID_TOLERANCE = 1e-3


class Pose(NamedTuple):
    """How a rigid transform moves the moving image, seen from the head's centre.

    Attributes
    ----------
    shift_mm
        Way of the head's centre to the patient's right, anterior and superior, mm; negative: to the other side.
    angles_deg
        Turn about the right, anterior and superior axis, degrees, right-handed: the rotation vector's components, so
        that no order of axes is meant and small angles are those of the fine steps.
    """

    shift_mm: tuple[float, float, float]
    angles_deg: tuple[float, float, float]

    @property
    def distance_mm(self) -> float:
        """Way of the head's centre, mm."""
        return float(np.linalg.norm(self.shift_mm))

    @property
    def angle_deg(self) -> float:
        """The whole turn, degrees."""
        return float(np.linalg.norm(self.angles_deg))


def rigid_of(matrix: np.ndarray) -> np.ndarray:
    """The rigid matrix next to one that is rigid but for rounding (polar decomposition).

    Raises
    ------
    Problem
        Code ``bad_transform``: not 4x4, not finite, or it shears, stretches or mirrors.
    """
    matrix = np.array(matrix, dtype=float)
    if matrix.shape != (4, 4) or not np.isfinite(matrix).all():
        raise _bad_transform("not 4x4 numbers")
    left, stretch, right = np.linalg.svd(matrix[:3, :3])
    turn = left @ right
    if np.abs(stretch - 1).max() > RIGID_TOLERANCE or np.linalg.det(turn) < 0:
        raise _bad_transform("it stretches, shears or mirrors")
    if np.abs(matrix[3] - [0, 0, 0, 1]).max() > RIGID_TOLERANCE:
        raise _bad_transform("its last row is not 0 0 0 1")
    rigid = np.eye(4)
    rigid[:3, :3], rigid[:3, 3] = turn, matrix[:3, 3]
    return rigid


def inverse(matrix: np.ndarray) -> np.ndarray:
    """A rigid matrix undone."""
    undone = np.eye(4)
    undone[:3, :3] = matrix[:3, :3].T
    undone[:3, 3] = -matrix[:3, :3].T @ matrix[:3, 3]
    return undone


def turn_about(axis: np.ndarray, degrees: float, centre: np.ndarray) -> np.ndarray:
    """Rigid matrix that turns by so much about an axis through a point (RAS, mm), right-handed (Rodrigues)."""
    x, y, z = np.asarray(axis, float) / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = np.radians(degrees)
    matrix = np.eye(4)
    matrix[:3, :3] += np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    matrix[:3, 3] = centre - matrix[:3, :3] @ centre
    return matrix


def shift_by(millimetres: np.ndarray) -> np.ndarray:
    """Rigid matrix that moves by so much (RAS, mm)."""
    matrix = np.eye(4)
    matrix[:3, 3] = millimetres
    return matrix


def pose_of(matrix: np.ndarray, centre: np.ndarray) -> Pose:
    """A rigid matrix in mm and degrees; ``centre`` (RAS, mm) is the point whose way is told."""
    way = matrix[:3, :3] @ centre + matrix[:3, 3] - centre
    return Pose(tuple(float(mm) for mm in way), tuple(float(angle) for angle in np.degrees(_rotation_vector(matrix))))


def largest_way_mm(matrix: np.ndarray, points: np.ndarray) -> float:
    """The longest way that one of the points (n, 3; RAS, mm) is moved, mm."""
    return float(np.linalg.norm(points @ matrix[:3, :3].T + matrix[:3, 3] - points, axis=1).max())


def _rotation_vector(matrix: np.ndarray) -> np.ndarray:
    turn = matrix[:3, :3]
    skew = np.array([turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0], turn[1, 0] - turn[0, 1]]) / 2
    sine, cosine = float(np.linalg.norm(skew)), (float(np.trace(turn)) - 1) / 2
    angle = np.arctan2(sine, cosine)
    if sine > 1e-9:
        return skew * (angle / sine)
    if cosine > 0:
        return skew
    values, vectors = np.linalg.eigh(turn)  # half a turn: its axis is what it leaves alone
    return angle * vectors[:, int(np.abs(values - 1).argmin())]


def _bad_transform(detail: str) -> Problem:
    return Problem(
        "bad_transform",
        "The transform does not only move and turn.",
        "Reset it to where it began, or load the case again.",
        detail,
    )
