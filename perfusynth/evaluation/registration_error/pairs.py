"""Simulated pairs of a plain head CT and a perfusion study, moved by a known transform."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import ndimage
from scipy.spatial.transform import Rotation

from perfusynth.evaluation.registration_error.heads import REAL, Head, head_named
from perfusynth.evaluation.registration_error.motion import Course, Nod, apply, rigid_fit
from perfusynth.phantom.ctp.frames import BONE_FACTOR_80KV, SOFT_TISSUE_HU
from perfusynth.phantom.ctp.protocols import MISSED_BELOW_SHARE, PLACEMENT_SD_MM
from perfusynth.phantom.lattice import stream
from perfusynth.registration.rigid_motion import about
from perfusynth.volumes.volume import Volume

Kind = Literal["ordinary", "turned", "thin", "motion", "wrong patient"]

#: Hard pairs, in turn over the seeds.
HARD: tuple[Kind, ...] = ("turned", "thin", "motion", "wrong patient")
#: So many seeds in a row share their heads: seeds of two blocks have no digital patient in common.
SEEDS_A_BLOCK = 1000
#: Digital patients a block, and the first one's seed; blocks in which the real head is, too: none that a model is
#: fitted or tuned on.
PATIENTS_A_BLOCK, FIRST_PATIENT, REAL_BLOCKS = 6, 7_400_000, (0, 3)
#: Largest turn about each axis, degrees, and shift along each axis, mm, of an ordinary pair.
TURN_DEG, SHIFT_MM = 8.0, 10.0
#: Least and largest turn of a pair that is turned far, degrees.
FAR_DEG = (15.0, 40.0)
#: Share of the thin slabs that are turned as far, too.
TURNED_THIN = 0.5
#: SD of the noise, HU; slices, mm; voxels in plane, mm, and matrix of the perfusion study and of the plain CT.
NOISE_HU, SLICE_MM = 12.0, 5.0
FIXED_MM, FIXED_MATRIX, MOVING_MM, MOVING_MATRIX = 0.95, (232, 264), 0.85, (264, 304)
#: Height that the perfusion study covers, mm; of a thin one.
COVERAGE_MM, THIN_MM = 80.0, 20.0
#: Planes that are averaged to a slice.
PLANES = 3
#: Share of the arterial enhancement that the mean of a series shows; a baseline shows none.
MEAN_SHARE, BASELINES = (0.2, 0.6), 0.3
#: Gantry tilt of those that are tilted, degrees; values outside the round field of view.
TILT_DEG, PADDING_HU = 15.0, (-1500.0, -3024.0, 0.0)
#: What the plain CT shows below and above the brain, mm.
MARGIN_MM = (12.0, 18.0)
#: Motion during the plain CT: nod, degrees, and shift, mm, from before to after; least and largest of both.
NOD_DEG, JERK_MM = (1.0, 12.0), (0.5, 10.0)
#: Motion between the frames that a mean is taken of: largest turn, degrees, and shift, mm.
BLUR_DEG, BLUR_MM = 1.5, 1.5
#: Points at which the error of a transform is measured.
POINTS = 400


@dataclass(frozen=True, eq=False)
class SimulatedPair:
    """Two images and where each point of the one truly lies in the other.

    Parameters
    ----------
    fixed, moving
        HU: the perfusion study's baseline or mean over time, and the plain CT.
    fixed_to_moving
        4x4, RAS mm, x_moving = M x_fixed; for motion within the plain CT the rigid transform that fits best; None for
        two patients, whom no transform brings together.
    points
        ``(n, 3)``, RAS mm in ``fixed``: places in the brain that it shows.
    points_in_moving
        Where they lie in ``moving``; None for two patients.
    heads
        Names of the heads in ``fixed`` and ``moving``.
    """

    seed: int
    kind: Kind
    heads: tuple[str, str]
    fixed: Volume
    moving: Volume
    fixed_to_moving: np.ndarray | None
    points: np.ndarray
    points_in_moving: np.ndarray | None

    def error_mm(self, found: np.ndarray) -> float:
        """Target registration error of a transform: mean distance at the points, mm; infinite for two patients."""
        if self.points_in_moving is None:
            return float("inf")
        return float(np.linalg.norm(apply(found, self.points) - self.points_in_moving, axis=1).mean())


def tre(found: np.ndarray, truth: np.ndarray, points: np.ndarray) -> float:
    """Target registration error of a transform: mean distance from the truth at some points, mm."""
    return float(np.linalg.norm(apply(found, points) - apply(truth, points), axis=1).mean())


def simulated_pair(seed: int, hard: bool = False) -> SimulatedPair:
    """The pair of a seed; the same on every machine but for rounding.

    Ordinary: +-8 degrees about and +-10 mm along each axis, 80 mm of coverage, 5 mm slices, 12 HU of noise, contrast
    medium in the fixed image, some gantries tilted, some images padded. Hard: of the kinds `HARD` in turn.
    """
    kind: Kind = HARD[seed % len(HARD)] if hard else "ordinary"
    rng = stream(seed, f"registration pair {kind}")
    names = _two_heads(seed, rng)
    fixed_head = head_named(names[0])
    moving_head = head_named(names[1] if kind == "wrong patient" else names[0])
    truth = _transform(rng, fixed_head, kind)
    nod = _nod(rng, truth, fixed_head) if kind == "motion" else None

    fixed = _fixed_image(rng, fixed_head, kind)
    moving, course = _moving_image(rng, moving_head, truth, nod)
    points = _shown_points(rng, fixed, fixed_head)
    if kind == "wrong patient":
        return SimulatedPair(seed, kind, (names[0], names[1]), fixed, moving, None, points, None)
    there = apply(truth, points)
    if nod is not None:
        there = course.where(points, truth)
        truth = rigid_fit(points, there)
    return SimulatedPair(seed, kind, (names[0], names[0]), fixed, moving, truth, points, there)


def heads_of_block(block: int) -> tuple[str, ...]:
    """Names of the heads from which the pairs of a block of seeds are made."""
    first = FIRST_PATIENT + block * PATIENTS_A_BLOCK
    names = tuple(str(seed) for seed in range(first, first + PATIENTS_A_BLOCK))
    return (*names, REAL) if block in REAL_BLOCKS else names


def _two_heads(seed: int, rng: np.random.Generator) -> tuple[str, str]:
    """Two of the block's heads, each as frequent as the others."""
    names = heads_of_block(seed // SEEDS_A_BLOCK)
    first, second = rng.permutation(len(names))[:2]
    return names[first], names[second]


def _transform(rng: np.random.Generator, head: Head, kind: Kind) -> np.ndarray:
    centre = head.brain_points.mean(axis=0)
    shift = rng.uniform(-SHIFT_MM, SHIFT_MM, 3)
    if kind == "turned" or (kind == "thin" and rng.random() < TURNED_THIN):
        axis = rng.standard_normal(3)
        turn = Rotation.from_rotvec(np.radians(rng.uniform(*FAR_DEG)) * axis / np.linalg.norm(axis))
    else:
        turn = Rotation.from_euler("xyz", rng.uniform(-TURN_DEG, TURN_DEG, 3), degrees=True)
    return about(turn.as_matrix(), centre, shift)


def _nod(rng: np.random.Generator, truth: np.ndarray, head: Head) -> Nod:
    axis, direction = rng.standard_normal(3) * [1.0, 0.35, 0.5], rng.standard_normal(3)
    rotation = Rotation.from_rotvec(np.radians(rng.uniform(*NOD_DEG)) * axis / np.linalg.norm(axis))
    shift = rng.uniform(*JERK_MM) * direction / np.linalg.norm(direction)
    return Nod(rotation, apply(truth, head.brain_points.mean(axis=0)), shift)


def _fixed_image(rng: np.random.Generator, head: Head, kind: Kind) -> Volume:
    """Baseline or mean of a perfusion study: 80 kV, contrast medium, a slab of the brain."""
    share = 0.0 if rng.random() < BASELINES else rng.uniform(*MEAN_SHARE)
    axes = _axes(rng)
    low, high = _extent(head.brain_points, axes)
    coverage = THIN_MM if kind == "thin" else COVERAGE_MM
    missed = high[2] - low[2] - coverage
    place = rng.uniform(0.4, 0.75) if kind == "thin" else (MISSED_BELOW_SHARE if missed > 0 else 0.5)
    bottom = low[2] + place * missed + PLACEMENT_SD_MM * np.clip(rng.standard_normal(), -2, 2)
    centre = (low + high)[:2] / 2 + rng.uniform(-6, 6, 2)
    affine = _affine(axes, FIXED_MM, FIXED_MATRIX, centre, bottom)
    shape = (*FIXED_MATRIX, round(coverage / SLICE_MM))
    places = [np.eye(4)]
    if kind == "motion":
        turn = Rotation.from_euler("xyz", rng.uniform(-BLUR_DEG, BLUR_DEG, 3), degrees=True)
        moved = about(turn.as_matrix(), head.brain_points.mean(axis=0), rng.uniform(-BLUR_MM, BLUR_MM, 3))
        places += [moved, np.linalg.inv(moved)]
    hu = np.zeros(shape, dtype=np.float32)
    bright = head.plain + np.float32(BONE_FACTOR_80KV - 1) * np.clip(head.plain - np.float32(SOFT_TISSUE_HU), 0, None)
    bright += np.float32(share) * head.enhancement
    for place_of_head in places:
        hu += _slices(bright, np.linalg.inv(head.affine) @ np.linalg.inv(place_of_head) @ affine, shape)
    return _scanned(rng, hu / len(places), affine, padded=False)


def _moving_image(rng: np.random.Generator, head: Head, truth: np.ndarray, nod: Nod | None) -> tuple[Volume, Course]:
    """The plain CT of the moved head, slice by slice where it moves on meanwhile."""
    axes = _axes(rng)
    low, high = _extent(apply(truth, head.brain_points), axes)
    slices = int(np.ceil((high[2] - low[2] + sum(MARGIN_MM)) / SLICE_MM))
    centre = (low + high)[:2] / 2 + rng.uniform(-6, 6, 2)
    affine = _affine(axes, MOVING_MM, MOVING_MATRIX, centre, low[2] - MARGIN_MM[0])
    still = Nod(Rotation.identity(), np.zeros(3), np.zeros(3))
    turn_mm = rng.uniform(*(low[2] + (high[2] - low[2]) * np.array([0.35, 0.75])))
    course = Course(axes[:, 2], nod or still, turn_mm, rng.uniform(SLICE_MM / 2, 8 * SLICE_MM))
    hu = np.empty((*MOVING_MATRIX, slices), dtype=np.float32)
    if nod is None:
        hu = _slices(head.plain, np.linalg.inv(truth @ head.affine) @ affine, hu.shape)
    else:
        for k in range(slices):
            height = np.array(axes[:, 2] @ affine[:3, 3] + SLICE_MM * k)
            moved = course.at(float(course.share(height))) @ truth @ head.affine
            step = np.eye(4)
            step[2, 3] = k
            hu[..., k : k + 1] = _slices(head.plain, np.linalg.inv(moved) @ affine @ step, (*MOVING_MATRIX, 1))
    return _scanned(rng, hu, affine, padded=rng.random() < 0.5), course


def _slices(hu: np.ndarray, index: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Slices as means of some planes; ``index`` takes a slice's voxel index to that of ``hu``."""
    between = np.diag([1.0, 1.0, 1 / PLANES, 1.0])
    between[2, 3] = (1 / PLANES - 1) / 2
    index = index @ between
    planes = ndimage.affine_transform(
        hu,
        index[:3, :3],
        index[:3, 3],
        output_shape=(*shape[:2], shape[2] * PLANES),
        output=np.float32,
        order=1,
        cval=-1000.0,
    )
    return planes.reshape(*shape[:2], shape[2], PLANES).mean(axis=3)


def _scanned(rng: np.random.Generator, hu: np.ndarray, affine: np.ndarray, *, padded: bool) -> Volume:
    """What a scanner makes of it: noise, an offset, padding, and rows and columns stored either way."""
    noise = ndimage.gaussian_filter(rng.standard_normal(hu.shape, dtype=np.float32), (0.6, 0.6, 0), mode="wrap")
    hu = hu + np.float32(NOISE_HU / noise.std()) * noise + np.float32(2 * np.clip(rng.standard_normal(), -2, 2))
    hu = np.rint(np.clip(hu, -1024, 3071))
    padding = PADDING_HU[rng.integers(len(PADDING_HU))]
    if padded:
        x, y = (np.arange(n) - (n - 1) / 2 for n in hu.shape[:2])
        hu[np.hypot(x[:, None], y[None, :]) > max(hu.shape[:2]) / 2] = padding
    if rng.random() < 0.5:  # rows from right to left, columns from front to back, as scanners store them
        flip = np.diag([-1.0, -1.0, 1.0, 1.0])
        flip[:2, 3] = np.array(hu.shape[:2]) - 1
        hu, affine = hu[::-1, ::-1], affine @ flip
    return Volume(hu, affine)


def _shown_points(rng: np.random.Generator, fixed: Volume, head: Head) -> np.ndarray:
    """Places in the brain that an image of a head at rest shows, RAS mm."""
    points = head.brain_points
    index = apply(np.linalg.inv(fixed.affine), points)
    shown = points[((index >= -0.5) & (index <= np.array(fixed.shape) - 0.5)).all(axis=1)]
    return shown[rng.choice(len(shown), min(POINTS, len(shown)), replace=False)]


def _axes(rng: np.random.Generator) -> np.ndarray:
    """A gantry's axes in RAS as columns: a third of them tilted."""
    tilt = np.radians(TILT_DEG * rng.uniform(-1, 1)) if rng.random() < 1 / 3 else 0.0
    return Rotation.from_rotvec([tilt, 0, 0]).as_matrix()


def _extent(points: np.ndarray, axes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Least and largest coordinates of points along a gantry's axes, mm."""
    along = points @ axes
    return along.min(axis=0), along.max(axis=0)


def _affine(
    axes: np.ndarray, pixel_mm: float, matrix: tuple[int, int], centre: np.ndarray, bottom: float
) -> np.ndarray:
    """Of an image about a centre in plane that begins at a height, both along the axes, mm."""
    step = np.array([pixel_mm, pixel_mm, SLICE_MM])
    first = np.array([*(centre - step[:2] * (np.array(matrix) - 1) / 2), bottom + SLICE_MM / 2])
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = axes * step, axes @ first
    return affine
