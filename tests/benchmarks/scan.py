"""The scan that is measured on: the shipped digital patient, brought to the shape of the plan."""

from pathlib import Path

import numpy as np

from perfusynth.volumes.nifti import read_nifti, write_nifti
from perfusynth.volumes.resampling import apply_axis_weights, axis_weights
from perfusynth.volumes.volume import Volume

ROOT = Path(__file__).parents[2]


def write_scan(path: Path, shape: tuple[int, int, int]) -> Path:
    """Write the NCCT of the first shipped case as int16 on a grid of ``shape`` with the same field of view."""
    source = sorted((ROOT / "sample-data").glob("phantom-*/ncct.nii.gz"))[0]
    write_nifti(path, _with_shape(read_nifti(source), shape), dtype=np.int16)
    return path


def _with_shape(volume: Volume, shape: tuple[int, int, int]) -> Volume:
    factors = np.array(volume.shape) / shape
    start = (factors - 1) / 2  # centre of the first new voxel, in old voxels
    weights = [axis_weights(volume.shape[a], 1.0, 0.0, shape[a], factors[a], start[a]) for a in range(3)]
    to_old = np.diag([*factors, 1.0])
    to_old[:3, 3] = start
    return Volume(apply_axis_weights(volume.array, (weights[0], weights[1], weights[2])), volume.affine @ to_old)
