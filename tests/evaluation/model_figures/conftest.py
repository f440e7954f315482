"""A small patient whose maps are written by hand, and rows of made-up methods."""

from collections.abc import Callable

import numpy as np
import pytest

from perfusynth.evaluation.model_figures.case import EvaluationCase
from perfusynth.volumes.brain import Midplane

SHAPE, SPACING = (48, 48, 6), (2.0, 2.0, 5.0)
VOXEL_ML = 0.02


def block(*, right: bool, columns: int = 8) -> np.ndarray:
    """A box of ``columns`` x 20 x 4 voxels on one side of the head; x runs to the patient's right."""
    region = np.zeros(SHAPE, dtype=bool)
    x = slice(30, 30 + columns) if right else slice(18 - columns, 18)
    region[x, 14:34, 1:5] = True
    return region


def maps_of(region: np.ndarray, core: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """Tmax 2 s and CBF 50 mL/100 g/min, in the region 9 s and 30, in the core 12 s and 5."""
    core = np.zeros(SHAPE, dtype=bool) if core is None else core
    tmax = np.where(core, 12.0, np.where(region, 9.0, 2.0)).astype(np.float32)
    cbf = np.where(core, 5.0, np.where(region, 30.0, 50.0)).astype(np.float32)
    return {"tmax": tmax, "cbf": cbf}


def case_with(maps: dict[str, np.ndarray], **about: object) -> EvaluationCase:
    """A case with these true maps in a box of brain."""
    brain = np.zeros(SHAPE, dtype=bool)
    brain[4:44, 4:44] = True
    affine = np.diag([*SPACING, 1.0])
    affine[:3, 3] = [-47.0, -47.0, 0.0]
    facts = {"seed": 1, "site": "M1", "side": "right", "onset_h": 3.0, "sign_clot": True, "sign_core": False}
    return EvaluationCase(
        name="1",
        inputs={"ncct": np.full(SHAPE, 35.0, dtype=np.float32)},
        brain=brain,
        truth={name: values * brain for name, values in maps.items()},
        valid=np.ones(SHAPE, dtype=bool),
        affine=affine,
        midplane=Midplane(np.zeros(3), np.array([1.0, 0.0, 0.0])),
        grid="model",
        about={**facts, "scanner": "standard_5mm", "protocol": "wide_160mm", **about},
    )


@pytest.fixture
def ill() -> EvaluationCase:
    return case_with(maps_of(block(right=True)))


def row(case: int, method: str = "model", **figures: object) -> dict:
    """A row with a deficit of 100 mL on the right, all of it found; ``figures`` change it."""
    volumes = {f"{who}_ml_{t}": 100.0 for who in ("truth", "made") for t in ("4", "6", "8", "10")}
    return {
        "case": str(case), "seed": case, "method": method, "kind": "model", "identity": "abc", "site": "M1",
        "side": "right", "onset_h": 3.0, "scanner": "a", "sign_clot": True, "sign_core": False, "deficit": True,
        **volumes, "truth_core_ml": 20.0, "made_core_ml": 20.0, "truth_mismatch_ml": 80.0, "made_mismatch_ml": 80.0,
        "truth_category": "target mismatch", "made_category": "target mismatch", "truth_side": "right",
        "made_side": "right", "made_right_share": 1.0, "dice_6": 1.0, "mae_tmax_brain": 0.5, "seconds": 1.0,
        **figures,
    }  # fmt: skip


@pytest.fixture
def rows_of() -> Callable[..., list[dict]]:
    """Rows of a method: a function of the case's number gives what differs."""

    def make(method: str, cases: int, differs: Callable[[int], dict], **same: object) -> list[dict]:
        return [row(case, method, **{**same, **differs(case)}) for case in range(cases)]

    return make
