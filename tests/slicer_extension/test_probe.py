"""The probe against a head whose two halves are known."""

import numpy as np
import pytest
from measured_cases import oblique_affine
from PerfuSynthLib.grid_volume import GridVolume
from PerfuSynthLib.midplane import Midplane
from PerfuSynthLib.probe import Probe, probe_text

from perfusynth.volumes import brain as servers

#: A plane that is turned and does not pass through the origin.
PLANE = Midplane(np.array([4.0, -3.0, 2.0]), np.array([0.98, 0.12, -0.1]) / np.linalg.norm([0.98, 0.12, -0.1]))


def head(affine_seed: int, shape, spacing, values) -> GridVolume:
    """A volume on an oblique grid whose voxels hold ``values`` of their RAS points (n, 3)."""
    affine = oblique_affine(np.random.default_rng(affine_seed), shape, np.array(spacing))
    index = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1)
    ras = index @ affine[:3, :3].T + affine[:3, 3]
    return GridVolume(values(ras).astype(np.float32), affine)


def right_of_plane(ras):
    return (ras - PLANE.point) @ PLANE.normal > 0


@pytest.fixture(scope="module", params=[1, 2, 3])
def probe(request):
    """The NCCT and the maps on two grids that have nothing in common but the patient."""
    seed = request.param
    fine, coarse = ((60, 70, 30), (2.0, 1.8, 5.0)), ((36, 40, 24), (3.3, 3.1, 6.0))
    ncct = head(seed, *fine, lambda ras: np.where(right_of_plane(ras), 30.0, 36.0))
    tmax = head(seed + 10, *coarse, lambda ras: np.where(right_of_plane(ras), 9.0, 2.0))
    cbf = head(seed + 10, *coarse, lambda ras: np.where(right_of_plane(ras), 12.0, 45.0))
    brain = head(seed + 10, *coarse, lambda ras: np.linalg.norm(ras, axis=-1) < 45)
    return Probe(ncct, tmax, cbf, brain, PLANE)


def test_a_point_on_the_right_reads_the_rights_values_and_mirrored_the_lefts(probe):
    for point in ([30.0, 5.0, 0.0], [20.0, -20.0, 10.0]):
        reading = probe.at(np.array(point))
        assert reading.here[1:] == (30, 9, 12)
        assert reading.mirrored[1:] == (36, 2, 45)
        back = probe.at(reading.mirrored.ras)
        assert back.here[1:] == (36, 2, 45)
        assert back.mirrored.ras == pytest.approx(point)


def test_mirroring_keeps_the_distance_and_changes_the_side():
    points = np.random.default_rng(0).uniform(-80, 80, (50, 3))
    theirs = servers.Midplane(PLANE.point, PLANE.normal)
    mirrored = PLANE.mirrored(points)
    assert theirs.signed_distance(mirrored) == pytest.approx(-theirs.signed_distance(points))
    assert (points + mirrored) / 2 == pytest.approx(points - theirs.signed_distance(points)[:, None] * PLANE.normal)


def test_right_of_is_the_servers():
    shape, affine = (20, 24, 12), oblique_affine(np.random.default_rng(5), (20, 24, 12), np.array([4.0, 4.0, 6.0]))
    theirs = servers.Midplane(*PLANE).right_of(shape, affine)
    for box in (np.s_[0:20, 0:24, 0:12], np.s_[3:17, 5:9, 2:12]):
        assert (PLANE.right_of(box, affine) == theirs[box]).all()


def test_outside_the_brain_there_are_no_map_values_and_outside_the_ct_no_hu(probe):
    skull = probe.at(np.array([0.0, 55.0, 0.0]))
    assert skull.here.hu is not None
    assert skull.here.tmax_s is None
    assert skull.here.cbf is None
    far = probe.at(np.array([500.0, 0.0, 0.0]))
    assert far.here[1:] == (None, None, None)


def test_a_point_belongs_to_the_voxel_whose_centre_is_nearest():
    volume = GridVolume(np.arange(27, dtype=np.float32).reshape(3, 3, 3), np.diag([2.0, 2, 2, 1]))
    probe = Probe(volume, volume, volume, volume, None)
    assert probe.at(np.array([2.9, 0, 0])).here.hu == 9
    assert probe.at(np.array([3.1, 0, 0])).here.hu == 18
    assert probe.at(np.array([-0.9, 0, 0])).here.hu == 0
    assert probe.at(np.array([-1.1, 0, 0])).here.hu is None
    assert probe.at(np.array([5.1, 0, 0])).here.hu is None


def test_without_a_midplane_nothing_is_mirrored():
    volume = GridVolume(np.ones((3, 3, 3), np.float32), np.eye(4))
    reading = Probe(volume, volume, volume, volume, None).at(np.ones(3))
    assert reading.mirrored is None
    assert probe_text(reading) == "Here: 1 HU, Tmax 1.0 s, CBF 1 mL/100 g/min"


def test_the_words_name_both_points_and_what_is_outside(probe):
    assert probe_text(probe.at(np.array([30.0, 5.0, 0.0]))) == (
        "Here: 30 HU, Tmax 9.0 s, CBF 12 mL/100 g/min\nMirrored: 36 HU, Tmax 2.0 s, CBF 45 mL/100 g/min"
    )
    assert probe_text(probe.at(np.array([-20.0, 55.0, 0.0]))).startswith("Here: 36 HU, outside the brain mask")
    assert probe_text(probe.at(np.array([500.0, 0.0, 0.0]))).startswith("Here: outside the CT")
