"""Volumes keep their place in the patient on the way into the scene and out of it, under every kind of transform."""

import numpy as np
import pytest
import slicer
import vtk
from heads import STORED, grid, places, turned
from PerfuSynthLib.grid_volume import GridVolume
from PerfuSynthLib.nifti_file import write_nifti
from PerfuSynthLib.node_geometry import (
    hardened_copy,
    matrix_of,
    needs_hardening,
    set_volume,
    volume_of,
    world_grid,
    world_volume,
)
from PerfuSynthLib.problems import Problem
from vtk.util.numpy_support import numpy_to_vtk

#: A ball in the patient: centre (RAS) and radius, mm.
BALL, RADIUS = np.array([-22.0, 31.0, 9.0]), 14.0


@pytest.fixture(scope="module")
def scene():
    made = slicer.vtkMRMLScene()
    slicer.mrmlScene = made
    yield made
    made.Clear(0)


def ball(affine, shape, to_world=lambda ras: ras):
    """1000 in the ball, -1000 outside, where ``to_world`` says that voxels lie; soft at the edge."""
    distance = np.linalg.norm(to_world(places(shape, affine)) - BALL, axis=-1)
    return GridVolume((2000 * np.clip((RADIUS - distance) / 4 + 0.5, 0, 1) - 1000).astype(np.float32), affine)


def middle(volume):
    """Centre of gravity of the ball (RAS, mm), and its volume, mL."""
    weight = (volume.array + 1000.0) / 2000.0
    centre = (places(volume.array.shape, volume.affine) * weight[..., None]).reshape(-1, 3).sum(axis=0) / weight.sum()
    return centre, weight.sum() * volume.voxel_ml


def add(scene, volume, transform=None):
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "scan")
    set_volume(node, volume)
    if transform is not None:
        node.SetAndObserveTransformNodeID(transform.GetID())
    return node


def linear(scene, matrix):
    node = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "moved")
    node.SetMatrixTransformToParent(matrix_of(matrix))
    return node


def bent(scene, to_world, extent):
    """A grid transform to the parent as Slicer's DICOM reader makes one: displacements on a grid around the scan."""
    steps = np.array([13, 13, 29])
    low, high = np.array(extent)
    spacing = (high - low) / (steps - 1)
    nodes = np.stack(np.meshgrid(*(np.arange(n) for n in steps), indexing="ij"), axis=-1) * spacing + low
    moved = to_world(nodes) - nodes
    image = vtk.vtkImageData()
    image.SetDimensions(*(int(n) for n in steps))
    image.SetSpacing(*spacing)
    image.SetOrigin(*low)
    image.GetPointData().SetScalars(numpy_to_vtk(moved.transpose(2, 1, 0, 3).reshape(-1, 3).copy(), deep=True))
    transform = slicer.vtkOrientedGridTransform()
    transform.SetDisplacementGridData(image)
    transform.SetInterpolationModeToLinear()
    node = scene.AddNewNodeByClass("vtkMRMLGridTransformNode", "acquisition")
    node.SetAndObserveTransformToParent(transform)
    return node


@pytest.mark.parametrize("dtype", [np.float32, np.int16, np.uint8])
@pytest.mark.parametrize("order", ["C", "F"])
def test_voxels_and_grid_come_back_from_the_scene_as_they_went_in(scene, dtype, order):
    rng = np.random.default_rng(3)
    affine = np.eye(4)
    affine[:3] = rng.normal(size=(3, 4))
    volume = GridVolume(np.asarray(rng.integers(0, 99, (5, 6, 7)), dtype, order=order), affine)
    back = volume_of(add(scene, volume))
    assert back.array.dtype == dtype
    assert np.array_equal(back.array, volume.array)
    assert np.allclose(back.affine, affine, rtol=0, atol=1e-12)  # a node keeps directions and spacing apart


@pytest.mark.parametrize("stored", STORED)
def test_slicers_own_reader_puts_a_written_volume_at_the_same_place(scene, tmp_path, stored):
    shape, affine = grid(STORED[stored], (4.0, 4.0, 6.0))
    volume = ball(affine, shape)
    write_nifti(tmp_path / "ball.nii.gz", volume)
    storage = slicer.vtkMRMLVolumeArchetypeStorageNode()
    storage.SetFileName(str(tmp_path / "ball.nii.gz"))
    node = slicer.vtkMRMLScalarVolumeNode()
    assert storage.ReadData(node) == 1
    read = volume_of(node)
    assert np.allclose(middle(read)[0], BALL, atol=0.3)
    assert read.spacing == pytest.approx(volume.spacing)


def test_a_volume_without_a_transform_is_used_as_it_is(scene):
    shape, affine = grid(turned(15), (4.0, 4.0, 6.0))
    node = add(scene, ball(affine, shape))
    assert not needs_hardening(node)
    assert np.shares_memory(world_volume(node).array, volume_of(node).array)


def test_a_transform_that_moves_and_turns_keeps_the_voxels(scene):
    move = np.eye(4)
    move[:3, :3] = turned(20)
    move[:3, 3] = 5, -7, 11
    shape, affine = grid(STORED["LPS"], (3.0, 3.0, 5.0))
    scan = ball(affine, shape, lambda ras: ras @ move[:3, :3].T + move[:3, 3])
    node = add(scene, scan, linear(scene, move))
    assert needs_hardening(node)
    hardened = world_volume(node)
    assert np.array_equal(hardened.array, scan.array)
    assert np.allclose(middle(hardened)[0], BALL, atol=0.05)


def test_a_sheared_grid_is_resampled_to_right_angles(scene):
    shear = np.eye(4)
    shear[1, 2] = 0.35  # a gantry tilted by 19 degrees
    shape, affine = grid(STORED["RAS"], (2.0, 2.0, 4.0))
    node = add(scene, ball(shear @ affine, shape))
    assert needs_hardening(node)
    made = world_volume(node)
    axes = made.affine[:3, :3] / np.linalg.norm(made.affine[:3, :3], axis=0)
    centre, ml = middle(made)
    assert np.allclose(axes.T @ axes, np.eye(3), atol=1e-6)
    assert np.allclose(centre, BALL, atol=0.2)
    assert ml == pytest.approx(4 / 3 * np.pi * RADIUS**3 / 1000, rel=0.03)


def acquisition(ras):
    """A tilted gantry and slices that are twice as far apart above z = 10 mm, as displacements see them."""
    z = np.where(ras[..., 2] > 10, 10 + 2 * (ras[..., 2] - 10), ras[..., 2])
    return np.stack([ras[..., 0], ras[..., 1] + 0.25 * ras[..., 2], z], axis=-1)


@pytest.fixture
def acquired(scene):
    """A scan under an acquisition transform whose ball is where BALL says, in the world."""
    shape, affine = grid(STORED["LPS"], (2.0, 2.0, 4.0))
    transform = bent(scene, acquisition, [[-130, -130, -130], [130, 130, 150]])
    return add(scene, ball(affine, shape, acquisition), transform)


def test_an_acquisition_transform_is_applied_once_to_an_even_grid(acquired):
    made = world_volume(acquired)
    affine, shape = world_grid(acquired)
    centre, ml = middle(made)
    assert np.allclose(centre, BALL, atol=0.3)
    assert ml == pytest.approx(4 / 3 * np.pi * RADIUS**3 / 1000, rel=0.04)
    assert made.spacing == pytest.approx((2.0, 2.0, 4.0), rel=0.08)  # the finer slices decide
    assert np.array_equal(affine, made.affine)
    assert shape == made.array.shape


def test_nothing_of_the_volume_is_cut_off(acquired):
    shape, affine = grid(STORED["LPS"], (2.0, 2.0, 4.0))
    corners = acquisition(places(shape, affine)[:: shape[0] - 1, :: shape[1] - 1, :: shape[2] - 1]).reshape(-1, 3)
    affine, shape = world_grid(acquired)
    index = (np.linalg.inv(affine)[:3] @ np.c_[corners, np.ones(len(corners))].T).T
    assert index.min() > -0.51
    assert (index.max(axis=0) < np.array(shape) - 0.49).all()


def test_the_users_volume_and_transform_stay_as_they_are(acquired):
    before = acquired.GetImageData().GetMTime(), acquired.GetTransformNodeID(), volume_of(acquired).affine
    copy = hardened_copy(acquired)
    after = acquired.GetImageData().GetMTime(), acquired.GetTransformNodeID(), volume_of(acquired).affine
    assert before[:2] == after[:2]
    assert np.array_equal(before[2], after[2])
    assert copy.GetParentTransformNode() is None
    assert not needs_hardening(copy)
    assert copy.GetName() == "scan (hardened)"


def test_what_has_no_voxels_or_several_numbers_a_voxel_is_told(scene):
    empty = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "empty")
    with pytest.raises(Problem) as told:
        volume_of(empty)
    assert told.value.code == "empty_volume"
    colours = add(scene, GridVolume(np.zeros((4, 4, 4), np.uint8), np.eye(4)))
    colours.GetImageData().AllocateScalars(vtk.VTK_UNSIGNED_CHAR, 3)
    with pytest.raises(Problem) as told:
        volume_of(colours)
    assert told.value.code == "not_scalar"


def test_a_transform_that_folds_the_volume_flat_is_told(scene):
    flat = np.diag([1.0, 1.0, 0.0, 1.0])
    node = add(scene, GridVolume(np.zeros((9, 9, 9), np.float32), np.eye(4)), linear(scene, flat))
    with pytest.raises(Problem) as told:
        world_volume(node)
    assert told.value.code == "bad_transform"
