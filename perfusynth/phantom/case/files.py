"""A case's volumes as NIfTI files: the same case gives the same bytes, and a file is there whole or not at all."""

from collections.abc import Iterable
from pathlib import Path

import nibabel as nib
import numpy as np

from perfusynth.phantom.grid import Grid
from perfusynth.volumes.nifti import write_nifti
from perfusynth.volumes.series_file import write_frames
from perfusynth.volumes.volume import Volume


def header_of(grid: Grid) -> nib.Nifti1Header:
    """A header that says where a grid lies; without a qform where the grid is sheared (a tilted gantry)."""
    header = nib.Nifti1Header()
    header.set_data_shape(grid.shape)
    header.set_xyzt_units("mm", "sec")
    header.set_sform(grid.affine, code=1)
    cosines = grid.affine[:3, :3] / grid.spacing
    if np.allclose(cosines.T @ cosines, np.eye(3), atol=1e-6):
        header.set_qform(grid.affine, code=1)
    else:
        header["pixdim"][1:4] = grid.spacing
    return header


def write_volume(path: Path, array: np.ndarray, grid: Grid, dtype: type[np.generic], holds: str) -> Volume:
    """Write one volume; returns it as it stands in the file (rounded, and with the header's affine)."""
    header = header_of(grid)
    values = np.asarray(array, dtype=np.float32)
    if issubclass(dtype, np.integer):
        limits = np.iinfo(dtype)
        values = np.clip(np.rint(values), limits.min, limits.max)
    volume = Volume(values, np.asarray(header.get_best_affine(), dtype=float), header)
    write_nifti(path, volume, dtype=dtype, description=f"digital phantom: {holds}")
    return volume


def write_series(path: Path, frames: Iterable[np.ndarray], count: int, step_s: float, grid: Grid, holds: str) -> None:
    """Write a 4-D int16 series frame by frame, of which only one is in memory at a time.

    Parameters
    ----------
    frames
        ``count`` volumes of the grid's shape.
    step_s
        Time between frames: the header's fourth pixdim.
    """
    header = header_of(grid)
    header.set_data_shape((*grid.shape, count))
    header["pixdim"][4] = step_s
    header["descrip"] = f"digital phantom: {holds}".encode("ascii")[:79]
    write_frames(path, header, frames, count)
