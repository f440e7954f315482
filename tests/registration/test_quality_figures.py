"""Figures of a registration: best at the true place, worse the further away, whatever grid and order images have."""

from functools import cache

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from perfusynth.phantom.ct.ncct import render_ncct
from perfusynth.phantom.ct.scanners import SCANNERS
from perfusynth.phantom.grid import Grid
from perfusynth.phantom.patient import draw_patient
from perfusynth.phantom.scene import scene_of
from perfusynth.registration.quality_figures import FIGURES, quality_figures
from perfusynth.registration.skull_slices import enclosed
from perfusynth.volumes.volume import Volume

#: What is largest at the true place; the distances are smallest there.
LARGEST = ("nmi", "nmi_margin", "bone_correlation", "edge_agreement", "brain_correlation")
SCANNER = SCANNERS["standard_5mm"]


def turned_about(centre, degrees, shift=(0.0, 0.0, 0.0)):
    moved = np.eye(4)
    moved[:3, :3] = Rotation.from_euler("xyz", degrees, degrees=True).as_matrix()
    moved[:3, 3] = np.asarray(centre) + shift - moved[:3, :3] @ centre
    return moved


#: The head's motion from the fixed to the moving image.
TRUTH = turned_about((0.0, -5.0, 10.0), (6.0, -4.0, 5.0), (5.0, -7.0, 4.0))


@cache
def image(seed, moved):
    """5 mm slices of a patient, in the moving image's frame or at rest; the scan at rest covers 60 mm."""
    low, slices = (-90.0, 34) if moved else (0.0, 12)
    affine = np.diag([1.2, 1.2, 5.0, 1.0])
    affine[:3, 3] = (-118.0, -126.0, low)
    grid = Grid((198, 214, slices), affine, 5.0)
    scene = scene_of(draw_patient(seed))
    hu, _ = render_ncct(scene, grid.moved(np.linalg.inv(TRUTH)) if moved else grid, SCANNER, 1 + moved)
    return Volume(hu, affine)


@pytest.fixture(scope="module")
def pair():
    return image(41, False), image(41, True)


@pytest.fixture(scope="module")
def at_truth(pair):
    return quality_figures(*pair, TRUTH, restarts=[TRUTH])


def test_all_figures_are_documented_and_finite(at_truth):
    assert set(at_truth) == set(FIGURES)
    assert np.isfinite(list(at_truth.values())).all()


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("millimetres", [3.0, -3.0])
def test_three_millimetres_away_all_figures_are_worse(pair, at_truth, axis, millimetres):
    shifted = TRUTH.copy()
    shifted[axis, 3] += millimetres
    found = quality_figures(*pair, shifted)
    assert all(found[name] < at_truth[name] for name in LARGEST)
    assert found["bone_distance_mm"] > 2 * at_truth["bone_distance_mm"]
    assert found["nmi_margin"] < 0 < at_truth["nmi_margin"]


def test_ten_millimetres_in_plane_show_in_the_brains_dice(pair, at_truth):
    shifted = TRUTH.copy()
    shifted[0, 3] += 10.0
    # Two discs of 130 mm that are 10 mm apart share 90 %.
    assert quality_figures(*pair, shifted)["brain_dice"] == pytest.approx(at_truth["brain_dice"] - 0.1, abs=0.04)


def test_a_turn_of_three_degrees_makes_them_worse(pair, at_truth):
    found = quality_figures(*pair, TRUTH @ turned_about((0.0, 0.0, 30.0), (3.0, 0.0, 0.0)))
    assert found["bone_correlation"] < at_truth["bone_correlation"] - 0.05
    assert found["nmi_margin"] < 0


def test_two_patients_agree_less_than_one_patient_three_millimetres_off(pair, at_truth):
    other = quality_figures(pair[0], image(42, True), TRUTH)
    assert other["bone_correlation"] < 0.8 < at_truth["bone_correlation"]
    assert other["brain_correlation"] < 0.5 * at_truth["brain_correlation"]


def test_the_inverse_transform_is_no_substitute(pair, at_truth):
    assert quality_figures(*pair, np.linalg.inv(TRUTH))["bone_correlation"] < at_truth["bone_correlation"] - 0.3


def test_the_order_in_which_voxels_are_stored_does_not_matter(pair, at_truth):
    fixed, moving = pair
    flip = np.diag([-1.0, -1.0, 1.0, 1.0])
    flip[:2, 3] = np.array(moving.shape[:2]) - 1
    flipped = Volume(moving.array[::-1, ::-1], moving.affine @ flip)
    slices_first = Volume(fixed.array.transpose(2, 0, 1), fixed.affine[:, [2, 0, 1, 3]])
    found = quality_figures(slices_first, flipped, TRUTH, restarts=[TRUTH])
    for name, value in at_truth.items():
        assert found[name] == pytest.approx(value, abs=0.01), name


@pytest.mark.parametrize("padding", [-1500.0, -3024.0])
def test_padding_below_air_is_air(pair, at_truth, padding):
    fixed, moving = pair
    hu = moving.array.copy()
    x, y = (np.arange(n) - n / 2 for n in hu.shape[:2])
    hu[np.hypot(x[:, None], y[None, :]) > 105] = padding
    found = quality_figures(fixed, moving.with_array(hu), TRUTH)
    assert found["nmi"] == pytest.approx(at_truth["nmi"], abs=0.002)
    assert found["bone_distance_mm"] == pytest.approx(at_truth["bone_distance_mm"], abs=0.01)


def test_overlap_is_the_share_of_the_fixed_head_in_view(pair):
    fixed, moving = pair
    assert quality_figures(fixed, moving, TRUTH)["overlap"] == 1.0
    # What the moving image shows begins at 0 mm, where the fixed one begins; 30 of whose 60 mm then lie below.
    affine = moving.affine.copy()
    affine[:3, 3] += 18 * affine[:3, 2]
    upper, lowered = Volume(moving.array[..., 18:], affine), np.eye(4)
    lowered[2, 3] = -30.0
    assert quality_figures(fixed, upper, np.eye(4))["overlap"] == 1.0
    assert quality_figures(fixed, upper, lowered)["overlap"] == pytest.approx(0.5, abs=0.06)


def test_restarts_tell_how_far_they_ended(pair):
    near, far = TRUTH.copy(), TRUTH.copy()
    near[0, 3] += 1.0
    far[1, 3] += 80.0
    spread = [
        quality_figures(*pair, TRUTH, restarts=restarts)["restart_spread_mm"]
        for restarts in ([TRUTH, TRUTH, near], [near], [far], [TRUTH, near, far])
    ]
    assert spread == pytest.approx([0.0, 1.0, 30.0, 1.0], abs=1e-6)  # medians; 30 mm is the most that is told
    assert "restart_spread_mm" not in quality_figures(*pair, TRUTH)


def test_given_masks_take_the_place_of_what_the_skull_encloses(pair):
    fixed, moving = pair
    half = np.zeros(fixed.shape, dtype=bool)
    half[fixed.shape[0] // 2 :] = True
    everything = np.ones(moving.shape, dtype=bool)
    # Half of the fixed grid against all of the moving one: 2 x 1/2 / (1/2 + 1).
    found = quality_figures(fixed, moving, TRUTH, fixed_mask=half, moving_mask=everything)
    assert found["brain_dice"] == pytest.approx(2 / 3, abs=0.02)


def test_what_bone_encloses_is_found_slice_by_slice():
    x, y = np.mgrid[-50:50, -50:50] * 2.0
    radius = np.hypot(x, y)
    hu = np.full((100, 100, 3), -1000.0, dtype=np.float32)
    hu[radius < 70] = 30.0
    hu[(radius >= 70) & (radius < 76)] = 900.0
    hu[..., 1][(np.abs(y) < 20) & (x > 0)] = 30.0  # an opening of 40 mm: nothing is enclosed
    hu[..., 2][(np.abs(y) < 2) & (x > 0)] = 30.0  # a suture of 4 mm does not matter
    inside = enclosed(hu, np.array([2.0, 2.0, 5.0]))
    true = (radius < 70).sum()
    assert inside[..., 0].sum() == pytest.approx(true, rel=0.03)
    assert inside[..., 1].sum() == 0
    assert inside[..., 2].sum() == pytest.approx(true, rel=0.06)


def test_images_without_bone_give_figures_that_say_so(pair):
    fixed, _ = pair
    water = fixed.with_array(np.zeros(fixed.shape))
    found = quality_figures(water, water, np.eye(4), restarts=[np.eye(4)])
    assert np.isfinite(list(found.values())).all()
    assert found["brain_dice"] == 0.0
    assert found["bone_correlation"] == 0.0
    assert found["bone_distance_mm"] == 10.0


def test_images_that_do_not_meet_give_figures_that_say_so(pair):
    away = TRUTH.copy()
    away[0, 3] += 1000.0
    found = quality_figures(*pair, away)
    assert np.isfinite(list(found.values())).all()
    assert found["overlap"] == 0.0
    assert found["bone_correlation"] == 0.0
