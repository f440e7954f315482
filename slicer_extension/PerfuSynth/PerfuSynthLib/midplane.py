"""The plane between the patient's halves: which voxels lie on the right, where a point's mirror image is."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Midplane(NamedTuple):
    """Plane between the patient's left and right half of the head.

    Attributes
    ----------
    point
        Shape (3,), RAS mm, on the plane.
    normal
        Shape (3,), unit length, to the patient's RIGHT (x of RAS grows that way, too).
    """

    point: np.ndarray
    normal: np.ndarray

    def right_of(self, box: tuple[slice, slice, slice], affine: np.ndarray) -> np.ndarray:
        """Bool array of a box of voxels: those whose centre lies on the patient's right.

        Parameters
        ----------
        box
            First voxel and the one after the last along each axis.
        affine
            Of the whole grid, voxel index to RAS, mm.
        """
        coefficients = affine[:3, :3].T @ self.normal
        offset = float((affine[:3, 3] - self.point) @ self.normal)
        x, y, z = (np.arange(box[axis].start, box[axis].stop) * coefficients[axis] for axis in range(3))
        return (x[:, None, None] + y[None, :, None] + z[None, None, :] + offset) > 0

    def mirrored(self, ras: np.ndarray) -> np.ndarray:
        """Mirror images of RAS points ``(..., 3)`` in mm."""
        ras = np.asarray(ras, dtype=float)
        distance = (ras - self.point) @ self.normal
        return ras - 2 * distance[..., None] * self.normal
