"""Patients and renderings that several tests share; each is made once."""

from collections.abc import Callable

import numpy as np
import pytest

from perfusynth.phantom.ct.scanners import SCANNERS
from perfusynth.phantom.ctp.protocols import PROTOCOLS
from perfusynth.phantom.grid import Grid
from perfusynth.phantom.head.pose import placement_of, template_coordinates
from perfusynth.phantom.head.tissue import tissue_of
from perfusynth.phantom.lattice import BRAIN, sample, stream
from perfusynth.phantom.patient import Patient, draw_patient
from perfusynth.phantom.render import RenderedCase, render, render_on_model_grid, whole_head

#: A grid that is symmetric about the mid-plane of a head without rotation and offset.
SYMMETRIC_SHAPE = (136, 164, 26)


def symmetric_affine() -> np.ndarray:
    affine = np.diag([1.2, 1.2, 5.0, 1.0])
    affine[:3, 3] = -np.diag(affine)[:3] * (np.array(SYMMETRIC_SHAPE) - 1) / 2
    return affine


def straight(patient: Patient) -> Patient:
    return patient.with_head(rotation_deg=(0.0, 0.0, 0.0), offset_mm=(0.0, 0.0, 0.0))


def first_patient(wanted: Callable[[Patient], bool]) -> Patient:
    return next(p for p in map(draw_patient, range(100_000)) if wanted(p))


@pytest.fixture(scope="session")
def model_cases() -> list[RenderedCase]:
    return [render_on_model_grid(seed) for seed in range(1000, 1014)]


@pytest.fixture(scope="session")
def m1_left() -> Patient:
    def late_left_m1(patient: Patient) -> bool:
        stroke = patient.stroke
        wanted = stroke.site == "M1" and stroke.side == "left" and not stroke.isolated_swelling
        return wanted and stroke.core_target_ml > 40 and stroke.onset_to_imaging_h > 8

    return straight(first_patient(late_left_m1))


@pytest.fixture(scope="session")
def render_symmetric() -> Callable[[Patient], RenderedCase]:
    def draw(patient: Patient) -> RenderedCase:
        grid = Grid(SYMMETRIC_SHAPE, symmetric_affine(), 5.0)
        return render(patient, grid, SCANNERS["standard_5mm"], whole_head(PROTOCOLS["wide_160mm"]), noise_seed=7)

    return draw


@pytest.fixture(scope="session")
def tissue_on_grid() -> Callable[[RenderedCase], dict[str, np.ndarray]]:
    """Fractions of grey and white matter and CSF at the voxel centres of a rendered case."""

    def tissue(case: RenderedCase) -> dict[str, np.ndarray]:
        shape = case.volumes["ncct"].shape
        x, y, z = (np.arange(n, dtype=float) for n in shape)
        points = template_coordinates(placement_of(case.patient), case.affine, (x, y, z)).reshape(3, -1)
        fractions = tissue_of(case.patient)
        return {
            name: sample(getattr(fractions, name), BRAIN, points).reshape(shape) for name in ("grey", "white", "csf")
        }

    return tissue


@pytest.fixture(scope="session")
def healthy() -> list[Patient]:
    """Straight heads without deficit."""
    return [straight(draw_patient(seed).without_deficit()) for seed in range(3)]


@pytest.fixture(scope="session")
def healthy_cases(healthy: list[Patient], render_symmetric: Callable[[Patient], RenderedCase]) -> list[RenderedCase]:
    return [render_symmetric(patient) for patient in healthy]


@pytest.fixture
def rng() -> np.random.Generator:
    return stream(0, "test")
