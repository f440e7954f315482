"""Grids that a patient is rendered on, and walking over them in planes that are averaged to slabs."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from perfusynth.phantom.head.atlas import FORAMEN_MAGNUM_Z, atlas
from perfusynth.phantom.head.pose import Placement, placement_of, template_coordinates
from perfusynth.phantom.head.skull import outer_head
from perfusynth.phantom.lattice import HEAD, sample
from perfusynth.phantom.patient import Patient

#: Largest distance between the planes that are averaged to one slab, mm.
PLANE_MM = 1.8
#: Nodes along each axis when looking for the head.
COARSE_NODES = 40
#: Distance from the inner table beyond which there is only air above the face, mm.
CALVARIA_MM = 32.0
#: Points rendered at once, to bound the memory.
CHUNK_POINTS = 4_000_000


@dataclass(frozen=True, eq=False)
class Grid:
    """Where an image's voxels lie.

    Parameters
    ----------
    shape
        Voxels ``(x, y, z)``.
    affine
        4x4, voxel to RAS mm of the image's own frame (sheared where a gantry was tilted).
    slab_mm
        Thickness that a voxel averages over along the third axis.
    """

    shape: tuple[int, int, int]
    affine: np.ndarray
    slab_mm: float

    @property
    def spacing(self) -> np.ndarray:
        """Distances of neighbouring voxels, mm."""
        return np.linalg.norm(self.affine[:3, :3], axis=0)

    @property
    def voxel_ml(self) -> float:
        """Volume of a voxel, mL."""
        return float(abs(np.linalg.det(self.affine[:3, :3]))) / 1000

    def resized(self, shape: tuple[int, int, int]) -> "Grid":
        """So many voxels over the same field of view; slabs are as thick as their distance."""
        ratio = np.array(self.shape) / np.array(shape)
        affine = self.affine.copy()
        affine[:3, :3] = self.affine[:3, :3] * ratio
        affine[:3, 3] += self.affine[:3, :3] @ ((ratio - 1) / 2)
        return Grid(shape, affine, float(self.slab_mm * ratio[2]))

    def moved(self, to_head: np.ndarray) -> "Grid":
        """The same voxels in another frame: ``to_head`` (4x4, RAS mm) is applied after the affine."""
        return Grid(self.shape, np.asarray(to_head, dtype=float) @ self.affine, self.slab_mm)


@dataclass(frozen=True, eq=False)
class Planes:
    """Some slabs of a grid, as the planes that are averaged to them.

    Parameters
    ----------
    columns
        Slices along x and y of the grid's array that hold the head; the rest is air.
    slabs
        Slice along z.
    ranges
        Voxel indices (fractional in z) of the points along each axis.
    points
        MNI mm, float32 ``(3, x, y, slabs * per_slab)``.
    """

    columns: tuple[slice, slice]
    slabs: slice
    ranges: tuple[np.ndarray, np.ndarray, np.ndarray]
    per_slab: int
    points: np.ndarray

    @property
    def where(self) -> tuple[slice, slice, slice]:
        """Index of these slabs in the grid's array."""
        return (*self.columns, self.slabs)

    def averaged(self, values: np.ndarray) -> np.ndarray:
        """Mean over each slab's planes of values at all points (any shape with as many elements)."""
        return values.reshape(*self.points.shape[1:3], -1, self.per_slab).mean(axis=3)

    def centres(self, placement: Placement, grid: Grid) -> np.ndarray:
        """MNI mm of the slabs' own centres, ``(3, x, y, slabs)``."""
        if self.per_slab % 2:
            return self.points.reshape(*self.points.shape[:3], -1, self.per_slab)[..., self.per_slab // 2]
        z = np.arange(self.slabs.start, self.slabs.stop, dtype=float)
        return template_coordinates(placement, grid.affine, (self.ranges[0], self.ranges[1], z))


def planes_of(placement: Placement, grid: Grid, *, brain_only: bool = False) -> Iterator[Planes]:
    """Walk over a grid (in the head's frame) slab by slab, where the head is, in chunks of bounded size."""
    count = max(1, round(grid.slab_mm / PLANE_MM))
    offsets = ((np.arange(count) + 0.5) / count - 0.5) * grid.slab_mm / grid.spacing[2]
    planes = (np.arange(grid.shape[2])[:, None] + offsets[None]).ravel()
    x, y = _columns_with_head(placement, grid, brain_only)
    columns = (slice(int(x[0]), int(x[-1]) + 1), slice(int(y[0]), int(y[-1]) + 1))
    step = max(1, CHUNK_POINTS // (len(x) * len(y) * count))
    for low in range(0, grid.shape[2], step):
        high = min(low + step, grid.shape[2])
        z = planes[low * count : high * count]
        points = template_coordinates(placement, grid.affine, (x, y, z))
        yield Planes(columns, slice(low, high), (x, y, z), count, points)


def _columns_with_head(placement: Placement, grid: Grid, brain_only: bool) -> tuple[np.ndarray, np.ndarray]:
    """Voxel indices along x and y between which the head (or the brain) lies."""
    ranges = [np.linspace(0, n - 1, max(2, min(n, COARSE_NODES))) for n in grid.shape]
    points = template_coordinates(placement, grid.affine, tuple(ranges)).reshape(3, -1)  # type: ignore[arg-type]
    near = sample(atlas(placement.anatomy).cavity, HEAD, points, outside=120.0) < (6.0 if brain_only else CALVARIA_MM)
    if not brain_only:
        near |= sample(outer_head().surface, HEAD, points, outside=-50.0) > -5.0
    near = near.reshape(tuple(len(r) for r in ranges))
    found = []
    for axis in (0, 1):
        hit = np.flatnonzero(near.any(axis=(1 - axis, 2)))
        first, last = (max(hit[0] - 1, 0), min(hit[-1] + 1, len(ranges[axis]) - 1)) if len(hit) else (0, 1)
        found.append(np.arange(int(ranges[axis][first]), int(np.ceil(ranges[axis][last])) + 1, dtype=float))
    return found[0], found[1]


def brain_extent(patient: Patient, frame: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper corner (mm) of the brain along the axes of a frame.

    ``frame`` (4x4, rigid) takes that frame's coordinates to RAS mm of the head's frame; None: the head's own.
    """
    frame = np.eye(4) if frame is None else frame
    step, count = 3.3, np.array([66, 72, 66])
    affine = np.diag([step, step, step, 1.0])
    centre = np.linalg.inv(frame) @ np.array([*patient.head.offset_mm, 1.0])
    affine[:3, 3] = centre[:3] - step * (count - 1) / 2
    ranges = tuple(np.arange(n, dtype=float) for n in count)
    points = template_coordinates(placement_of(patient), frame @ affine, ranges).reshape(3, -1)  # type: ignore[arg-type]
    cavity = sample(atlas(patient.head.anatomy).cavity, HEAD, points, outside=120.0)
    cavity *= np.float32(np.mean(patient.head.scale))
    inside = (cavity < patient.head.csf_gap_mm) & (points[2] > FORAMEN_MAGNUM_Z)
    inside = inside.reshape(tuple(count))
    low, high = np.zeros(3), np.zeros(3)
    for axis in range(3):
        found = np.flatnonzero(inside.any(axis=tuple(a for a in range(3) if a != axis)))
        low[axis], high[axis] = affine[axis, 3] + step * np.array([found[0] - 0.5, found[-1] + 0.5])
    return low, high
