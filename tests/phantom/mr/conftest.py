"""One infarct and its never-ill twin, rendered once for all MR tests."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from perfusynth.phantom.grid import Grid, planes_of
from perfusynth.phantom.lattice import BRAIN, sample
from perfusynth.phantom.mr.images import native_mr_grid
from perfusynth.phantom.patient import Patient, draw_patient
from perfusynth.phantom.scene import Scene, scene_of

ShareOf = Callable[[Scene, Grid, np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class Pair:
    """An ill patient's scene, that of the never-ill twin, and the native diffusion grid."""

    ill: Scene
    twin: Scene
    grid: Grid


def is_large_infarct(patient: Patient) -> bool:
    return patient.stroke.site == "M1" and patient.stroke.core_target_ml > 50 and not patient.stroke.reperfused


@pytest.fixture(scope="session")
def pair() -> Pair:
    patient = next(p for p in map(draw_patient, range(10_000)) if is_large_infarct(p))
    patient = patient.with_head(
        old_infarcts=((32.0, -76.0, -48.0, 25.0),), lacunes=((-22.0, 5.0, 8.0, 5.0),), white_matter_hypodensity=0.9
    )
    patient = patient.with_stroke(onset_to_imaging_h=9.0, swelling=0.0)
    return Pair(scene_of(patient), scene_of(patient.without_deficit()), native_mr_grid(patient, "dwi"))


@pytest.fixture(scope="session")
def share_on() -> ShareOf:
    """Mean of a field on `BRAIN` over each voxel of a grid."""

    def share(scene: Scene, grid: Grid, field: np.ndarray) -> np.ndarray:
        found = np.zeros(grid.shape, dtype=np.float32)
        for planes in planes_of(scene.placement, grid, brain_only=True):
            found[planes.where] = planes.averaged(sample(field, BRAIN, planes.points.reshape(3, -1)))
        return found

    return share
