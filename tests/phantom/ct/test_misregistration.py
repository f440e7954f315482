"""Misregistration of NCCT and CT perfusion: rigid, small, mostly a nod, with a tail."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from perfusynth.phantom.ct.misregistration import draw_misregistration


@pytest.fixture(scope="module")
def drawn() -> np.ndarray:
    return np.stack([draw_misregistration(seed) for seed in range(4000)])


def test_each_is_rigid_and_the_same_for_its_seed(drawn: np.ndarray):
    turn = drawn[:, :3, :3]
    assert np.abs(turn @ turn.transpose(0, 2, 1) - np.eye(3)).max() < 1e-12
    assert np.linalg.det(turn) == pytest.approx(np.ones(len(drawn)))
    assert (drawn[:, 3] == [0, 0, 0, 1]).all()
    assert np.array_equal(drawn[7], draw_misregistration(7))
    assert not np.array_equal(drawn[7], drawn[8])


def test_shift_and_turn_are_2_with_sd_2_and_a_tail_to_10_mm_and_8_degrees(drawn: np.ndarray):
    shift = np.linalg.norm(drawn[:, :3, 3], axis=1)
    turn = np.degrees(Rotation.from_matrix(drawn[:, :3, :3]).magnitude())
    for value, largest in ((shift, 10.0), (turn, 8.0)):
        assert value.mean() == pytest.approx(2, abs=0.2)
        assert value.std() == pytest.approx(2, abs=0.3)
        assert 0.9 * largest < value.max() <= largest + 1e-9
    assert np.abs(drawn[:, :3, 3].mean(axis=0)).max() < 0.15


def test_nodding_dominates(drawn: np.ndarray):
    nod, tilt, turn = np.abs(Rotation.from_matrix(drawn[:, :3, :3]).as_rotvec()).mean(axis=0)
    assert nod > 1.5 * max(tilt, turn)


def test_scale_0_is_exactly_the_identity_and_2_twice_the_motion():
    assert np.array_equal(draw_misregistration(5, 0.0), np.eye(4))
    once, twice = draw_misregistration(5), draw_misregistration(5, 2.0)
    assert twice[:3, 3] == pytest.approx(2 * once[:3, 3])
    angles = [Rotation.from_matrix(m[:3, :3]).magnitude() for m in (once, twice)]
    assert angles[1] == pytest.approx(2 * angles[0])
