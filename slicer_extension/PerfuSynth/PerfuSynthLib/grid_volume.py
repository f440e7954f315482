"""A volume on its grid in the patient: what travels between server, measurements and scene."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class GridVolume(NamedTuple):
    """Voxels and where they lie.

    Attributes
    ----------
    array
        Shape (x, y, z), in the order of the voxel indices; unit as its holder says (HU, s, mL/100 g/min, label).
    affine
        4x4, voxel index to RAS, mm.
    """

    array: np.ndarray
    affine: np.ndarray

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Distance between neighbouring voxels along x, y and z of the array, mm."""
        x, y, z = np.linalg.norm(np.asarray(self.affine, float)[:3, :3], axis=0)
        return float(x), float(y), float(z)

    @property
    def voxel_ml(self) -> float:
        """Volume of a voxel, mL."""
        return abs(float(np.linalg.det(np.asarray(self.affine, float)[:3, :3]))) / 1000
