"""CT grids: what they cover, and that a tilted gantry's slices lie where the project's own reader looks for them."""

import numpy as np
import pytest

from perfusynth.phantom.ct.grids import native_grid, slice_axes, thin_pair_grid
from perfusynth.phantom.ct.misregistration import draw_misregistration
from perfusynth.phantom.ct.ncct import noise_free_ncct
from perfusynth.phantom.ct.scanners import SCANNERS
from perfusynth.phantom.grid import Grid
from perfusynth.phantom.head.atlas import FORAMEN_MAGNUM_Z
from perfusynth.phantom.lattice import HEAD, sample
from perfusynth.phantom.patient import draw_patient
from perfusynth.phantom.scene import scene_of
from perfusynth.volumes.regrid import straighten
from perfusynth.volumes.volume import Volume

TILTED = SCANNERS["tilted_5mm"]


def brain_points(seed: int) -> np.ndarray:
    """RAS mm of points in the brain of a patient, homogeneous ``(4, n)``."""
    scene = scene_of(draw_patient(seed))
    axis = np.arange(-130.0, 130.0, 5.0)
    ras = np.stack(np.meshgrid(axis, axis, axis, indexing="ij")).reshape(3, -1)
    mni = scene.placement.to_template(ras)
    inside = (sample(scene.skull.beyond, HEAD, mni, outside=120.0) < -2) & (mni[2] > FORAMEN_MAGNUM_Z)
    return np.vstack([ras[:, inside], np.ones(inside.sum())])


def test_there_are_five_scanners_to_train_on_and_one_kept_away():
    training = [s for s in SCANNERS.values() if s.training]
    assert len(training) >= 5
    assert [s.name for s in SCANNERS.values() if not s.training] == ["external_2_5mm"]
    assert len({(s.noise_sd_hu_at_5mm, s.autocorrelation, s.slice_mm, s.tilt_deg) for s in SCANNERS.values()}) == 6


@pytest.mark.parametrize("seed", [11, 12])
def test_every_grid_covers_the_brain_as_it_lies_in_the_scan(seed: int):
    patient, points = draw_patient(seed), brain_points(seed)
    assert points.shape[1] * 0.125 > 1000  # mL
    to_moving = draw_misregistration(seed, scale=3.0)
    to_head = np.linalg.inv(to_moving)
    for scanner in SCANNERS.values():
        assert scanner.covers_brain
        for grid in (native_grid(patient, scanner, to_head), thin_pair_grid(patient, to_head)):
            voxels = (np.linalg.inv(grid.affine) @ to_moving @ points)[:3]
            assert (voxels > 0).all()
            assert (voxels < np.array(grid.shape)[:, None] - 1).all()
    assert native_grid(patient, TILTED).shape[2] < 42


def test_a_tilted_gantry_shears_the_grid_by_its_tilt():
    affine = native_grid(draw_patient(3), TILTED).affine
    x, y, z = affine[:3, 0], affine[:3, 1], affine[:3, 2]
    assert z == pytest.approx([0, 0, 5.0])
    assert abs(x @ y) < 1e-9
    assert np.degrees(np.arctan2(y[2], y[1])) == pytest.approx(15)
    assert slice_axes(TILTED)[:, 1] == pytest.approx(y / np.linalg.norm(y))
    assert native_grid(draw_patient(3), SCANNERS["thin_1mm"]).affine[:3, :3] == pytest.approx(np.diag([0.45, 0.45, 1]))


def test_the_reader_finds_the_head_of_a_tilted_scan_where_a_straight_grid_shows_it():
    scene = scene_of(draw_patient(3))
    native = native_grid(scene.patient, TILTED)
    coarse = Grid((256, 256, native.shape[2]), native.affine @ np.diag([2.0, 2.0, 1.0, 1.0]), native.slab_mm)
    sheared, _ = noise_free_ncct(scene, coarse, TILTED)
    straight = straighten(Volume(sheared, coarse.affine))
    assert straight.spacing[2] == pytest.approx(TILTED.plane_distance_mm)
    there = Grid(straight.shape, straight.affine, TILTED.slice_mm)
    direct, brain = noise_free_ncct(scene, there, TILTED)
    inner = brain & (direct < 60) & (straight.array < 60)
    assert inner.sum() * np.prod(there.spacing) > 1e6
    assert np.corrcoef(straight.array[inner], direct[inner])[0, 1] > 0.935  # one pixel beside it: 0.91
    bone = (direct > 300) | (straight.array > 300)
    agree = (direct > 300) & (straight.array > 300)
    assert agree.sum() > 0.93 * bone.sum()  # one pixel beside it: 0.88
