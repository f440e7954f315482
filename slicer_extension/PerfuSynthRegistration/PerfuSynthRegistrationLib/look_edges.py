"""Edges of an image: thin lines where its grey values change most, slice by slice."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk
from PerfuSynthLib.grid_volume import GridVolume

#: Width (sigma) of the smoothing before the gradient, mm in the slice: noise of 5 mm slices stays below it. [d]
SIGMA_MM = 1.5
#: Changes from this on begin an edge, and from this on continue one: share of the window a mm. [d]
STRONG, WEAK = 0.10, 0.05


def edges_of(picture: GridVolume) -> GridVolume:
    """Edges of a picture of bytes (`look_blend.shown_as_bytes`) on its grid: uint8, 1 on an edge (Canny 1986).

    Each slice for itself: slices of 5 mm are no neighbours for a gradient.
    """
    array, spacing = picture.array, picture.spacing
    thickest = int(np.argmax(spacing))
    plane = [axis for axis in range(3) if axis != thickest]
    found = np.zeros(array.shape, np.uint8, order="F")
    for index in range(array.shape[thickest]):
        image = sitk.GetImageFromArray(np.take(array, index, thickest).astype(np.float32).T)
        image.SetSpacing([spacing[axis] for axis in plane])
        edges = sitk.CannyEdgeDetection(image, 255.0 * WEAK, 255.0 * STRONG, [SIGMA_MM**2] * 2, [0.02] * 2)
        target = [slice(None)] * 3
        target[thickest] = index
        found[tuple(target)] = sitk.GetArrayFromImage(edges).T > 0
    return GridVolume(found, picture.affine)
