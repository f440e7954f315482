"""How a patient's head moved between the NCCT and the CT perfusion: a rigid motion in which nodding dominates."""

import numpy as np
from scipy.spatial.transform import Rotation

from perfusynth.phantom.lattice import stream

#: Mean (and SD, as of an exponential distribution) of shift, mm, and turn, degrees; largest of each [Mot].
SHIFT_MM, TURN_DEG = 2.0, 2.0
SHIFT_MAX_MM, TURN_MAX_DEG = 10.0, 8.0
#: SD of the turn's axis about x (nod), y (tilt) and z (turn), relative: nodding dominates [Mot, d].
AXIS_SD = (1.0, 0.35, 0.5)


def draw_misregistration(seed: int, scale: float = 1.0) -> np.ndarray:
    """Draw ``fixed_to_moving`` (4x4, RAS mm): ``x_moving = M @ x_fixed``; fixed is the CTP, moving the NCCT.

    The turn is about the frame's origin, where the middle of the head lies within some millimetres. ``scale``
    multiplies shift and turn; 0 gives exactly the identity.
    """
    rng = stream(seed, "misregistration")
    turn = scale * min(float(rng.exponential(TURN_DEG)), TURN_MAX_DEG)
    shift = scale * min(float(rng.exponential(SHIFT_MM)), SHIFT_MAX_MM)
    axis = rng.standard_normal(3) * AXIS_SD
    direction = rng.standard_normal(3)
    moved = np.eye(4)
    moved[:3, :3] = Rotation.from_rotvec(np.radians(turn) * axis / np.linalg.norm(axis)).as_matrix()
    moved[:3, 3] = shift * direction / np.linalg.norm(direction)
    return moved
