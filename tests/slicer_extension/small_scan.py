"""The phantom's NCCT with every third voxel in plane: a head that the server takes, small enough for many jobs."""

import numpy as np
from PerfuSynthLib.grid_volume import GridVolume
from PerfuSynthLib.nifti_file import read_nifti
from quick_servers import PHANTOM


def small_scan() -> GridVolume:
    """HU, 171 x 171 voxels of 1.5 mm."""
    full = read_nifti(PHANTOM / "ncct.nii.gz")
    return GridVolume(np.ascontiguousarray(full.array[::3, ::3]), full.affine @ np.diag([3, 3, 1, 1]))
