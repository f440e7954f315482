"""A folder of drawn patients that were not drawn: small heads with maps written by hand, read as any others."""

from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path

import numpy as np

from perfusynth.phantom.drawn import DrawnPatients
from perfusynth.phantom.patient import draw_patient

SHAPE, STEP_MM = (64, 64, 8), (2.4, 2.4, 15.0)


def seeds_where(first: int, patients: int, *, site: bool) -> list[int]:
    """The first so many seeds from ``first`` on, with an occlusion on one side or with nothing at all."""

    def fits(seed: int) -> bool:
        stroke = draw_patient(seed).stroke
        return stroke.side in ("left", "right") and stroke.mimic == "none" if site else stroke.mimic == "none"

    def candidates() -> Iterator[int]:
        return (seed for seed in count(first) if (draw_patient(seed).stroke.site != "none") == site and fits(seed))

    return list(islice(candidates(), patients))


def write_by_hand(folder: Path, seed: int, deficit_voxels: int) -> None:
    """Keep a patient: an ellipsoid of brain with a deficit of so many columns on the side that was drawn."""
    x, y, z = (axis - (n - 1) / 2 for axis, n in zip(np.indices(SHAPE), SHAPE, strict=True))
    brain = (x / 26) ** 2 + (y / 30) ** 2 + (z / 4.2) ** 2 < 1
    right = draw_patient(seed).stroke.side == "right"
    lateral = x if right else -x
    ill = brain & (lateral > 6) & (lateral < 6 + deficit_voxels) & (np.abs(y) < 12)
    rng = np.random.default_rng(seed)
    values = {
        "ncct": 35 - 6.0 * ill + rng.normal(0, 2, SHAPE),
        "tmax": np.where(ill, 9.0, 2.0),
        "cbf": np.where(ill, 20.0, 50.0),
    }
    affine = np.diag([*STEP_MM, 1.0])
    affine[:3, 3] = -np.array(STEP_MM) * (np.array(SHAPE) - 1) / 2
    path = DrawnPatients(folder).path_of(seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(
        path,
        brain=np.packbits(brain),
        shape=np.array(SHAPE),
        affine=affine,
        core=np.packbits(ill[brain]),
        scanner="standard_5mm",
        protocol="wide_160mm",
        **{name: array[brain].astype(np.float16) for name, array in values.items()},
    )
