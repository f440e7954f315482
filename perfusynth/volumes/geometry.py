"""Pure functions on affines: orthogonality, the nearest RAS order, where a grid's corners lie."""

import itertools

import nibabel as nib
import numpy as np

from perfusynth.volumes.series import Series
from perfusynth.volumes.volume import Volume

#: Largest deviation of the axes from a right angle that counts as orthogonal: cosine between two axes.
#: 1e-3 moves a corner of a 250 mm volume by 0.25 mm at most; scanners round direction cosines to 1e-6.
ORTHOGONAL_COSINE = 1e-3


def is_orthogonal(affine: np.ndarray, cosine: float = ORTHOGONAL_COSINE) -> bool:
    """Whether the grid's three axes stand at right angles (a gantry tilt kept as shear does not)."""
    axes = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    off_diagonal = (axes.T @ axes)[np.triu_indices(3, 1)]
    return bool(np.all(np.abs(off_diagonal) <= cosine))


def nearest_ras(volume: Volume) -> Volume:
    """The same voxels with axes permuted and flipped so that they run nearest to right, anterior, superior.

    No interpolation: every value stays at its place in the patient. The header is dropped (it describes the old order).
    """
    orientation = nib.orientations.io_orientation(volume.affine)
    array = nib.orientations.apply_orientation(volume.array, orientation)
    affine = volume.affine @ nib.orientations.inv_ornt_aff(orientation, volume.shape)
    return Volume(array, affine)


def to_original_order(array: np.ndarray, original: Volume) -> np.ndarray:
    """Undo `nearest_ras` for an array made on the reordered grid of ``original``."""
    there = nib.orientations.io_orientation(original.affine)
    ras = nib.orientations.axcodes2ornt("RAS")
    back = nib.orientations.ornt_transform(ras, there)
    return np.ascontiguousarray(nib.orientations.apply_orientation(array, back))


def corners(shape: tuple[int, int, int], affine: np.ndarray) -> np.ndarray:
    """RAS mm positions of the centres of the eight corner voxels, shape (8, 3)."""
    index = np.array(list(itertools.product(*((0, n - 1) for n in shape))), dtype=float)
    return nib.affines.apply_affine(affine, index)


def series_nearest_ras(series: Series) -> Series:
    """`nearest_ras` of a series whose frames have one time for all slices; frames stay the last axis."""
    orientation = nib.orientations.io_orientation(series.affine)
    array = nib.orientations.apply_orientation(series.array, orientation)
    affine = series.affine @ nib.orientations.inv_ornt_aff(orientation, series.shape)
    return Series(array, affine, series.times_s)
