"""NIfTI files: a GridVolume on disk. Here, and nowhere else between server and numbers, LPS turns to RAS and back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk

from .grid_volume import GridVolume
from .problems import Problem

#: ITK counts positions towards left and posterior, we towards right and anterior.
_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
#: Largest error of a position at the far end of a volume that a file may make, mm: a NIfTI keeps 32-bit numbers. [d]
_PLACE_TOLERANCE_MM = 1e-2


def read_nifti(path: str | Path) -> GridVolume:
    """Read a NIfTI file of one scalar volume; integers stay integers, all else becomes float32.

    Raises
    ------
    Problem
        Code ``bad_volume``: missing, damaged, several frames, no scalar, NaN or infinity, a sheared grid.
    """
    try:
        image = sitk.ReadImage(str(path), imageIO="NiftiImageIO")
    except RuntimeError as error:
        raise _bad("it cannot be read", _last_line(error)) from None
    while image.GetDimension() > 3 and image.GetSize()[-1] == 1:
        image = image[tuple([slice(None)] * (image.GetDimension() - 1) + [0])]
    if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 1:
        raise _bad("it is not one volume of single numbers", f"{image.GetSize()}")
    array = sitk.GetArrayFromImage(image).transpose(2, 1, 0)
    if array.dtype.kind not in "iu":
        array = array.astype(np.float32, copy=False)
        if not np.isfinite(array).all():
            raise _bad("it holds values that are no numbers", "NaN or infinity")
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * np.asarray(image.GetSpacing())
    affine[:3, 3] = image.GetOrigin()
    return GridVolume(array, _LPS_TO_RAS @ affine)


def write_nifti(path: str | Path, volume: GridVolume) -> None:
    """Write a volume; nothing but voxels and grid goes into the file. Gzipped when ``path`` ends in ``.gz``.

    Raises
    ------
    Problem
        Code ``bad_volume``: not three axes, or a sheared grid, which must be resampled first; ``disk``: no room.
    """
    if volume.array.ndim != 3:
        raise _bad("it does not have three axes", f"{volume.array.ndim}")
    array = volume.array.astype(np.uint8) if volume.array.dtype == bool else volume.array
    image = sitk.GetImageFromArray(np.ascontiguousarray(array.transpose(2, 1, 0)))
    affine = _LPS_TO_RAS @ np.asarray(volume.affine, float)
    spacing = np.asarray(volume.spacing)
    try:
        image.SetSpacing(spacing.tolist())
        image.SetOrigin(affine[:3, 3].tolist())
        image.SetDirection((affine[:3, :3] / spacing).ravel().tolist())
    except RuntimeError as error:
        raise _bad("its grid has no size or no direction", _last_line(error)) from None
    _check_even(affine[:3, :3], spacing, array.shape)
    try:
        sitk.WriteImage(image, str(path), imageIO="NiftiImageIO")
    except RuntimeError as error:
        raise Problem(
            "disk",
            "The image cannot be written to disk.",
            "Make room on the disk, or choose another folder.",
            _last_line(error),
        ) from None


def _check_even(axes: np.ndarray, spacing: np.ndarray, shape: tuple) -> None:
    """Refuse axes that are not at right angles: NIfTI as ITK writes it would straighten them silently."""
    direction = axes / spacing
    left, _, right = np.linalg.svd(direction)
    apart = np.abs((direction - left @ right) * spacing * np.asarray(shape)).sum(axis=1).max()
    if not apart <= _PLACE_TOLERANCE_MM:
        raise _bad("its axes are not at right angles", f"{apart:.3f} mm off at the far corner")


def _bad(why: str, detail: str) -> Problem:
    return Problem(
        "bad_volume",
        f"The image cannot be used: {why}.",
        "Load the scan from DICOM again, or export it anew as one NIfTI volume.",
        detail,
    )


def _last_line(error: Exception) -> str:
    return str(error).strip().splitlines()[-1]
