"""Rigid motions as 4x4 matrices, mm: made about a centre, compared at points, between RAS and LPS."""

import numpy as np

#: RAS to LPS and back: ``RAS_LPS @ matrix @ RAS_LPS`` is the same motion in the other coordinates.
RAS_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def about(turn: np.ndarray, centre: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """4x4 of a rotation matrix about a centre, then a shift."""
    moved = np.eye(4)
    moved[:3, :3], moved[:3, 3] = turn, centre + shift - turn @ centre
    return moved


def apart_mm(first: np.ndarray, second: np.ndarray, points: np.ndarray) -> float:
    """Mean distance between where two transforms (4x4) take points ``(n, 3)``, mm."""
    apart = first - second
    return float(np.linalg.norm(points @ apart[:3, :3].T + apart[:3, 3], axis=1).mean())
