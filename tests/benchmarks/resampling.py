"""To the model grid and back: one matrix an axis against a 3-D interpolation in scipy and in torch.

The weights (ours) and the coordinates (theirs) are made beforehand: both are made once a scan. The naive ways
interpolate where ours averages, so that they skip voxels; the figures compare time, not quality.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from scipy.ndimage import map_coordinates

from perfusynth.generators.registry import live_bundle
from perfusynth.readers.read import read_scan
from perfusynth.volumes.builtin_brain import BuiltinBrain
from perfusynth.volumes.model_grid import AIR_HU, ModelGrid, map_to_grid
from tests.benchmarks.figure import Figure
from tests.benchmarks.plan import Plan
from tests.benchmarks.timing import medians

ROW = "resampling"


def measure(scan_path: Path, plan: Plan) -> list[Figure]:
    """One volume to the model grid, and one map back."""
    scan = read_scan(scan_path).volume
    brain = BuiltinBrain().extract(scan).mask
    grid = live_bundle("ncct_perfusion").spec.grid
    mapping = map_to_grid(scan, brain, ModelGrid(grid.size, grid.spacing_mm, grid.slab_mm))
    model = mapping.to_model(scan.array, outside=AIR_HU)
    to_scan = _naive(model, mapping.shape, scan.shape, np.linalg.inv(mapping.affine) @ scan.affine)
    to_model = _naive(scan.array, scan.shape, mapping.shape, np.linalg.inv(scan.affine) @ mapping.affine)
    ways = {
        "scan to model grid": {"ours": lambda: mapping.to_model(scan.array, outside=AIR_HU), **to_model},
        "model grid to scan": {"ours": lambda: mapping.to_scan(model), **to_scan},
    }
    figures = []
    for what, calls in ways.items():
        taken = medians(calls, plan.repeats)
        figures += [
            Figure(ROW, what, taken["ours"], "s", plan.repeats, name, taken[name]) for name in taken if name != "ours"
        ]
    return figures


def _naive(
    array: np.ndarray, source: tuple[int, int, int], target: tuple[int, int, int], to_source: np.ndarray
) -> dict[str, Callable[[], object]]:
    """Linear interpolation of ``array`` at every voxel of the target grid; ``to_source`` maps voxels to voxels."""
    index = np.indices(target, dtype=np.float32).reshape(3, -1)
    places = (to_source[:3, :3] @ index + to_source[:3, 3:]).astype(np.float32)
    coordinates = places.reshape(3, *target)
    # grid_sample: x last in the array and first in the grid, -1 and 1 at the outermost centres.
    scaled = 2 * places / (np.array(source, dtype=np.float32)[:, None] - 1) - 1
    grid = torch.from_numpy(np.ascontiguousarray(scaled[::-1].T)).reshape(1, *target, 3)
    image = torch.from_numpy(array)[None, None]
    return {
        "scipy map_coordinates": lambda: map_coordinates(array, coordinates, order=1, output=np.float32),
        "torch grid_sample": lambda: torch.nn.functional.grid_sample(image, grid, align_corners=True),
    }
