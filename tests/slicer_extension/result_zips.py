"""Results as the server writes them, without a server: its own code packs maps that are known."""

from pathlib import Path

import numpy as np

from perfusynth.synthesis.package import zip_result
from perfusynth.volumes.nifti import write_nifti
from perfusynth.volumes.volume import Volume

#: Left to right, 2 x 2 x 5 mm; the first axis runs to the patient's left, as in most CTs.
AFFINE = np.array([[-2.0, 0, 0, 20], [0, 2, 0, -30], [0, 0, 5, 7], [0, 0, 0, 1]])
SHAPE = (12, 11, 6)
WEIGHTS = "ab" * 32
MEASUREMENTS = f'{{"model": {{"weights_sha256": "{WEIGHTS}"}}, "software": {{"version": "0.1.0"}}}}'


def maps() -> dict[str, np.ndarray]:
    """Tmax (s), CBF (mL/100 g/min) and brain of a small head."""
    brain = np.zeros(SHAPE, np.float32)
    brain[2:10, 2:9, 1:5] = 1
    random = np.random.default_rng(3)
    tmax = brain * random.uniform(0, 12, SHAPE).astype(np.float32)
    return {"tmax": tmax, "cbf": brain * random.uniform(1, 60, SHAPE).astype(np.float32), "brain": brain}


def write_result(
    target: Path,
    *,
    without: str = "",
    moved: str = "",
    brain_value: int = 1,
    measurements: str = MEASUREMENTS,
    ncct: bool = False,
) -> Path:
    """A result's zip; ``without`` and ``moved`` name a map that is missing, or lies elsewhere."""
    folder = target.parent / f"{target.name}-files"
    folder.mkdir()
    volumes = maps() | ({"ncct": np.full(SHAPE, 30, np.float32)} if ncct else {})
    for name, array in volumes.items():
        affine = AFFINE + (_one_mm() if name == moved else 0)
        values = array * brain_value if name == "brain" else array
        if name != without:
            dtype = np.uint8 if name == "brain" else np.float32
            write_nifti(folder / f"{name}.nii.gz", Volume(values, affine), dtype=dtype)
    (folder / "measurements.json").write_text(measurements)
    if without == "measurements.json":
        (folder / "measurements.json").unlink()
    return zip_result(folder, target)


def _one_mm() -> np.ndarray:
    shift = np.zeros((4, 4))
    shift[0, 3] = 1.0
    return shift
