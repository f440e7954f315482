"""Between volume nodes of the scene and GridVolumes: voxels and grid as they are, and as they lie under a transform."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import get_vtk_array_type, numpy_to_vtk, vtk_to_numpy

from .grid_volume import GridVolume
from .problems import Problem

#: Axes this far from orthonormal count as at right angles: rounding of stored directions stays below. [d]
_RIGHT_ANGLE_TOLERANCE = 1e-4
#: Slices closer than this share of the usual distance are repetitions and do not decide the even grid's spacing. [d]
_REPEATED_SLICE = 0.25
#: Voxels that an even grid may have: a wild transform must not fill memory. [d]
_MOST_VOXELS = 512 * 512 * 1200


def volume_of(node: Any) -> GridVolume:
    """Voxels and own grid of a scalar volume node, without transforms above it; the array is a view, not to be written.

    Raises
    ------
    Problem
        Code ``empty_volume``: there are no voxels; ``not_scalar``: several numbers a voxel.
    """
    image = node.GetImageData()
    if image is None or image.GetPointData().GetScalars() is None or 0 in image.GetDimensions():
        raise Problem("empty_volume", "The chosen volume holds no image.", "Load it again or choose another volume.")
    if image.GetNumberOfScalarComponents() != 1:
        raise Problem("not_scalar", "The chosen volume is in colours or holds vectors.", "Choose the plain CT itself.")
    array = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(image.GetDimensions()[::-1]).T
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    return GridVolume(array, array_of(matrix))


def set_volume(node: Any, volume: GridVolume) -> None:
    """Give a volume node voxels and grid; the voxels are copied."""
    node.SetIJKToRASMatrix(matrix_of(volume.affine))
    node.SetAndObserveImageData(image_of(volume.array))


def image_of(array: np.ndarray, shared: bool = False) -> Any:
    """vtkImageData of an (x, y, z) array, spacing 1 and origin 0 as volume nodes want it; bool becomes uint8.

    With ``shared`` the image looks at the array's memory, which must lie in VTK's order (x fastest) and outlive it.
    """
    if array.dtype == bool:
        array = array.view(np.uint8)
    scalars = numpy_to_vtk(array.ravel(order="F"), deep=not shared, array_type=get_vtk_array_type(array.dtype))
    image = vtk.vtkImageData()
    image.SetDimensions(array.shape)
    image.GetPointData().SetScalars(scalars)
    return image


def array_of(matrix: Any) -> np.ndarray:
    """A vtkMatrix4x4 as float64 (4, 4)."""
    return np.array([[matrix.GetElement(row, column) for column in range(4)] for row in range(4)])


def matrix_of(array: np.ndarray) -> Any:
    """A (4, 4) array as vtkMatrix4x4."""
    matrix = vtk.vtkMatrix4x4()
    for row in range(4):
        for column in range(4):
            matrix.SetElement(row, column, float(array[row, column]))
    return matrix


def is_even(affine: np.ndarray) -> bool:
    """Whether a grid's axes are at right angles to each other."""
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    if not (lengths > 0).all():
        return False
    axes = affine[:3, :3] / lengths
    return bool(np.abs(axes.T @ axes - np.eye(3)).max() <= _RIGHT_ANGLE_TOLERANCE)


def needs_hardening(node: Any) -> bool:
    """Whether the volume lies elsewhere than its own grid says, or on a grid that is not at right angles."""
    return node.GetParentTransformNode() is not None or not is_even(volume_of(node).affine)


def world_volume(node: Any) -> GridVolume:
    """The volume where it lies in the world, on an even orthogonal grid; the node stays as it is.

    Under no transform, or one that moves and turns, the voxels are the node's own (a view). Under a transform that
    bends (an acquisition transform: tilted gantry, uneven slices), or shears, they are interpolated linearly, once, on
    an even grid that holds all of the volume; what lies outside of it takes the volume's smallest value.

    Raises
    ------
    Problem
        As `volume_of`; ``bad_transform``: the transform cannot be undone or stretches the volume beyond reason.
    """
    volume, parent = volume_of(node), node.GetParentTransformNode()
    affine, shape = world_grid(node)
    if _moves_only(volume.affine, parent):
        return GridVolume(volume.array, affine)
    return GridVolume(_resliced(node, parent, affine, shape, float(volume.array.min())), affine)


def world_grid(node: Any) -> tuple[np.ndarray, tuple[int, int, int]]:
    """Affine and shape of what `world_volume` gives, without its voxels. Errors as there."""
    volume, parent = volume_of(node), node.GetParentTransformNode()
    if _moves_only(volume.affine, parent):
        return _matrix_to_world(parent) @ volume.affine, volume.array.shape
    return _even_grid(volume, parent)


def hardened_copy(node: Any) -> Any:
    """A copy of the volume in its scene that lies, without a transform, where the volume is seen now.

    It is named after the volume; the volume and its transform stay as they are. Errors as `world_volume`.
    """
    copy = slicer.vtkMRMLScalarVolumeNode()
    copy.SetName(f"{node.GetName()} (hardened)")
    set_volume(copy, world_volume(node))
    node.GetScene().AddNode(copy)
    copy.CreateDefaultDisplayNodes()
    return copy


def _moves_only(affine: np.ndarray, parent: Any) -> bool:
    """Whether a grid stays at right angles under a transform, so that its voxels can stay what they are."""
    return (parent is None or parent.IsTransformToWorldLinear()) and is_even(_matrix_to_world(parent) @ affine)


def _matrix_to_world(parent: Any) -> np.ndarray:
    matrix = vtk.vtkMatrix4x4()
    if parent is not None:
        parent.GetMatrixTransformToWorld(matrix)
    return array_of(matrix)


def _even_grid(volume: GridVolume, parent: Any) -> tuple[np.ndarray, tuple[int, int, int]]:
    """Affine and shape of the grid at right angles that holds the volume: in its rows and columns, as fine as it is."""
    shape = volume.array.shape
    steps = [np.unique(np.linspace(0, size - 1, min(size, 9)).round()) for size in shape[:2]] + [np.arange(shape[2])]
    lattice = np.stack(np.meshgrid(*steps, indexing="ij"), axis=-1)
    places = _to_world(lattice.reshape(-1, 3) @ volume.affine[:3, :3].T + volume.affine[:3, 3], parent)
    places = places.reshape(lattice.shape)
    columns = [_mean_step(places, lattice, axis) for axis in range(3)]
    if not abs(np.linalg.det(columns)) > 0:  # flat, or no numbers at all
        raise _bad_transform()
    x = columns[0] / np.linalg.norm(columns[0])
    y = columns[1] - (columns[1] @ x) * x
    y /= np.linalg.norm(y)
    z = np.cross(x, y)
    z *= np.sign(columns[2] @ z) or 1.0
    axes = np.stack([x, y, z], axis=1)
    along = places @ axes
    low, high = along.reshape(-1, 3).min(axis=0), along.reshape(-1, 3).max(axis=0)
    spacing = np.array([columns[0] @ x, columns[1] @ y, _slice_distance(along, columns[2] @ z)])
    if not (spacing > 0).all() or not np.isfinite(places).all():
        raise _bad_transform()
    counts = np.floor((high - low) / spacing + 0.5) + 1
    if counts.prod() > _MOST_VOXELS:
        raise _bad_transform()
    affine = np.eye(4)
    affine[:3, :3] = axes * spacing
    affine[:3, 3] = axes @ low
    return affine, (int(counts[0]), int(counts[1]), int(counts[2]))


def _mean_step(places: np.ndarray, lattice: np.ndarray, axis: int) -> np.ndarray:
    """Mean way in the world from one voxel to the next along an axis, mm."""
    if lattice.shape[axis] < 2:
        raise Problem("one_slice", "The chosen volume is a single slice.", "Choose the whole head CT.")
    ways = np.take(places, -1, axis) - np.take(places, 0, axis)
    return ways.reshape(-1, 3).mean(axis=0) / (lattice[..., axis].max() - lattice[..., axis].min())


def _slice_distance(along: np.ndarray, mean: float) -> float:
    """Distance of the even grid's slices, mm: the smallest between two of the volume's that are not repetitions."""
    distances = np.abs(np.diff(along[..., 2], axis=2)).mean(axis=(0, 1))
    distances = distances[distances > _REPEATED_SLICE * abs(mean)]
    return float(distances.min()) if len(distances) else 0.0


def _to_world(points: np.ndarray, parent: Any) -> np.ndarray:
    if parent is None:
        return points
    to_world = vtk.vtkGeneralTransform()
    parent.GetTransformToWorld(to_world)
    given, moved = vtk.vtkPoints(), vtk.vtkPoints()
    given.SetData(numpy_to_vtk(np.ascontiguousarray(points), deep=True))
    to_world.TransformPoints(given, moved)
    return vtk_to_numpy(moved.GetData()).astype(float)


def _resliced(node: Any, parent: Any, affine: np.ndarray, shape: tuple, outside: float) -> np.ndarray:
    """The volume's values at a grid of the world: world to the node's own space to its voxels, in one step."""
    to_voxel = vtk.vtkGeneralTransform()
    to_voxel.PostMultiply()
    to_voxel.Concatenate(matrix_of(affine))
    if parent is not None:
        from_world = vtk.vtkGeneralTransform()
        parent.GetTransformFromWorld(from_world)
        to_voxel.Concatenate(from_world)
    ras_to_ijk = vtk.vtkMatrix4x4()
    node.GetRASToIJKMatrix(ras_to_ijk)
    to_voxel.Concatenate(ras_to_ijk)
    reslice = vtk.vtkImageReslice()
    reslice.SetInputData(node.GetImageData())
    reslice.SetResliceTransform(to_voxel)
    reslice.SetInterpolationModeToLinear()
    reslice.SetBackgroundLevel(outside)
    reslice.SetOutputOrigin(0, 0, 0)
    reslice.SetOutputSpacing(1, 1, 1)
    reslice.SetOutputExtent(0, shape[0] - 1, 0, shape[1] - 1, 0, shape[2] - 1)
    reslice.Update()
    image = reslice.GetOutput()
    return vtk_to_numpy(image.GetPointData().GetScalars()).reshape(image.GetDimensions()[::-1]).T.copy(order="F")


def _bad_transform() -> Problem:
    return Problem(
        "bad_transform",
        "The transform above the chosen volume cannot be applied to it.",
        "Remove the transform, or harden it in the Transforms module and look at the result.",
    )
