"""Images whose brain is known: a dense ball, on the patient's left, in a head of water."""

import nibabel as nib
import numpy as np

from perfusynth.volumes.volume import Volume

#: Of the ball: centre and radius, RAS mm. 463 mL.
CENTRE_MM, RADIUS_MM = np.array([-20.0, 12.0, 6.0]), 48.0
#: Half-way between these two lies the density above which the stand-in and the threshold model see brain.
BALL_HU, HEAD_HU = 260.0, 40.0
SHAPE = (96, 100, 26)


def grid(*turn_rad: float, flip: tuple[int, int, int] = (-1, 1, 1), order: tuple[int, int, int] = (0, 1, 2)):
    """Shape and affine of a grid about the origin: turned, its axes flipped and stored in another order."""
    steps = nib.eulerangles.euler2mat(*turn_rad) @ np.diag(np.array([2.0, 2.0, 5.0]) * flip)
    shape = np.array(SHAPE)[list(order)]
    steps = steps[:, list(order)]
    return tuple(int(n) for n in shape), nib.affines.from_matvec(steps, -steps @ ((shape - 1) / 2))


def places(shape: tuple[int, int, int], affine: np.ndarray) -> np.ndarray:
    """RAS mm of each voxel."""
    return nib.affines.apply_affine(affine, np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1))


def head_with_ball(shape: tuple[int, int, int], affine: np.ndarray) -> tuple[Volume, np.ndarray]:
    """The image, and where the ball truly is."""
    at = places(shape, affine)
    ball = np.linalg.norm(at - CENTRE_MM, axis=-1) < RADIUS_MM
    head = np.linalg.norm(at / [78, 92, 62], axis=-1) < 1
    return Volume(np.where(ball, BALL_HU, np.where(head, HEAD_HU, -1000.0)), affine), ball


def dice(one: np.ndarray, other: np.ndarray) -> float:
    """Overlap of two masks."""
    return 2 * np.count_nonzero(one & other) / (np.count_nonzero(one) + np.count_nonzero(other))
