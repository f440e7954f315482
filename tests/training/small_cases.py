"""Case folders and a bundle small enough for a test: an egg of a brain on coarse grids, ill on a side that is known."""

import json
from pathlib import Path

import nibabel as nib
import numpy as np

from tests.generators.tiny import write_tiny_bundle

#: Half axes of the brain and its middle, RAS mm in the frame of the NCCT.
HALF_AXES, MIDDLE = np.array([66.0, 80.0, 60.0]), np.array([4.0, -10.0, 6.0])
#: The generator's grid: voxels, mm, mm.
GRID = {"size": 32, "spacing_mm": 6.0, "slab_mm": 15.0}
#: Settings of a run of a few quick steps.
QUICK = {
    "task": {
        "family": "turbo",
        "context": {"steps": 2, "heads_per_step": 1, "learning_rate": 1e-3},
        "slabs": {"steps": 4, "heads_per_step": 1, "learning_rate": 1e-3},
        "slabs_per_head": 1,
        "crop": [24, 28],
    },
    "tuning": {"every": 3, "heads": 1},
    "optimiser": {"warmup_steps": 2},
    "checkpoint_every": 2,
    "precision": "float32",
    "device": "cpu",
    "workers": 0,
}


def small_bundle(folder: Path, *, weights: bool = True) -> Path:
    """The tiny bundle on `GRID`."""
    write_tiny_bundle(folder, weights=weights)
    path = folder / "configs" / "metadata.json"
    metadata = json.loads(path.read_text())
    metadata["perfusynth"]["grid"] = GRID
    path.write_text(json.dumps(metadata))
    values = {"_target_": "perfusynth.training.run", "bundle": str(folder), "out": "run", "data": "cases", **QUICK}
    (folder / "configs" / "train.json").write_text(json.dumps({"run": values}))
    return folder


def points_of(shape: tuple[int, int, int], affine: np.ndarray) -> np.ndarray:
    """RAS mm of voxel centres, ``(x, y, z, 3)``."""
    index = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1)
    return index @ affine[:3, :3].T + affine[:3, 3]


def in_brain(points: np.ndarray) -> np.ndarray:
    """Whether points of the NCCT's frame lie in the brain."""
    return (((points - MIDDLE) / HALF_AXES) ** 2).sum(axis=-1) <= 1


def bump(points: np.ndarray, at: np.ndarray) -> np.ndarray:
    """A Gaussian of 20 mm about a place."""
    return np.exp(-((points - at) ** 2).sum(axis=-1) / (2 * 20.0**2))


def centred(shape: tuple[int, int, int], spacing: tuple[float, float, float]) -> np.ndarray:
    """Affine of a grid about the origin."""
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = -(np.array(shape) - 1) / 2 * spacing
    return affine


def write_case(
    folder: Path,
    seed: int,
    fixed_to_moving: np.ndarray | None = None,
    *,
    ill_at: np.ndarray | None = None,
    flipped: bool = False,
) -> Path:
    """Write ``ncct``, ``brain``, ``tmax``, ``cbf`` and ``case.json``.

    Parameters
    ----------
    seed
        Of the noise and, without ``ill_at``, of the place that is ill.
    ill_at
        RAS mm in the NCCT's frame.
    flipped
        Store the NCCT from left to right and from front to back (LPS).
    """
    rng = np.random.default_rng(seed)
    if ill_at is None:
        ill_at = MIDDLE + rng.choice([-1, 1]) * np.array([35.0, 0, 0])
    moved = np.eye(4) if fixed_to_moving is None else fixed_to_moving
    folder.mkdir(parents=True)
    shape, affine = (48, 48, 14), centred((48, 48, 14), (4.0, 4.0, 11.0))
    if flipped:
        affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine
    points = points_of(shape, affine)
    brain = in_brain(points)
    hu = np.where(brain, 35 - 6 * bump(points, ill_at) + rng.normal(0, 1, shape), -1000)
    _save(folder / "ncct.nii.gz", np.rint(hu).astype(np.int16), affine)
    _save(folder / "brain.nii.gz", brain.astype(np.uint8), affine)
    shape, affine = (40, 40, 28), centred((40, 40, 28), (5.0, 5.0, 6.0))
    points = points_of(shape, affine) @ moved[:3, :3].T + moved[:3, 3]
    brain, ill = in_brain(points), bump(points, ill_at)
    _save(folder / "tmax.nii.gz", (brain * (1.5 + 9 * ill)).astype(np.float32), affine)
    _save(folder / "cbf.nii.gz", (brain * (55 - 40 * ill)).astype(np.float32), affine)
    (folder / "case.json").write_text(json.dumps({"fixed_to_moving": moved.tolist()}))
    return folder


def write_cases(folder: Path, count: int) -> Path:
    """So many cases ``case00``, ``case01``, ..."""
    for number in range(count):
        write_case(folder / f"case{number:02d}", number)
    return folder


def _save(path: Path, array: np.ndarray, affine: np.ndarray) -> None:
    nib.save(nib.Nifti1Image(array, affine), path)
