"""The SHA-256 by which a scan is known again, whatever file format it came in."""

import hashlib

import numpy as np

from perfusynth.volumes.geometry import nearest_ras
from perfusynth.volumes.volume import Volume


def voxel_sha256(volume: Volume) -> str:
    """SHA-256 (hex) over a scan's voxels alone.

    Hashed are the values rounded to int16 (HU; clipped to int16's range), little endian, in nearest-RAS order,
    C order (superior fastest). The same voxels stored flipped, as NIfTI, NRRD or DICOM give the same hash; voxel
    size and position do not enter.
    """
    ordered = nearest_ras(volume).array
    hounsfield = np.clip(np.rint(ordered), -32768, 32767).astype("<i2")
    return hashlib.sha256(np.ascontiguousarray(hounsfield).data).hexdigest()
