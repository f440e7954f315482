"""Heads that must be refused are refused by the project's own check, and are drawn only when asked for."""

import numpy as np
import pytest

from perfusynth.phantom.ct.grids import native_grid
from perfusynth.phantom.ct.ncct import render_ncct
from perfusynth.phantom.ct.scanners import SCANNERS
from perfusynth.phantom.grid import Grid
from perfusynth.phantom.head.findings import add_finding
from perfusynth.phantom.head.traits import HeadFinding
from perfusynth.phantom.patient import draw_patient
from perfusynth.phantom.scene import scene_of
from perfusynth.volumes.acquisition import Acquisition
from perfusynth.volumes.builtin_brain import BuiltinBrain
from perfusynth.volumes.head_check import check_head, refusals
from perfusynth.volumes.volume import Volume

STANDARD = SCANNERS["standard_5mm"]
#: In-plane pixels of the scanner that one pixel here stands for: four times as quick, and no finding hangs on it.
COARSER = 2


def refused(seed: int, finding: HeadFinding) -> set[str]:
    """Codes with which the head check refuses the 5 mm scan of a patient with a finding."""
    patient = draw_patient(seed).with_head(finding=finding)
    native = native_grid(patient, STANDARD)
    affine = native.affine @ np.diag([COARSER, COARSER, 1.0, 1.0])
    grid = Grid((native.shape[0] // COARSER, native.shape[1] // COARSER, native.shape[2]), affine, native.slab_mm)
    hu, _ = render_ncct(scene_of(patient), grid, STANDARD, noise_seed=seed)
    ncct = Volume(hu, grid.affine)
    found = check_head(ncct, Acquisition(modality="CT"), BuiltinBrain().extract(ncct))
    return {f.code for f in refusals(found)}


@pytest.mark.parametrize("seed", [20, 21, 22])
@pytest.mark.parametrize(
    ("finding", "codes"),
    [
        ("haemorrhage", {"blood"}),
        ("craniotomy", {"craniotomy", "no_skull", "intracranial_air"}),
        ("metal", {"metal"}),
    ],
)
def test_the_head_check_refuses_it(seed: int, finding: HeadFinding, codes: set[str]):
    assert refused(seed, finding) & codes


@pytest.mark.parametrize("seed", [20, 21])
def test_the_same_heads_without_a_finding_pass(seed: int):
    assert refused(seed, "none") == set()


@pytest.fixture
def slab() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """HU of plain white matter, distance beyond a spherical inner table, thickness and points, on a 2 mm grid."""
    axes = [np.arange(-96, 97, 2.0), np.arange(-110, 91, 2.0), np.arange(-60, 91, 2.0)]
    points = np.stack(np.meshgrid(*axes, indexing="ij")).reshape(3, -1).astype(np.float32)
    beyond = np.sqrt(((points - np.array([[0], [-15], [10]])) ** 2).sum(axis=0)) - 78
    hu = np.where(beyond < 0, 30.0, np.where(beyond < 7, 1200.0, -1000.0))
    return hu.astype(np.float32), beyond.astype(np.float32), np.full(len(hu), 7.0, dtype=np.float32), points


@pytest.mark.parametrize("seed", range(6))
def test_haematomas_have_the_volume_and_density_of_the_literature(slab: tuple[np.ndarray, ...], seed: int):
    before, beyond, thickness, points = slab
    hu = before.copy()
    patient = draw_patient(seed).with_head(finding="haemorrhage")
    add_finding(hu, beyond, thickness, points, patient)
    ml = 0.008 * float(np.prod(patient.head.scale))
    blood = (hu > 50) & (beyond < 0)
    assert 12 < np.count_nonzero(blood) * ml < 75  # drawn: 20-60 mL, cut where it meets the skull
    assert 59 < np.percentile(hu[blood], 95) < 76
    assert hu[beyond < -3].min() > 15
    assert np.array_equal(hu[beyond > 0], before[beyond > 0])


def test_a_tumour_is_dense_at_its_rim_and_dark_around(slab: tuple[np.ndarray, ...]):
    before, beyond, thickness, points = slab
    hu = before.copy()
    add_finding(hu, beyond, thickness, points, draw_patient(1).with_head(finding="tumour"))
    assert np.count_nonzero(hu[beyond < -3] > 40) * 0.008 > 3
    assert np.count_nonzero(hu[beyond < -3] < 27) * 0.008 > 15
    assert np.array_equal(hu[beyond > 0], before[beyond > 0])


@pytest.mark.parametrize("seed", range(4))
def test_a_craniotomy_opens_the_skull_on_one_side(slab: tuple[np.ndarray, ...], seed: int):
    before, beyond, thickness, points = slab
    hu = before.copy()
    add_finding(hu, beyond, thickness, points, draw_patient(seed).with_head(finding="craniotomy"))
    opened = (before > 1000) & (hu < 200)
    assert 20 < np.count_nonzero(opened) * 8 / 7 / 100 < 110  # cm2
    assert np.abs(np.mean(np.sign(points[0, opened]))) > 0.9


def test_without_a_finding_nothing_changes(slab: tuple[np.ndarray, ...]):
    before, beyond, thickness, points = slab
    hu = before.copy()
    add_finding(hu, beyond, thickness, points, draw_patient(0))
    assert np.array_equal(hu, before)
