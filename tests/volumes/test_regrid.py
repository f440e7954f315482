"""Resampling to an even orthogonal grid: every value stays where it was measured."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perfusynth.errors import InputError
from perfusynth.volumes.geometry import corners, is_orthogonal
from perfusynth.volumes.regrid import regrid_stack, straighten
from perfusynth.volumes.volume import Volume

FIELD = np.array([3.0, -1.0, 2.0])


def field(affine: np.ndarray, shape) -> np.ndarray:
    index = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1)
    return (index @ affine[:3, :3].T + affine[:3, 3]) @ FIELD


def test_an_even_straight_stack_is_returned_as_it_is():
    rng = np.random.default_rng(0)
    slices = rng.normal(size=(9, 8, 5)).astype(np.float32)
    positions = np.outer(np.arange(5), [0, 0, 4.0]) + np.array([1, 2, 3])
    volume = regrid_stack(slices, positions, np.array([0.5, 0, 0]), np.array([0, 0.5, 0]), 4.0)
    np.testing.assert_array_equal(volume.array, slices)
    np.testing.assert_allclose(volume.affine, [[0.5, 0, 0, 1], [0, 0.5, 0, 2], [0, 0, 4, 3], [0, 0, 0, 1]])


def test_slices_shifted_by_whole_voxels_are_moved_without_interpolation():
    rng = np.random.default_rng(0)
    slices = rng.normal(size=(9, 8, 3)).astype(np.float32)
    positions = np.array([[0, 0, 0], [1.0, -0.5, 4], [-1.5, 1, 8]])
    volume = regrid_stack(slices, positions, np.array([0.5, 0, 0]), np.array([0, 0.5, 0]), 4.0)
    assert volume.shape == (9 + 5, 8 + 3, 3)
    for k, (x, y) in enumerate([(3, 1), (5, 0), (0, 3)]):
        np.testing.assert_array_equal(volume.array[x : x + 9, y : y + 8, k], slices[:, :, k])
    assert volume.affine[:3, 3] == pytest.approx([-1.5, -0.5, 0])


@settings(max_examples=40, deadline=None)
@given(
    gaps=st.lists(st.floats(0.5, 8), min_size=2, max_size=10),
    tilt=st.floats(-0.5, 0.5),
    spacing=st.floats(0.5, 6),
)
def test_a_linear_field_is_reproduced_wherever_slices_are(gaps, tilt, spacing):
    """Interpolation between true positions is exact for a linear field, whatever the gaps and the tilt."""
    depth = np.concatenate([[0], np.cumsum(gaps)])
    step_x, step_y = np.array([-0.8, 0, 0]), np.array([0, -0.9, 0])
    positions = np.stack([0 * depth + 5, np.sin(tilt) * depth - 3, depth + 10], -1)
    index = np.stack(np.meshgrid(np.arange(12), np.arange(30), indexing="ij"), -1)
    planes = [(p + index @ np.stack([step_x, step_y])) @ FIELD for p in positions]
    volume = regrid_stack(np.stack(planes, -1).astype(np.float32), positions, step_x, step_y, spacing)
    assert is_orthogonal(volume.affine, 1e-9)
    truth = field(volume.affine, volume.shape)
    heights = volume.affine[2, 2] * np.arange(volume.shape[2])
    assert heights[-1] == pytest.approx(depth[-1], abs=spacing / 2 + 1e-9)
    rows = volume.affine[1, 3] + volume.affine[1, 1] * np.arange(volume.shape[1])
    for k, height in enumerate(heights):
        if height > depth[-1]:
            continue
        around = [np.searchsorted(depth, height, "right") - 1, np.searchsorted(depth, height)]
        around = [min(max(a, 0), len(depth) - 1) for a in around]
        first = max(positions[a][1] - 29 * 0.9 for a in around) + 1e-6
        last = min(positions[a][1] for a in around) - 1e-6
        inside = (rows >= first) & (rows <= last)
        np.testing.assert_allclose(volume.array[:, inside, k], truth[:, inside, k], atol=5e-3)


@pytest.mark.parametrize(
    "shear", [(0, 2, 1.3), (0, 2, -0.7), (1, 2, 1.3), (0, 1, 0.2), (1, 0, 0.2), (2, 0, 0.1)], ids=str
)
@pytest.mark.parametrize("flip", [False, True])
def test_a_sheared_grid_keeps_every_place(shear, flip):
    affine = np.array([[-1.0, 0, 0, 30], [0, 1.1, 0, -40], [0, 0, 3.0, 7], [0, 0, 0, 1]])
    affine[shear[0], shear[1]] += shear[2]
    if flip:
        affine[:, 2] *= -1
        affine[3, 3] = 1
    volume = Volume(field(affine, (24, 26, 9)), affine)
    straight = straighten(volume)
    assert is_orthogonal(straight.affine, 1e-9)
    index = (np.linalg.inv(affine) @ straight.affine) @ np.vstack(
        [np.indices(straight.shape).reshape(3, -1), np.ones(straight.array.size)]
    )
    inside = (
        ((index[:3] > -1e-6) & (index[:3] < np.array([[23], [25], [8]]) + 1e-6)).all(axis=0).reshape(straight.shape)
    )
    assert inside.mean() > 0.3
    truth = field(straight.affine, straight.shape)
    np.testing.assert_allclose(straight.array[inside], truth[inside], atol=1e-2)
    ends = corners(straight.shape, straight.affine)
    before = corners(volume.shape, volume.affine)
    axes = straight.affine[:3, :3] / straight.spacing
    assert ((before @ axes).min(0) >= (ends @ axes).min(0) - 1e-2).all()  # all of the scan is covered
    assert ((before @ axes).max(0) <= (ends @ axes).max(0) + 1e-2).all()


def test_tilt_kept_as_shear_leaves_slices_in_their_planes():
    rng = np.random.default_rng(0)
    affine = np.array([[1.0, 0, 0, 0], [0, 1, 2.0, 0], [0, 0, 4, 0], [0, 0, 0, 1]])
    volume = Volume(rng.normal(size=(9, 8, 5)), affine)
    straight = straighten(volume)
    assert straight.shape == (9, 16, 5)
    for k in range(5):
        np.testing.assert_allclose(straight.array[:, 2 * k : 2 * k + 8, k], volume.array[:, :, k], atol=1e-5)


def test_a_grid_that_would_become_huge_is_refused():
    affine = np.array([[1.0, 0, 0, 0], [0, 1, 1e6, 0], [0, 0, 4, 0], [0, 0, 0, 1]])
    with pytest.raises(InputError) as caught:
        straighten(Volume(np.zeros((99, 99, 99)), affine))
    assert caught.value.code == "too_large"
