"""Placement: the way back is the way there, and heads are asymmetric as heads are."""

import numpy as np
import pytest

from perfusynth.phantom.head.pose import placement_of, template_coordinates
from perfusynth.phantom.lattice import BRAIN
from perfusynth.phantom.patient import draw_patient


@pytest.mark.parametrize("seed", range(5))
def test_to_head_is_the_inverse_of_to_template(seed: int):
    placement = placement_of(draw_patient(seed))
    rng = np.random.default_rng(seed)
    low = np.array(BRAIN.start)[:, None]
    mni = low + BRAIN.step_mm * (np.array(BRAIN.shape)[:, None] - 1) * rng.random((3, 4000))
    back = placement.to_template(placement.to_head(mni))
    assert np.abs(back - mni).max() < 0.1
    ras = np.array(placement.origin)[:, None] + rng.uniform(-70, 70, (3, 4000))
    assert np.abs(placement.to_head(placement.to_template(ras)) - ras).max() < 0.1


def test_a_rigid_head_goes_back_exactly():
    # Without warp: ras = R (scale * (mni - centre)) + offset, worked out by hand for a turn of 90 degrees about z.
    patient = draw_patient(0).with_head(
        rotation_deg=(0.0, 0.0, 90.0), offset_mm=(1.0, 2.0, 3.0), scale=(0.9, 0.8, 1.1), warp_mm=0.0, petalia_mm=(0, 0)
    )
    found = placement_of(patient).to_head(np.array([[10.0], [-8.0], [25.0]]))[:, 0]
    assert found == pytest.approx([1 - 0.8 * 10, 2 + 0.9 * 10, 3 + 1.1 * 20], abs=1e-3)


def test_grids_see_the_same_placement_as_points():
    placement = placement_of(draw_patient(2))
    affine = np.diag([1.2, 1.2, 5.0, 1.0])
    affine[:3, 3] = (-70, -90, -40)
    ranges = tuple(np.arange(n, dtype=float) for n in (100, 130, 20))
    grid = template_coordinates(placement, affine, ranges)  # type: ignore[arg-type]
    index = np.stack(np.meshgrid(*ranges, indexing="ij")).reshape(3, -1)
    exact = placement.to_template(affine[:3, :3] @ index + affine[:3, 3:4]).reshape(grid.shape)
    assert np.abs(grid - exact).mean() < 0.15
    assert np.abs(grid - exact).max() < 1.5


def test_right_frontal_and_left_occipital_poles_reach_further_on_average():
    differences = []
    for seed in range(40):
        head = draw_patient(seed).head
        upright = draw_patient(seed).with_head(rotation_deg=(0, 0, 0), offset_mm=(0, 0, 0), scale=(1, 1, 1))
        assert upright.head.petalia_mm == head.petalia_mm
        poles = np.array([[26, 60, 8], [-26, 60, 8], [26, -98, 2], [-26, -98, 2]], dtype=float).T
        y = placement_of(upright).to_head(poles)[1]
        differences.append((y[0] - y[1], y[2] - y[3]))
    frontal, occipital = np.mean(differences, axis=0)
    assert 0.8 < frontal < 4  # right in front of left
    assert 0.8 < occipital < 4  # left behind right


@pytest.mark.parametrize("seed", range(4))
def test_the_warp_folds_nothing(seed: int):
    placement = placement_of(draw_patient(seed))
    gradient = np.stack([np.stack(np.gradient(w, 6.0)) for w in placement.warp])
    jacobian = np.moveaxis(gradient, (0, 1), (-2, -1)) + np.eye(3)
    assert np.linalg.det(jacobian).min() > 0.1
