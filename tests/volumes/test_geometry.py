"""Orientation, resampling along axes, and the model grid."""

import itertools
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from perfusynth.volumes.geometry import corners, is_orthogonal, nearest_ras, to_original_order
from perfusynth.volumes.model_grid import AIR_HU, BRAIN_SHARE, ModelGrid, map_to_grid
from perfusynth.volumes.resampling import apply_axis_weights, axis_weights
from perfusynth.volumes.volume import Volume

ORIENTATIONS = [
    (order, signs) for order in itertools.permutations(range(3)) for signs in itertools.product((1, -1), repeat=3)
]


def affine_of(order, signs, angle=0.0, spacing=(0.5, 0.7, 5.0)) -> np.ndarray:
    """Array axis k runs along world axis order[k], turned by a small angle."""
    matrix = np.zeros((3, 3))
    for k in range(3):
        matrix[order[k], k] = signs[k] * spacing[k]
    return nib.affines.from_matvec(nib.eulerangles.euler2mat(angle, angle / 2, -angle) @ matrix, [10, -20, 30])


@pytest.mark.parametrize(("order", "signs"), ORIENTATIONS, ids=str)
@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_all_48_orientations_go_to_ras_and_back(order, signs, data):
    shape = data.draw(st.tuples(*[st.integers(1, 4)] * 3))
    array = data.draw(arrays(np.float32, shape, elements=st.floats(-1e3, 1e3, width=32)))
    volume = Volume(array, affine_of(order, signs, data.draw(st.floats(-0.4, 0.4))))
    ordered = nearest_ras(volume)
    assert nib.aff2axcodes(ordered.affine) == ("R", "A", "S")
    back = to_original_order(ordered.array, volume)
    np.testing.assert_array_equal(back, volume.array)
    assert back.flags.c_contiguous
    # Every value is at its old place: the voxel that holds a place in one order holds it in the other.
    index = np.indices(shape).reshape(3, -1)
    places = volume.affine[:3, :3] @ index + volume.affine[:3, 3:]
    there = np.rint(np.linalg.inv(ordered.affine) @ np.vstack([places, np.ones(index.shape[1])]))[:3].astype(int)
    np.testing.assert_array_equal(ordered.array[tuple(there)], volume.array[tuple(index)])


def test_orthogonality():
    affine = affine_of((0, 1, 2), (-1, 1, 1), 0.3)
    assert is_orthogonal(affine)
    affine[:3, 2] += 0.005 * affine[:3, 1]  # 0.0035 mm in 5 mm: a cosine of 0.0007
    assert is_orthogonal(affine)
    affine[:3, 2] += 0.005 * affine[:3, 1]
    assert not is_orthogonal(affine)


def test_corners_are_centres_of_the_corner_voxels():
    points = corners((3, 4, 5), np.diag([2.0, 1, 1, 1]))
    assert points.shape == (8, 3)
    assert points.min(0).tolist() == [0, 0, 0]
    assert points.max(0).tolist() == [4, 3, 4]


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(1, 30),
    source=st.floats(0.3, 6),
    m=st.integers(1, 30),
    target=st.floats(0.3, 6),
    start=st.floats(-5, 5),
)
def test_weights_keep_constants_where_the_source_covers_and_vanish_outside(n, source, m, target, start):
    weights = axis_weights(n, source, 0.0, m, target, start)
    assert weights.shape == (m, n)
    assert (weights >= 0).all()
    rows = weights.sum(axis=1)
    assert (rows <= 1 + 1e-5).all()
    places = start + target * np.arange(m)
    half = target / 2 if target > source else 0.0
    covered = (places - half >= -source / 2 + 1e-9) & (places + half <= (n - 0.5) * source - 1e-9)
    outside = (places + half < -source / 2 - 1e-9) | (places - half > (n - 0.5) * source + 1e-9)
    np.testing.assert_allclose(rows[covered], 1, atol=1e-5)
    assert (rows[outside] == 0).all()


@settings(max_examples=60, deadline=None)
@given(n=st.integers(3, 30), source=st.floats(0.3, 6), target=st.floats(0.3, 6), start=st.floats(-5, 5))
def test_weights_do_not_move_a_ramp(n, source, target, start):
    """A ramp in mm keeps its place: neither half a voxel up nor down, averaged or interpolated."""
    weights = axis_weights(n, source, 0.0, 20, target, start)
    places = start + target * np.arange(20)
    half = max(target, source) / 2
    inside = (places - half >= 0) & (places + half <= (n - 1) * source)
    found = weights.astype(np.float64) @ (source * np.arange(n))
    # An area average over partly covered cells is off by at most what the cells' steps make of a ramp.
    tolerance = 1e-4 if target <= source else source**2 / (4 * target) + 1e-4
    np.testing.assert_allclose(found[inside], places[inside], atol=tolerance)


def test_interpolation_equals_scipy():
    rng = np.random.default_rng(0)
    array = rng.normal(size=(11, 12, 7)).astype(np.float32)
    spacing = (0.5, 0.7, 5.0)
    weights = tuple(axis_weights(n, s, 0.0, 9, s / 2, s) for n, s in zip(array.shape, spacing, strict=True))
    at = np.meshgrid(*[1 + np.arange(9) / 2] * 3, indexing="ij")
    expected = ndimage.map_coordinates(array, at, order=1)
    np.testing.assert_allclose(apply_axis_weights(array, weights), expected, atol=1e-5)


def head(order=(0, 1, 2), signs=(1, 1, 1), spacing=(1.0, 1.0, 1.0), angle=0.0):
    """A linear field in RAS mm with a box-shaped brain, around the world's origin."""
    matrix = affine_of(order, signs, angle, [spacing[o] for o in order])[:3, :3]
    extent = np.array([180.0, 200.0, 150.0])
    shape = tuple(int(extent[order[k]] / spacing[order[k]]) for k in range(3))
    affine = nib.affines.from_matvec(matrix, -matrix @ (np.array(shape) - 1) / 2)
    places = np.indices(shape).reshape(3, -1)
    places = affine[:3, :3] @ places + affine[:3, 3:]
    values = (0.2 * places[0] + 0.1 * places[1] + 0.3 * places[2]).reshape(shape)
    box = (np.abs(places) < np.array([[60.0], [70], [50]])).all(axis=0).reshape(shape)
    return Volume(values, affine), box


GRID = ModelGrid(size=192, spacing_mm=1.2, slab_mm=5.0)


@pytest.mark.parametrize(("order", "signs"), ORIENTATIONS[::5], ids=str)
@pytest.mark.parametrize("thickness", [0.6, 5.0])
def test_the_model_grid_means_the_same_for_thin_and_thick_scans(order, signs, thickness):
    scan, brain = head(order, signs, (1.8, 1.8, thickness))
    mapping = map_to_grid(scan, brain, GRID)
    assert mapping.shape[:2] == (192, 192)
    assert mapping.shape[2] in range(20, 23)
    assert nib.aff2axcodes(mapping.affine) == ("R", "A", "S")
    model = mapping.to_model(scan.array, outside=AIR_HU)
    index = np.indices(mapping.shape).reshape(3, -1)
    places = (mapping.affine[:3, :3] @ index + mapping.affine[:3, 3:]).reshape(3, *mapping.shape)
    truth = 0.2 * places[0] + 0.1 * places[1] + 0.3 * places[2]
    inside = (np.abs(places) < np.array([60.0, 70, 45])[:, None, None, None]).all(axis=0)
    np.testing.assert_allclose(model[inside], truth[inside], atol=0.1)
    assert (model[np.abs(places[0]) > 95] == AIR_HU).all()
    # And back: maps lie on the scan's own grid, in its own order.
    back = mapping.to_scan(np.where(model == AIR_HU, 0, model))
    assert back.shape == scan.shape
    deep = ndimage.binary_erosion(brain, iterations=8 if thickness < 1 else 3)
    np.testing.assert_allclose(back[deep], scan.array[deep], atol=0.35)


@pytest.mark.parametrize("thickness", [1.0, 4.8])
def test_bone_beside_the_brain_does_not_change_the_brain(thickness):
    scan, brain = head(spacing=(1.8, 1.8, thickness))
    mapping = map_to_grid(scan, brain, GRID)
    hu = np.where(brain, 30.0, 900.0)
    there, share = replace(mapping, scan=scan.with_array(hu)).head_to_model(brain)
    inside = share >= BRAIN_SHARE
    there_mm3 = inside.sum() * np.prod([1.2, 1.2, 5.0])
    assert there_mm3 == pytest.approx(brain.sum() * np.prod(scan.spacing), rel=0.06)
    np.testing.assert_allclose(there[inside], 30.0, atol=0.01)
    plain = mapping.to_model(hu, outside=AIR_HU)
    np.testing.assert_array_equal(there[~inside], plain[~inside])
    assert plain[inside].max() > 100  # as it was


def test_the_brain_on_the_model_grid_is_what_it_is_where_nothing_is_beside_it():
    scan, brain = head()
    mapping = map_to_grid(scan, brain, GRID)
    there, share = mapping.head_to_model(brain)
    deep = share > 0.999
    assert deep.sum() > 1000
    np.testing.assert_allclose(there[deep], mapping.to_model(scan.array, outside=AIR_HU)[deep], atol=0.02)


def test_outside_the_model_grid_maps_are_zero():
    scan, brain = head()
    mapping = map_to_grid(scan, brain, ModelGrid(32, 1.2, 5.0))
    back = mapping.to_scan(np.ones(mapping.shape))
    assert back[0].max() == 0
    assert back[90, 100, 75] == pytest.approx(1)
