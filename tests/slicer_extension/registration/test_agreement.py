"""Live mutual information against the server's figure of the same name, and what it is sampled by."""

import time

import numpy as np
import pytest
from known_pair import known_pair
from PerfuSynthLib.grid_volume import GridVolume
from PerfuSynthRegistrationLib.blocks import block_means
from PerfuSynthRegistrationLib.look_settings import CTP, NCCT, TMAX
from PerfuSynthRegistrationLib.moved_volume import MovedVolume
from PerfuSynthRegistrationLib.nmi import LiveNmi
from PerfuSynthRegistrationLib.rigid import shift_by, turn_about
from scipy import ndimage

from perfusynth.registration.quality_figures import quality_figures
from perfusynth.volumes.volume import Volume

TRUTH = shift_by(np.array([6.0, -5.0, 4.0])) @ turn_about(np.array([0.2, 0.5, 0.8]), 6.0, np.zeros(3))


@pytest.fixture(scope="module")
def pair():
    return known_pair(TRUTH, noise=12.0)


@pytest.fixture(scope="module")
def nmi(pair):
    return LiveNmi(pair.fixed, pair.moving, (CTP, NCCT))


def volume(given):
    return Volume(given.array, given.affine)


# --- mutual information


def test_it_falls_with_every_step_away_from_the_truth(nmi):
    for axis in np.eye(3):
        for away in (
            lambda size, axis=axis: shift_by(size * 2.0 * axis),
            lambda size, axis=axis: turn_about(axis, size * 2.0, np.zeros(3)),
        ):
            figures = [nmi.under(TRUTH @ away(float(size))) for size in (0, 1, 2, 4)]
            assert figures == sorted(figures, reverse=True)


def test_it_is_near_the_servers_figure_of_the_same_name(pair, nmi):
    for away in (np.eye(4), shift_by(np.array([4.0, 0, 0])), turn_about(np.array([1.0, 0, 0]), 10.0, np.zeros(3))):
        matrix = TRUTH @ away
        server = quality_figures(volume(pair.fixed), volume(pair.moving), matrix)["nmi"]
        assert nmi.under(matrix) == pytest.approx(server, abs=0.1)


def test_the_same_image_is_as_alike_as_can_be_and_another_place_is_not(pair):
    same = LiveNmi(pair.fixed, pair.fixed, (CTP, CTP))
    assert same.under(np.eye(4)) == pytest.approx(2.0)
    assert same.under(shift_by(np.array([500.0, 0, 0]))) == 1.0


def test_it_is_quick_enough_to_be_live(nmi):
    took = []
    for _ in range(7):
        begin = time.process_time()
        nmi.under(TRUTH)
        took.append(time.process_time() - begin)
    assert np.median(took) < 0.1  # 20 ms here; tests may share a slower machine


def test_an_image_of_another_unit_is_compared_in_its_own_range(pair):
    tmax = GridVolume(np.where(np.abs(pair.fixed.array - 34) < 40, 5.0, 0.0).astype(np.float32), pair.fixed.affine)
    live = LiveNmi(tmax, pair.moving, (TMAX, NCCT))
    assert live.under(TRUTH) > live.under(TRUTH @ shift_by(np.array([8.0, 0, 0])))


# --- what both are sampled by


def test_the_moved_volume_is_that_of_scipys_resampling(pair):
    moved = MovedVolume(pair.moving, pair.fixed.affine, pair.fixed.array.shape, -1000.0).under(TRUTH)
    index = np.linalg.inv(pair.moving.affine) @ TRUTH @ pair.fixed.affine
    expected = ndimage.affine_transform(
        pair.moving.array, index[:3, :3], index[:3, 3], pair.fixed.array.shape, order=1, cval=-1000.0
    )
    assert np.abs(moved - expected)[pair.fixed.array > -300].max() < 0.5


def test_blocks_lie_where_their_voxels_lay():
    shape, spacing = (41, 40, 9), np.diag([0.9, -1.1, 5.0, 1.0])
    places = np.stack(np.meshgrid(*(np.arange(n) for n in shape), indexing="ij"), axis=-1)
    ramp = GridVolume((places @ spacing[:3, :3].T).sum(axis=-1), spacing)
    blocks = block_means(ramp, 2.0, (-1e6, 1e6))
    assert blocks.array.shape == (20, 20, 9)
    index = np.stack(np.meshgrid(*(np.arange(n) for n in blocks.array.shape), indexing="ij"), axis=-1)
    expected = (index @ blocks.affine[:3, :3].T + blocks.affine[:3, 3]).sum(axis=-1)
    assert np.allclose(blocks.array, expected, atol=1e-3)
