"""Noise: what straightening a tilted scan leaves of it, and where in the head it is strongest."""

import numpy as np
import pytest
from scipy import ndimage

from perfusynth.phantom.ct.ncct import noise_free_ncct, render_ncct
from perfusynth.phantom.ct.noise import noise_factor, noise_field
from perfusynth.phantom.ct.scanners import SCANNERS
from perfusynth.phantom.grid import Grid
from perfusynth.phantom.lattice import HEAD, sample, stream
from perfusynth.phantom.patient import draw_patient
from perfusynth.phantom.scene import scene_of
from perfusynth.volumes.regrid import straighten
from perfusynth.volumes.resampling import apply_axis_weights, axis_weights
from perfusynth.volumes.volume import Volume

TILTED = SCANNERS["tilted_5mm"]


def lag(field: np.ndarray, axis: int) -> float:
    a = np.moveaxis(field, axis, 0)
    return float((a[1:] * a[:-1]).mean() / a.var())


def test_a_tilted_scan_has_the_noise_that_straightening_and_averaging_leave():
    rng = stream(1, "test")
    tilt = np.radians(TILTED.tilt_deg)
    affine = np.diag([TILTED.pixel_mm, TILTED.pixel_mm * np.cos(tilt), TILTED.spacing_mm, 1.0])
    affine[2, 1] = TILTED.pixel_mm * np.sin(tilt)
    spacing = np.array([TILTED.pixel_mm, TILTED.pixel_mm, TILTED.plane_distance_mm])
    direct, averaged = [], []
    for start in np.linspace(5.0, 10.0, 6, endpoint=False):
        field = noise_field(rng, TILTED, (200, 240, 14), spacing, TILTED.slice_mm)
        assert field.std() == pytest.approx(TILTED.noise_sd_hu_at_5mm, rel=0.03)
        straight = straighten(Volume(field, affine))
        step, at = straight.spacing, (40.0, 40.0, start)
        weights = tuple(
            axis_weights(straight.shape[a], step[a], 0.0, (30, 30, 8)[a], (1.2, 1.2, 5.0)[a], at[a]) for a in range(3)
        )
        averaged.append(apply_axis_weights(straight.array, weights))  # type: ignore[arg-type]
        direct.append(noise_field(rng, TILTED, (120, 120, 8), np.array([1.2, 1.2, 5.0]), 5.0))
    assert np.std(direct) == pytest.approx(np.std(averaged), rel=0.07)
    for axis in range(3):
        found, expected = (np.mean([lag(f, axis) for f in fields]) for fields in (direct, averaged))
        assert found == pytest.approx(expected, abs=0.08)


def test_noise_is_strongest_in_the_middle_and_between_the_petrous_bones_and_as_stated_on_average():
    scene = scene_of(draw_patient(2))
    affine = np.diag([3.0, 3.0, 5.0, 1.0])
    affine[:3, 3] = (-90, -110, -75)
    grid = Grid((60, 75, 32), affine, 5.0)
    factor = noise_factor(scene.placement, grid)
    _, brain = noise_free_ncct(scene, grid, SCANNERS["standard_5mm"])
    ranges = np.stack(np.meshgrid(*(np.arange(n) for n in grid.shape), indexing="ij")).reshape(3, -1)
    mni = scene.placement.to_template(affine[:3, :3] @ ranges + affine[:3, 3:]).reshape(3, *grid.shape)
    depth = sample(scene.skull.beyond, HEAD, mni.reshape(3, -1), outside=120.0).reshape(grid.shape)
    middle = (mni[2] > 0) & (mni[2] < 30)
    centre, rim = factor[middle & (depth < -40)].mean(), factor[middle & brain & (depth > -10)].mean()
    vertex = factor[brain & (mni[2] > 60)].mean()
    petrous = factor[brain & (np.abs(mni[0]) < 15) & (np.abs(mni[1] + 28) < 12) & (np.abs(mni[2] + 38) < 10)].mean()
    assert 1.05 < centre / rim < 1.4
    assert petrous > centre > vertex
    assert np.sqrt((factor[brain] ** 2).mean()) == pytest.approx(1, abs=0.05)


def test_a_5_mm_scan_has_the_published_sd_and_autocorrelation_in_the_brain():
    """Acceptance: SD 3.7 +- 0.6 HU; lag 1 0.6 and lag 2 0.1, +- 0.15, of the whole rendered scan."""
    scene = scene_of(draw_patient(2))
    scanner = SCANNERS["standard_5mm"]
    affine = np.diag([scanner.pixel_mm, scanner.pixel_mm, 5.0, 1.0])
    affine[:3, 3] = (-40, -50, 10)
    grid = Grid((160, 200, 8), affine, 5.0)
    scans = [render_ncct(scene, grid, scanner, seed)[0] for seed in (1, 2)]
    noise = (scans[0] - scans[1]) / np.sqrt(2)
    noise -= noise.mean(axis=(0, 1))
    assert noise.std() == pytest.approx(3.7, abs=0.6)
    for axis in (0, 1):
        a = np.moveaxis(noise, axis, 0)
        correlation = [(a[k:] * a[: len(a) - k]).mean() / a.var() for k in (1, 2, 3)]
        assert correlation[0] == pytest.approx(0.6, abs=0.08)
        assert correlation[1] == pytest.approx(0.1, abs=0.08)
        assert correlation[2] == pytest.approx(-0.1, abs=0.08)
    assert ndimage.uniform_filter(noise, (4, 4, 1)).std() < noise.std()
