"""Simulated pairs: what their truth says is where landmarks lie in the images."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial.transform import Rotation

from perfusynth.evaluation.registration_error import pairs, study
from perfusynth.evaluation.registration_error.heads import REAL, Head, head_named
from perfusynth.evaluation.registration_error.motion import (
    Course,
    Nod,
    apply,
    drawn_displacement,
    rigid_fit,
)
from perfusynth.evaluation.registration_error.pairs import SEEDS_A_BLOCK, heads_of_block, simulated_pair, tre
from perfusynth.registration.rigid_motion import about

#: Dense balls of 7 mm radius in the made-up head: RAS mm, none a mirror image of another, 60 mm of height.
BALLS = np.array(
    [(-40.0, -20.0, 10.0), (35.0, 30.0, 20.0), (5.0, -45.0, 35.0), (-25.0, 40.0, 5.0), (30.0, -25.0, -10.0)]
)
BALL_MM, BALL_HU = 7.0, 2500
MADE_UP = {}


@pytest.fixture
def with_balls(monkeypatch):
    """Every head is an ellipsoid with a skull and the balls in it, another name makes it wider; pixels are coarse."""

    def head(name):
        if int(name) % 3 in MADE_UP:
            return replace(MADE_UP[int(name) % 3], name=name)
        shape, affine = (190, 220, 190), np.eye(4)
        affine[:3, 3] = (-95.0, -110.0, -100.0)
        x, y, z = (np.arange(n) + o for n, o in zip(shape, affine[:3, 3], strict=True))
        wider = 1.0 + 0.02 * (int(name) % 3)
        radius = np.sqrt(
            (x[:, None, None] / (70 * wider)) ** 2 + (y[None, :, None] / 88) ** 2 + (z[None, None, :] / 75) ** 2
        )
        hu = np.where(radius < 1, 30, np.where(radius < 1.08, 900, -1000)).astype(np.int16)
        for ball in BALLS:
            distance = np.sqrt(((x - ball[0]) ** 2)[:, None, None] + ((y - ball[1]) ** 2)[:, None] + (z - ball[2]) ** 2)
            hu[distance < BALL_MM] = BALL_HU
        MADE_UP[int(name) % 3] = Head(name, hu, np.zeros(shape, np.int16), radius < 1, affine)
        return MADE_UP[int(name) % 3]

    for name, coarse in {
        "head_named": head,
        "FIXED_MM": 1.9,
        "FIXED_MATRIX": (116, 132),
        "MOVING_MM": 1.7,
        "MOVING_MATRIX": (132, 152),
    }.items():
        monkeypatch.setattr(pairs, name, coarse)


def balls_in(volume):
    """Centres of the balls that an image shows whole, RAS mm, in no order."""
    # Over the skull's 80 kV brightness; half a ball in a slice stays above.
    labels, count = ndimage.label(volume.array > 1500)
    sizes = ndimage.sum_labels(np.ones(volume.shape), labels, np.arange(1, count + 1)) * volume.voxel_ml * 1000
    whole = np.flatnonzero(sizes > 0.7 * 4 / 3 * np.pi * BALL_MM**3) + 1
    weights = np.clip(volume.array - 30, 0, None)
    return apply(volume.affine, np.array(ndimage.center_of_mass(weights, labels, whole)).reshape(-1, 3))


def nearest(found, expected):
    return np.linalg.norm(found[:, None] - expected[None], axis=2).min(axis=1)


@pytest.mark.parametrize("seed", range(SEEDS_A_BLOCK, SEEDS_A_BLOCK + 3))
def test_landmarks_lie_where_the_truth_says(with_balls, seed):
    pair = simulated_pair(seed)
    in_fixed, in_moving = balls_in(pair.fixed), balls_in(pair.moving)
    assert len(in_fixed) >= 2
    assert len(in_moving) == len(BALLS)
    assert nearest(in_fixed, BALLS).max() < 0.7
    assert nearest(in_moving, apply(pair.fixed_to_moving, BALLS)).max() < 0.7
    assert nearest(in_moving, BALLS).max() > 2.0  # it moved
    np.testing.assert_allclose(pair.points_in_moving, apply(pair.fixed_to_moving, pair.points))


@pytest.mark.parametrize("seed", [2, 6])
def test_landmarks_of_a_head_that_moves_during_the_scan_lie_where_its_points_lie(with_balls, seed):
    pair = simulated_pair(SEEDS_A_BLOCK + seed, hard=True)
    assert pair.kind == "motion"
    apart = pair.points_in_moving - apply(pair.fixed_to_moving, pair.points)
    assert np.abs(apart.mean(axis=0)).max() < 0.01  # the best rigid fit
    assert 0.1 < pair.error_mm(pair.fixed_to_moving) < 5.0
    in_moving = balls_in(pair.moving)
    shown = [k for k, ball in enumerate(BALLS) if np.linalg.norm(pair.points - ball, axis=1).min() < 12.0]
    away = []
    for ball in BALLS[shown]:
        near = np.linalg.norm(pair.points - ball, axis=1).argmin()
        expected = apply(pair.fixed_to_moving, ball[None]) + apart[near]
        away.append(np.linalg.norm(in_moving - expected, axis=1).min())
    whole = [distance for distance in away if distance < 20.0]  # the motion may tear a ball
    assert whole
    assert max(whole) < 2.0


def test_kinds_of_hard_pairs(with_balls):
    turned, thin, motion, wrong = (simulated_pair(SEEDS_A_BLOCK + k, hard=True) for k in range(4))
    angle = np.degrees(np.arccos((np.trace(turned.fixed_to_moving[:3, :3]) - 1) / 2))
    assert 15.0 <= angle <= 40.0
    assert thin.fixed.shape[2] * thin.fixed.spacing[2] == pytest.approx(20.0)
    assert motion.heads[0] == motion.heads[1]
    assert wrong.heads[0] != wrong.heads[1]
    assert wrong.fixed_to_moving is None
    assert wrong.error_mm(np.eye(4)) == float("inf")


def test_ordinary_pairs_are_as_the_benchmark_asks(with_balls):
    for seed in range(SEEDS_A_BLOCK + 20, SEEDS_A_BLOCK + 22):
        pair = simulated_pair(seed)
        assert pair.fixed.shape[2] * pair.fixed.spacing[2] == pytest.approx(80.0)
        assert pair.fixed.spacing[2] == pytest.approx(5.0)
        assert pair.moving.spacing[2] == pytest.approx(5.0)
        centre = np.array([0.0, 0.0, -25.0])
        assert np.abs(apply(pair.fixed_to_moving, centre[None])[0] - centre).max() < 25.0
        angle = np.degrees(np.arccos((np.trace(pair.fixed_to_moving[:3, :3]) - 1) / 2))
        assert angle <= 8.0 * np.sqrt(3)
        index = apply(np.linalg.inv(pair.fixed.affine), pair.points)
        assert (index > -0.51).all()
        assert (index < np.array(pair.fixed.shape) - 0.49).all()
        # Deep inside lies tissue of 30 HU with 12 HU of noise (SD by the median deviation: balls are no noise).
        voxels = apply(pair.fixed.affine, np.argwhere(np.ones(pair.fixed.shape)))
        deep = np.linalg.norm((voxels - centre) / [70, 88, 75], axis=1) < 1.1
        deep &= np.linalg.norm(voxels / [70, 88, 75], axis=1) < 0.8
        values = pair.fixed.array.ravel()[deep]
        assert np.median(values) == pytest.approx(30.0, abs=5.0)  # scanners differ by 2 HU
        assert 1.4826 * np.median(np.abs(values - np.median(values))) == pytest.approx(12.0, abs=1.0)


def test_a_seed_gives_the_same_pair_again(with_balls):
    first, second = simulated_pair(SEEDS_A_BLOCK + 7), simulated_pair(SEEDS_A_BLOCK + 7)
    np.testing.assert_array_equal(first.fixed.array, second.fixed.array)
    np.testing.assert_array_equal(first.fixed_to_moving, second.fixed_to_moving)


def test_blocks_of_seeds_share_no_digital_patient_and_models_never_see_the_real_head(with_balls):
    benchmark, fit, check, report = (heads_of_block(block) for block in range(4))
    digital = [name for names in (benchmark, fit, check, report) for name in names if name != REAL]
    assert len(digital) == len(set(digital))
    assert REAL not in (*fit, *check)
    assert REAL in benchmark
    assert REAL in report
    assert set(simulated_pair(SEEDS_A_BLOCK + 3, hard=True).heads) <= set(fit)


def test_error_of_a_shift_is_its_length():
    shifted = np.eye(4)
    shifted[:3, 3] = (3.0, 4.0, 0.0)
    points = np.random.default_rng(0).normal(size=(50, 3))
    assert tre(shifted, np.eye(4), points) == pytest.approx(5.0)


def test_the_rigid_fit_finds_a_known_motion():
    rng = np.random.default_rng(1)
    points = rng.normal(scale=50, size=(30, 3))
    known = about(nod_of(20.0).rotation.as_matrix(), np.array([1.0, 2.0, 3.0]), np.array([4.0, 5.0, 6.0]))
    np.testing.assert_allclose(rigid_fit(points, apply(known, points)), known, atol=1e-9)


def test_a_displacement_is_about_as_long_as_asked():
    rng = np.random.default_rng(3)
    centre = np.array([1.0, 2.0, 3.0])
    directions = rng.normal(size=(300, 3))
    points = centre + 65.0 * directions / np.linalg.norm(directions, axis=1, keepdims=True)  # a brain's surface
    lengths = [tre(drawn_displacement(rng, centre, 8.0), np.eye(4), points) for _ in range(30)]
    assert np.mean(lengths) == pytest.approx(8.0, rel=0.2)
    assert max(lengths) < 12.0


def test_a_pair_gives_a_row_as_registered_and_one_displaced(with_balls, monkeypatch):
    seed = SEEDS_A_BLOCK + 1
    truth = simulated_pair(seed).fixed_to_moving
    far = truth.copy()
    far[0, 3] += 4.0
    registration = SimpleNamespace(fixed_to_moving=truth, restarts=(truth, far, far), figures={"nmi": 1.3}, seconds=1.0)
    monkeypatch.setattr(study, "register", lambda fixed, moving: registration)
    first, second = study.row_of(("fit", seed, False))
    assert (first["displaced"], first["error_mm"], first["figures"]) == (False, 0.0, {"nmi": 1.3})
    assert second["displaced"]
    assert 0.2 < second["error_mm"] < 20.0
    # The restarts moved on with it: they agree as they did.
    assert second["figures"]["restart_spread_mm"] == pytest.approx(4.0, abs=0.1)


def nod_of(degrees):
    return Nod(Rotation.from_rotvec([np.radians(degrees), 0, 0]), np.zeros(3), np.array([0.0, 0.0, 3.0]))


def test_a_moving_head_is_seen_where_its_slice_was_taken():
    course = Course(np.array([0.0, 0.0, 1.0]), nod_of(4.0), 10.0, 40.0)
    points = np.random.default_rng(2).uniform(-60, 60, size=(40, 3))
    for point, there in zip(points, course.where(points, np.eye(4)), strict=True):
        # The head's place at the time of the slice at this height brings the point to this height.
        share = float(course.share(there[2]))
        np.testing.assert_allclose(apply(course.at(share), point[None])[0], there, atol=1e-3)


def test_a_digital_head_has_a_brain_and_contrast():
    head = head_named("7400000")
    assert 1000 < head.brain.sum() / 1000 < 2000  # mL, voxels of 1 mm
    assert 2 < head.enhancement[head.brain].mean() < 20
    assert head.enhancement.max() > 150
    assert 15 < np.median(head.plain[head.brain]) < 45


def test_the_real_head_has_a_brain_and_made_up_contrast(public_data):
    assert (public_data / REAL).is_dir()
    head = head_named(REAL)
    assert 800 < head.brain.sum() / 1000 < 2000
    assert 3 < head.enhancement[head.brain].mean() < 20
    assert not head.enhancement[~head.brain].any()
    assert 15 < np.median(head.plain[head.brain]) < 45
