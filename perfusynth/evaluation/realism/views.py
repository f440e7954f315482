"""One patient on a grid that is straight in his own head, so that left is the mirror image of right."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from perfusynth.phantom.grid import Grid, planes_of
from perfusynth.phantom.head.pose import Placement
from perfusynth.phantom.lattice import BRAIN, sample
from perfusynth.phantom.scene import Scene

#: Voxels and their size, mm: the model grid's spacing over the whole brain, 5 mm slabs.
STRAIGHT_SHAPE, STRAIGHT_MM = (136, 164, 30), (1.2, 1.2, 5.0)
#: Fraction of grey and white matter from which a voxel counts as brain tissue.
PARENCHYMA_MIN = 0.7
#: The box that holds the circle of Willis and the first branches, mm about the head's centre: low and high corner.
ARTERIES_LOW_MM, ARTERIES_HIGH_MM = (-56.0, -40.0, -65.0), (56.0, 66.0, 20.0)


def head_frame(placement: Placement) -> np.ndarray:
    """4x4 from a straight head at the origin to RAS mm of the head's own frame (rotation and offset, no scale)."""
    rows = placement.linear / np.linalg.norm(placement.linear, axis=1, keepdims=True)
    frame = np.eye(4)
    frame[:3, :3], frame[:3, 3] = rows.T, placement.origin
    return frame


def straight_grid(placement: Placement, pixel_mm: float = STRAIGHT_MM[0]) -> Grid:
    """The whole brain; the array's x axis is mirrored about the mid-sagittal plane."""
    step = np.array([pixel_mm, pixel_mm, STRAIGHT_MM[2]])
    shape = np.rint(np.array(STRAIGHT_SHAPE) * STRAIGHT_MM / step).astype(int)
    affine = np.diag([*step, 1.0])
    affine[:3, 3] = -step * (shape - 1) / 2
    return Grid((int(shape[0]), int(shape[1]), int(shape[2])), head_frame(placement) @ affine, STRAIGHT_MM[2])


def arteries_grid(placement: Placement, pixel_mm: float, slice_mm: float, spacing_mm: float) -> Grid:
    """A scanner's own pixels and slices, cut to the box of the large arteries."""
    step = np.array([pixel_mm, pixel_mm, spacing_mm])
    low, high = np.array(ARTERIES_LOW_MM), np.array(ARTERIES_HIGH_MM)
    shape = np.ceil((high - low) / step).astype(int)
    affine = np.diag([*step, 1.0])
    affine[:3, 3] = (low + high) / 2 - step * (shape - 1) / 2
    return Grid((int(shape[0]), int(shape[1]), int(shape[2])), head_frame(placement) @ affine, slice_mm)


def on_grid(scene: Scene, grid: Grid, field: np.ndarray) -> np.ndarray:
    """A field of `BRAIN` averaged over the slabs of a grid in the head's frame, float32, 0 outside."""
    values = np.zeros(grid.shape, dtype=np.float32)
    for planes in planes_of(scene.placement, grid, brain_only=True):
        values[planes.where] = planes.averaged(sample(field, BRAIN, planes.points.reshape(3, -1)))
    return values


@dataclass(frozen=True, eq=False)
class View:
    """A scene on one grid; fields are put on the grid when they are asked for, once."""

    scene: Scene
    grid: Grid

    def field(self, pick: Callable[[Scene], np.ndarray]) -> np.ndarray:
        """``pick(scene)``, a field of `BRAIN`, on the grid."""
        return on_grid(self.scene, self.grid, pick(self.scene))

    @cached_property
    def grey(self) -> np.ndarray:
        """Fraction of grey matter."""
        return self.field(lambda scene: scene.tissue.grey)

    @cached_property
    def white(self) -> np.ndarray:
        """Fraction of white matter."""
        return self.field(lambda scene: scene.tissue.white)

    @property
    def parenchyma(self) -> np.ndarray:
        """Voxels with little CSF, bool."""
        return self.grey + self.white > PARENCHYMA_MIN

    @cached_property
    def core(self) -> np.ndarray:
        """Infarcted tissue, bool."""
        return self.field(lambda scene: scene.infarct) > 0.5

    @cached_property
    def tmax(self) -> np.ndarray:
        """Tmax of a measurement without noise, s."""
        return self.field(lambda scene: scene.haemodynamics.tmax_expected_s)
