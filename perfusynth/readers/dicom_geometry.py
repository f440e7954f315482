"""From the headers of a stack of slices to its geometry: order, true positions, spacing, and what is wrong with it."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from perfusynth.readers.dicom_headers import Slice
from perfusynth.readers.loaded import MIN_SLICES

#: A slice further than this (mm) from where an even orthogonal grid puts it makes the stack uneven: it is resampled.
#: Half the 0.1 mm within which every anatomical point must stay, so that rounding of the header does not resample.
POSITION_TOLERANCE_MM = 0.1
#: Slices nearer than this (mm) lie at one position.
SAME_POSITION_MM = 0.05
#: Largest distance (mm) between two slices across which values are interpolated: two slabs of 5 mm, as where one
#: slice is missing from a usual head CT. A lacunar infarct measures up to 15 mm, larger gaps could hide one.
MAX_GAP_MM = 10.0
#: A distance this many times the expected one means missing slices; below the inverse, overlapping slices.
MISSING_FACTOR = 1.5
#: Distances within this share of each other are one nominal spacing.
SPACING_TOLERANCE = 0.05
#: Fewest equal distances that make a second nominal spacing where slices do not state their thickness.
NOMINAL_COUNT = 3
#: Largest share of positions at which a slice may have been taken twice; more is a time series.
MAX_REPEATED = 0.1
#: DICOM's world to RAS.
LPS_TO_RAS = np.array([-1.0, -1.0, 1.0])
#: Largest cosine between row and column direction.
ORTHOGONAL_COSINE = 1e-3


class UnusableStackError(Exception):
    """The slices make no volume; ``code`` names the fault, the message is half a sentence for the note or error."""

    def __init__(self, code: str, reason: str):
        super().__init__(reason)
        self.code = code
        self.reason = reason


@dataclass(frozen=True, eq=False)
class StackGeometry:
    """Where the slices of one stack lie, in RAS+ mm.

    Parameters
    ----------
    slices
        Sorted along the normal (row direction x column direction), repeated ones left out.
    positions
        Centre of each slice's first voxel, shape (n, 3).
    step_x, step_y
        From one column, one row to the next, shape (3,).
    depth
        Distance of each slice from the first along the normal, mm.
    spacing_mm
        The smallest nominal distance of slices.
    even
        The slices make an even orthogonal grid as they are.
    notes
        What was found about positions.
    """

    slices: tuple[Slice, ...]
    positions: np.ndarray
    step_x: np.ndarray
    step_y: np.ndarray
    depth: np.ndarray
    spacing_mm: float
    even: bool
    tilt_deg: float
    notes: tuple[str, ...]

    @property
    def affine(self) -> np.ndarray:
        """Voxel (column, row, slice) to RAS mm; exact when ``even``, else through the first and the last slice."""
        affine = np.eye(4)
        affine[:3, 0], affine[:3, 1] = self.step_x, self.step_y
        affine[:3, 2] = (self.positions[-1] - self.positions[0]) / (len(self.positions) - 1)
        affine[:3, 3] = self.positions[0]
        return affine

    @property
    def coverage_mm(self) -> float:
        """Height of the stack along its normal, with half a slice at either end."""
        return float(self.depth[-1]) + self.spacing_mm


def geometry_of(stack: Sequence[Slice]) -> StackGeometry:
    """Work out the geometry of slices that share orientation, size and pixel spacing.

    Positions decide; instance numbers and slice locations are not looked at.

    Raises
    ------
    UnusableStackError
        Codes ``too_few_slices``, ``bad_orientation``, ``one_position``, ``repeated_positions``, ``slice_gap``.
    """
    step_x, step_y, normal = steps_of(stack[0])
    kept, notes = _without_repeats(stack, normal)
    positions = np.array([s.position for s in kept]) * LPS_TO_RAS
    offset = positions - positions[0]
    depth = offset @ normal
    if len(kept) < MIN_SLICES:
        raise UnusableStackError("too_few_slices", f"it has {len(kept)} slices only")
    gaps = np.diff(depth)
    spacing = _check_gaps(kept, depth, gaps, notes)

    even_depth = depth[-1] * np.arange(len(depth)) / (len(depth) - 1)
    sideways = offset - depth[:, None] * normal
    straight = float(np.linalg.norm(sideways, axis=1).max()) <= POSITION_TOLERANCE_MM
    even = bool(np.abs(depth - even_depth).max() <= POSITION_TOLERANCE_MM)
    tilt = float(np.degrees(np.arctan2(np.linalg.norm(sideways[-1]), depth[-1])))
    if not straight:
        notes.append(
            f"The slices are shifted against each other (gantry tilt, {tilt:.1f} degrees): corrected by resampling "
            "once, at true positions."
        )
    if not even:
        notes.append(
            f"The slices lie {gaps.min():.2f} to {gaps.max():.2f} mm apart: resampled once to an even "
            f"{spacing:.2f} mm, at true positions."
        )
    if even:
        spacing = float(depth[-1]) / (len(depth) - 1)
    return StackGeometry(tuple(kept), positions, step_x, step_y, depth, spacing, even and straight, tilt, tuple(notes))


def steps_of(image: Slice) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """RAS mm from one column, one row of a slice to the next, and the unit normal (row x column direction).

    Raises
    ------
    UnusableStackError
        Code ``bad_orientation``.
    """
    assert image.orientation is not None  # grouping has seen to both
    assert image.pixel_spacing is not None
    row, column = np.array(image.orientation[:3]) * LPS_TO_RAS, np.array(image.orientation[3:]) * LPS_TO_RAS
    lengths = np.linalg.norm([row, column], axis=1)
    if abs(lengths - 1).max() > 0.01 or abs(row @ column) > ORTHOGONAL_COSINE:
        raise UnusableStackError("bad_orientation", "its image orientation is damaged")
    row, column = row / lengths[0], column / lengths[1]
    return row * image.pixel_spacing[1], column * image.pixel_spacing[0], np.cross(row, column)


def without_copies(stack: Sequence[Slice]) -> tuple[list[Slice], list[str]]:
    """Each image once (by its UID), and the note that some were there twice."""
    unique: dict[str, Slice] = {}
    for image in stack:
        unique.setdefault(f"{image.sop_instance_uid or image.path}/{image.frame}", image)
    copies = len(stack) - len(unique)
    notes = [f"{copies} {'image is' if copies == 1 else 'images are'} there twice; one of each was read."] * (
        copies > 0
    )
    return list(unique.values()), notes


def _without_repeats(stack: Sequence[Slice], normal: np.ndarray) -> tuple[list[Slice], list[str]]:
    """Slices in ascending order, one a position; what was left out is noted."""
    stack, notes = without_copies(stack)
    depth = np.array([s.position for s in stack]) * LPS_TO_RAS @ normal
    order = sorted(range(len(stack)), key=lambda k: depth[k])
    groups: list[list[int]] = []
    for k in order:
        if groups and depth[k] - depth[groups[-1][0]] < SAME_POSITION_MM:
            groups[-1].append(k)
        else:
            groups.append([k])
    repeated = sum(len(group) > 1 for group in groups)
    if repeated and len(groups) == 1:
        raise UnusableStackError(
            "one_position", f"its {len(order)} images lie at one position (bolus tracking or a test scan)"
        )
    if repeated > max(1, MAX_REPEATED * len(groups)) or (repeated and len(groups) < MIN_SLICES):
        raise UnusableStackError(
            "repeated_positions", f"{repeated} of its {len(groups)} positions have several images (a time series)"
        )
    if repeated:
        notes.append(f"{repeated} position(s) were scanned twice; the later image of each was read.")
    latest = [max(group, key=lambda k: (stack[k].acquisition_number, stack[k].instance_number)) for group in groups]
    return [stack[k] for k in latest], notes


def _check_gaps(slices: Sequence[Slice], depth: np.ndarray, gaps: np.ndarray, notes: list[str]) -> float:
    """Find missing and overlapping slices; returns the smallest nominal spacing, mm."""
    expected, spacing = _nominal(gaps, [s.acquisition.slice_thickness_mm for s in slices])
    widest = float(gaps.max())
    missing = np.maximum(np.rint(gaps / expected) - 1, 0).astype(int) * (gaps > MISSING_FACTOR * expected)
    if widest > MAX_GAP_MM * (1 + SPACING_TOLERANCE):
        lost = f", {missing.sum()} slices are missing" if missing.any() else ""
        raise UnusableStackError(
            "slice_gap", f"its slices lie up to {widest:.1f} mm apart (at most {MAX_GAP_MM:.0f} mm){lost}"
        )
    if missing.any():
        where = int(np.argmax(gaps))
        notes.append(
            f"{missing.sum()} {'slice is' if missing.sum() == 1 else 'slices are'} missing (the widest gap, "
            f"{widest:.1f} mm, lies {depth[where]:.0f} mm above the lowest slice): interpolated between its neighbours."
        )
    overlaps = gaps < expected / MISSING_FACTOR
    if overlaps.any():
        notes.append(f"Slices overlap at {overlaps.sum()} place(s) (centres {gaps[overlaps].min():.2f} mm apart).")
    return spacing


def _nominal(gaps: np.ndarray, thickness: list[float | None]) -> tuple[np.ndarray, float]:
    """The distance expected at each gap, from the most frequent one among slices of that thickness; and the smallest.

    Where slices do not state a thickness, every distance that occurs `NOMINAL_COUNT` times is nominal.
    """
    kinds = [round(t, 2) if t else 0.0 for t in thickness]
    pairs = list(itertools.pairwise(kinds))
    nominal: dict[float, float] = {}
    for kind in dict.fromkeys(kinds):
        group = gaps[[pair == (kind, kind) for pair in pairs]]
        if group.size:
            nominal[kind] = _most_frequent(group)
    fallback = _most_frequent(gaps)
    expected = np.array([(nominal.get(a, fallback) + nominal.get(b, fallback)) / 2 for a, b in pairs])
    smallest = min(nominal.values(), default=fallback)
    if set(kinds) == {0.0}:
        counts = (np.abs(gaps[:, None] / gaps[None, :] - 1) <= SPACING_TOLERANCE).sum(axis=0)
        regular = counts >= NOMINAL_COUNT
        expected = np.where(regular, gaps, expected)
        smallest = float(gaps[regular].min()) if regular.any() else smallest
    return expected, smallest


def _most_frequent(gaps: np.ndarray) -> float:
    """The median of the largest group of nearly equal distances; the smaller of two groups of one size."""
    alike = np.abs(gaps[:, None] / gaps[None, :] - 1) <= SPACING_TOLERANCE
    counts = alike.sum(axis=0)
    centre = min(np.flatnonzero(counts == counts.max()), key=lambda k: gaps[k])
    return float(np.median(gaps[alike[:, centre]]))
