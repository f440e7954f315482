"""The moving volume's values on another grid, as a rigid transform brings it there."""

from __future__ import annotations

import numpy as np
import vtk
from PerfuSynthLib.grid_volume import GridVolume
from PerfuSynthLib.node_geometry import image_of, matrix_of
from vtk.util.numpy_support import vtk_to_numpy


class MovedVolume:
    """A moving volume, sampled on one fixed grid again and again.

    Parameters
    ----------
    moving
        What is sampled; its array is kept in VTK's order.
    affine, shape
        The fixed grid: voxel index to RAS (mm), and its size.
    outside
        Value where the moving volume does not reach.
    """

    def __init__(self, moving: GridVolume, affine: np.ndarray, shape: tuple[int, ...], outside: float):
        self._array = np.asfortranarray(moving.array)  # the image looks at its memory
        self._grid, self._to_index = np.asarray(affine, float), np.linalg.inv(np.asarray(moving.affine, float))
        self._reslice = vtk.vtkImageReslice()
        self._reslice.SetInputData(image_of(self._array, shared=True))
        self._reslice.SetInterpolationModeToLinear()
        self._reslice.SetBackgroundLevel(outside)
        self._reslice.SetOutputOrigin(0, 0, 0)
        self._reslice.SetOutputSpacing(1, 1, 1)
        self._reslice.SetOutputExtent(0, shape[0] - 1, 0, shape[1] - 1, 0, shape[2] - 1)

    def under(self, fixed_to_moving: np.ndarray) -> np.ndarray:
        """Values at the grid's voxels under a transform (4x4, RAS, mm); a view that the next call overwrites."""
        self._reslice.SetResliceAxes(matrix_of(self._to_index @ fixed_to_moving @ self._grid))
        self._reslice.Update()
        image = self._reslice.GetOutput()
        return vtk_to_numpy(image.GetPointData().GetScalars()).reshape(image.GetDimensions()[::-1]).T
