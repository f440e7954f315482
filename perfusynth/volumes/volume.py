"""`Volume`: a 3-D image with its place in the patient, the currency of the whole library."""

from dataclasses import dataclass, field, replace

import nibabel as nib
import numpy as np

from perfusynth.errors import InputError


@dataclass(frozen=True, eq=False)
class Volume:
    """A scalar 3-D image on a regular grid.

    Parameters
    ----------
    array
        float32, shape ``(x, y, z)`` in the order in which it was stored.
    affine
        4x4 float64, voxel index to RAS+ mm (nibabel's convention).
    header
        The NIfTI header that it came with, copied to maps on the same grid; ``None`` for other sources.
    """

    array: np.ndarray
    affine: np.ndarray
    header: nib.Nifti1Header | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        array = np.asarray(self.array)
        affine = np.asarray(self.affine, dtype=np.float64)
        if array.ndim != 3 or 0 in array.shape:
            raise InputError(
                "The image is not a 3-D volume.",
                expected="an array of shape (x, y, z)",
                got=f"shape {array.shape}",
                hint="Give one 3-D volume, not a series or an empty image.",
                code="not_3d",
            )
        if affine.shape != (4, 4) or not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-9:
            raise InputError(
                "The image has no usable position in the patient.",
                expected="an invertible 4x4 affine in mm",
                got=np.array2string(affine, precision=4).replace("\n", " "),
                hint="Export the image again with its geometry (DICOM or NIfTI with sform/qform).",
                code="bad_affine",
            )
        object.__setattr__(self, "array", np.ascontiguousarray(array, dtype=np.float32))
        object.__setattr__(self, "affine", affine)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along (x, y, z)."""
        return self.array.shape  # type: ignore[return-value]

    @property
    def spacing(self) -> np.ndarray:
        """Voxel size along each array axis, mm, shape (3,)."""
        return np.linalg.norm(self.affine[:3, :3], axis=0)

    @property
    def voxel_ml(self) -> float:
        """Volume of one voxel in mL, from the affine's determinant (right for sheared grids too)."""
        return float(abs(np.linalg.det(self.affine[:3, :3]))) / 1000.0

    def with_array(self, array: np.ndarray) -> "Volume":
        """Another image on the same grid, same header."""
        if np.shape(array) != self.shape:
            raise ValueError(f"expected an array of shape {self.shape}, got {np.shape(array)}")
        return replace(self, array=array)
