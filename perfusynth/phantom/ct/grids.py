"""The grids that CT images are taken on: a scanner's own (sheared where its gantry tilts), and that of a thin pair."""

import numpy as np

from perfusynth.phantom.ct.scanners import Scanner
from perfusynth.phantom.grid import Grid, brain_extent
from perfusynth.phantom.patient import Patient

#: Thin pair of NCCT and CTA: voxel in plane and along z, mm; matrix; what it shows below and above the brain, mm.
THIN_PAIR_SPACING_MM, THIN_PAIR_MATRIX, THIN_PAIR_MARGIN_MM = (0.67, 0.67, 1.25), 320, (8.0, 16.0)


def slice_axes(scanner: Scanner) -> np.ndarray:
    """A scanner's own axes in RAS as columns (3x3): in plane to the right, in plane to the front, normal upwards."""
    tilt = np.radians(scanner.tilt_deg)
    return np.array([[1, 0, 0], [0, np.cos(tilt), -np.sin(tilt)], [0, np.sin(tilt), np.cos(tilt)]])


def _frame(axes: np.ndarray, to_head: np.ndarray | None) -> np.ndarray:
    """From coordinates along ``axes`` of the image's frame to RAS mm of the head's frame (4x4)."""
    frame = np.eye(4)
    frame[:3, :3] = axes
    return frame if to_head is None else to_head @ frame


def native_grid(patient: Patient, scanner: Scanner, to_head: np.ndarray | None = None) -> Grid:
    """The scanner's own matrix over the brain, in the scan's frame.

    Slices of a tilted gantry are inclined while the table moves along z, so that their affine is sheared.

    Parameters
    ----------
    to_head
        4x4 RAS mm from the scan's frame to the head's (`Grid.moved` takes the same); None where they are one.
    """
    axes = slice_axes(scanner)
    low, high = brain_extent(patient, _frame(axes, to_head))
    bottom, top = low[2] - scanner.margin_mm[0], high[2] + scanner.margin_mm[1]
    slices = int(np.ceil((top - bottom) / scanner.plane_distance_mm))
    steps = np.column_stack([scanner.pixel_mm * axes[:, 0], scanner.pixel_mm * axes[:, 1], [0, 0, scanner.spacing_mm]])
    # The head lies halfway between the gantry's centre and where it happened to be put.
    head = np.array([*patient.head.offset_mm, 1.0])
    centre = 0.5 * (head if to_head is None else np.linalg.inv(to_head) @ head)[:3]
    normal = axes[:, 2]
    centre[2] = (bottom + scanner.plane_distance_mm / 2 - normal[:2] @ centre[:2]) / normal[2]
    affine = np.eye(4)
    affine[:3, :3] = steps
    affine[:3, 3] = centre - steps[:, :2] @ np.full(2, (scanner.matrix - 1) / 2)
    # A slab is averaged along the table's axis, on which the slice is thicker than along its normal.
    return Grid((scanner.matrix, scanner.matrix, slices), affine, scanner.slice_mm / float(normal[2]))


def thin_pair_grid(patient: Patient, to_head: np.ndarray | None = None) -> Grid:
    """The grid that NCCT and CTA share as a thin pair, over the head, in the scan's frame; see `native_grid`."""
    low, high = brain_extent(patient, _frame(np.eye(3), to_head))
    step = np.array(THIN_PAIR_SPACING_MM)
    bottom, top = low[2] - THIN_PAIR_MARGIN_MM[0], high[2] + THIN_PAIR_MARGIN_MM[1]
    shape = (THIN_PAIR_MATRIX, THIN_PAIR_MATRIX, int(np.ceil((top - bottom) / step[2])))
    affine = np.diag([*step, 1.0])
    affine[:2, 3] = (low + high)[:2] / 2 - step[:2] * (THIN_PAIR_MATRIX - 1) / 2
    affine[2, 3] = bottom + step[2] / 2
    return Grid(shape, affine, float(step[2]))
