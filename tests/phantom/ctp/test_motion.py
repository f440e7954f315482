"""Head motion during a series: rigid, at rest at first, graded as published, nodding most."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from perfusynth.phantom.ctp.motion import GRADE_PERCENT, draw_motion, still
from perfusynth.phantom.patient import draw_patient

TIMES_S = np.arange(0, 60, 1.5)
PATIENT = draw_patient(0)


def motion_of(seed):
    return draw_motion(replace(PATIENT, seed=seed), TIMES_S)


def shift_mm(motion):
    """Largest shift of a point on the forehead, mm."""
    point = np.array([0.0, 80.0, 30.0, 1.0])
    return float(np.linalg.norm((motion.transforms @ point - point)[:, :3], axis=1).max())


@pytest.fixture(scope="module")
def motions():
    return [motion_of(seed) for seed in range(400)]


def test_transforms_are_rigid_and_begin_at_rest(motions):
    for motion in motions[:40]:
        np.testing.assert_array_equal(motion.transforms[0], np.eye(4))
        turn = motion.transforms[:, :3, :3]
        np.testing.assert_allclose(turn @ turn.transpose(0, 2, 1), np.tile(np.eye(3), (len(TIMES_S), 1, 1)), atol=1e-9)
        np.testing.assert_allclose(np.linalg.det(turn), 1)
        np.testing.assert_array_equal(motion.transforms[:, 3], np.tile([0, 0, 0, 1], (len(TIMES_S), 1)))


def test_grades_are_as_frequent_as_published(motions):
    for grade, percent in {"negligible": 58, "moderate": 24, "strong": 19}.items():
        share = np.mean([m.grade == grade for m in motions])
        assert share == pytest.approx(percent / sum(GRADE_PERCENT.values()), abs=0.07)


def test_grades_differ_in_size(motions):
    sizes = {grade: [shift_mm(m) for m in motions if m.grade == grade] for grade in GRADE_PERCENT}
    assert max(sizes["negligible"]) < 2
    assert max(sizes["negligible"]) < min(sizes["strong"])
    assert np.median(sizes["negligible"]) < np.median(sizes["moderate"]) < np.median(sizes["strong"])
    assert max(sizes["strong"]) < 35


def test_nodding_dominates(motions):
    strong = [m for m in motions if m.grade == "strong"]
    angles = np.array([np.abs(Rotation.from_matrix(m.transforms[:, :3, :3]).as_euler("xyz")).max(0) for m in strong])
    assert (np.median(angles[:, 0]) > 1.5 * np.median(angles[:, 1:], axis=0)).all()


def test_motion_off_and_same_seed():
    np.testing.assert_array_equal(still(TIMES_S).transforms, np.tile(np.eye(4), (len(TIMES_S), 1, 1)))
    np.testing.assert_array_equal(motion_of(5).transforms, motion_of(5).transforms)
    assert (motion_of(5).transforms != motion_of(6).transforms).any()
