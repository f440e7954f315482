"""4-D NIfTI files for tests of the perfusion reader."""

from pathlib import Path

import nibabel as nib
import numpy as np

AFFINE = np.array([[-0.9, 0, 0, 110.0], [0, 0.9, 0, -100], [0, 0, 5, -20], [0, 0, 0, 1]])
SHEARED = np.array([[-0.9, 0, 0, 110.0], [0, 0.9, 1.5, -100], [0, 0, 5, -20], [0, 0, 0, 1]])


def written(path: Path, array: np.ndarray, interval: float = 1.5, unit: str | None = "sec", affine=AFFINE) -> Path:
    image = nib.Nifti1Image(array, affine)
    image.header["pixdim"][4] = interval
    image.header.set_xyzt_units("mm", unit)
    nib.save(image, path)
    return path
