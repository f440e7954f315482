"""How well two registered images agree, without knowing the true transform: figures of one pair."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.spatial.transform import Rotation

from perfusynth.registration.rigid_motion import about, apart_mm
from perfusynth.registration.skull_slices import BONE_HU, around, enclosed
from perfusynth.volumes.blocks import block_factors, block_mean
from perfusynth.volumes.geometry import nearest_ras
from perfusynth.volumes.volume import Volume

#: What each figure is. All are of the place where the moving image is put on the fixed one.
FIGURES: dict[str, str] = {
    "nmi": "normalised mutual information of the head, 1 to 2 [Studholme, Pattern Recognit 1999;32:71]",
    "nmi_margin": "NMI here minus the best of twelve places that lie 2 mm away; below 0 a neighbour is better",
    "bone_correlation": "correlation of bone (300 to 1500 HU), -1 to 1",
    "bone_distance_mm": "mean distance from one image's bone edges to the other's, both ways, at most 10 mm",
    "edge_agreement": "alignment of gradients, cos2 weighted by both strengths, 0 to 1 "
    "[Haber and Modersitzki, MICCAI 2006]",
    "brain_correlation": "correlation of smoothed tissue (0 to 60 HU) inside both skulls, -1 to 1",
    "overlap": "share of the fixed head that the moving image shows, 0 to 1",
    "brain_dice": "Dice of what lies inside the skull, 0 to 1; 0 where no slice shows a closed skull",
    "restart_spread_mm": "mean distance of the brain's points from where a restart brought them, the median over "
    "restarts, at most 30 mm; only with restarts",
}

#: Size of the blocks in plane that images are averaged to, mm. All limits in this file are the project's choice [d].
BLOCK_MM = 2.0
#: Values are held between these before anything is averaged, so that padding is air; HU.
AIR_HU, DENSE_HU = -200.0, 1500.0
#: Bins of the joint histogram along each axis.
BINS = 48
#: Neighbours that `nmi_margin` looks at: shifts along the axes, and turns that move the head's edge as far, mm.
NEIGHBOUR_MM, HEAD_RADIUS_MM = 2.0, 80.0
#: Smoothing of tissue, SD in mm, its window in HU, and its distance from the skull, mm.
TISSUE_SIGMA_MM, TISSUE_HU, FROM_SKULL_MM = 3.0, (0.0, 60.0), 6.0
#: Smoothing before gradients are taken, SD in blocks.
EDGE_SIGMA = 0.7
#: Distances count up to these, mm.
FURTHEST_BONE_MM, FURTHEST_RESTART_MM = 10.0, 30.0
#: Every so many voxels take part in `nmi_margin`.
EVERY = 3
#: Fewest voxels that a correlation or a histogram is taken of.
FEWEST = 200


@dataclass(frozen=True, eq=False)
class _Pair:
    """Both images on the fixed one's blocks.

    ``region`` is the head of either image where the moving one shows something, ``head`` the fixed image's own.
    """

    fixed: Volume
    moving: Volume
    transform: np.ndarray
    on_fixed: np.ndarray
    seen: np.ndarray
    inside: tuple[np.ndarray, np.ndarray]
    head: np.ndarray
    region: np.ndarray

    @property
    def spacing(self) -> np.ndarray:
        return self.fixed.spacing


def quality_figures(
    fixed: Volume,
    moving: Volume,
    fixed_to_moving: np.ndarray,
    *,
    restarts: Sequence[np.ndarray] = (),
    fixed_mask: np.ndarray | None = None,
    moving_mask: np.ndarray | None = None,
) -> dict[str, float]:
    """Figures of `FIGURES` for one pair (about 0.3 s on one core).

    Parameters
    ----------
    fixed, moving
        HU on orthogonal grids; padding may be any value.
    fixed_to_moving
        4x4, RAS mm, x_moving = M x_fixed.
    restarts
        Transforms of the same kind that registration found when it began elsewhere.
    fixed_mask, moving_mask
        Brains on their images' grids, bool; None: what the skull encloses slice by slice.

    Returns
    -------
    name -> finite number; ``restart_spread_mm`` only with restarts.
    """
    pair = _pair_of(fixed, moving, np.asarray(fixed_to_moving, dtype=float), fixed_mask, moving_mask)
    here, neighbours = _nmi(pair)
    figures = {
        "nmi": here,
        "nmi_margin": here - neighbours,
        "bone_correlation": _correlation(_bone(pair.fixed.array), _bone(pair.on_fixed), pair.region),
        "bone_distance_mm": _bone_distance(pair),
        "edge_agreement": _edge_agreement(pair),
        "brain_correlation": _brain_correlation(pair),
        "overlap": float(pair.seen[pair.head].mean()) if pair.head.any() else 0.0,
        "brain_dice": _dice(*(inside & pair.seen for inside in pair.inside)),
    }
    if len(restarts):
        figures["restart_spread_mm"] = _restart_spread(pair, restarts)
    return figures


def _pair_of(
    fixed: Volume,
    moving: Volume,
    transform: np.ndarray,
    fixed_mask: np.ndarray | None,
    moving_mask: np.ndarray | None,
) -> _Pair:
    small, other = _blocks(fixed), _blocks(moving)
    index = _indices(small, other, transform)
    seen = _within(index, other.shape).reshape(small.shape)
    on_fixed = _sampled(other.array, index, AIR_HU).reshape(small.shape)
    inside = (
        enclosed(small.array, small.spacing) if fixed_mask is None else _mask_blocks(fixed, fixed_mask),
        enclosed(on_fixed, small.spacing)
        if moving_mask is None
        else _sampled(_mask_blocks(moving, moving_mask).astype(np.float32), index, 0.0).reshape(small.shape) > 0.5,
    )
    heads = [around(image, found, small.spacing) for image, found in zip((small.array, on_fixed), inside, strict=True)]
    return _Pair(small, other, transform, on_fixed, seen, inside, heads[0], (heads[0] | heads[1]) & seen)


def _blocks(volume: Volume) -> Volume:
    """Means of blocks, slices along the last axis."""
    held = nearest_ras(volume.with_array(np.clip(volume.array, AIR_HU, DENSE_HU)))
    return block_mean(held, block_factors(held.spacing, BLOCK_MM))


def _mask_blocks(volume: Volume, mask: np.ndarray) -> np.ndarray:
    as_volume = nearest_ras(volume.with_array(np.asarray(mask, dtype=np.float32)))
    return block_mean(as_volume, block_factors(as_volume.spacing, BLOCK_MM)).array > 0.5


def _indices(fixed: Volume, moving: Volume, transform: np.ndarray) -> np.ndarray:
    """Voxel indices in ``moving`` of all voxels of ``fixed``, float32 ``(3, n)``."""
    matrix = np.linalg.inv(moving.affine) @ transform @ fixed.affine
    x, y, z = (np.arange(n, dtype=np.float32) for n in fixed.shape)
    index = np.empty((3, *fixed.shape), dtype=np.float32)
    for axis in range(3):
        row = matrix[axis].astype(np.float32)
        index[axis] = (row[0] * x + row[3])[:, None, None] + (row[1] * y)[:, None] + row[2] * z
    return index.reshape(3, -1)


def _within(index: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    return ((index >= -0.5) & (index <= np.array(shape, dtype=np.float32)[:, None] - 0.5)).all(axis=0)


def _sampled(array: np.ndarray, index: np.ndarray, outside: float) -> np.ndarray:
    return ndimage.map_coordinates(array, index, order=1, mode="constant", cval=outside, prefilter=False)


def _nmi(pair: _Pair) -> tuple[float, float]:
    """NMI here, and the best of the neighbours, both on the same voxels."""
    at = np.flatnonzero(pair.region)[::EVERY]
    if len(at) < FEWEST:
        return 1.0, 1.0
    points = np.stack(np.unravel_index(at, pair.fixed.shape)).astype(float)
    points = pair.fixed.affine[:3, :3] @ points + pair.fixed.affine[:3, 3:]
    values = _bins(pair.fixed.array.ravel()[at])

    def at_place(transform: np.ndarray) -> float:
        matrix = np.linalg.inv(pair.moving.affine) @ transform
        index = (matrix[:3, :3] @ points + matrix[:3, 3:]).astype(np.float32)
        return _nmi_of(values, _bins(_sampled(pair.moving.array, index, AIR_HU)))

    centre = points.mean(axis=1)
    return at_place(pair.transform), max(at_place(pair.transform @ moved) for moved in _neighbours(centre))


def _neighbours(centre: np.ndarray) -> list[np.ndarray]:
    """Twelve small motions of the fixed image, 4x4 RAS mm: shifts along and turns about the axes, either way."""
    found = []
    for axis in range(3):
        for sign in (-1.0, 1.0):
            step = np.zeros(3)
            step[axis] = sign * NEIGHBOUR_MM
            shift = np.eye(4)
            shift[:3, 3] = step
            turn = about(Rotation.from_rotvec(step / HEAD_RADIUS_MM).as_matrix(), centre, np.zeros(3))
            found += [shift, turn]
    return found


def _bins(hu: np.ndarray) -> np.ndarray:
    return np.minimum((hu - np.float32(AIR_HU)) * np.float32(BINS / (DENSE_HU - AIR_HU)), BINS - 1).astype(np.int64)


def _nmi_of(first: np.ndarray, second: np.ndarray) -> float:
    joint = np.bincount(first * BINS + second, minlength=BINS * BINS).reshape(BINS, BINS) / len(first)

    def entropy(shares: np.ndarray) -> float:
        some = shares[shares > 0]
        return float(-(some * np.log(some)).sum())

    together = entropy(joint)
    return (entropy(joint.sum(axis=1)) + entropy(joint.sum(axis=0))) / together if together > 0 else 1.0


def _bone(hu: np.ndarray) -> np.ndarray:
    return np.clip(hu, BONE_HU, DENSE_HU)


def _correlation(first: np.ndarray, second: np.ndarray, where: np.ndarray) -> float:
    a, b = first[where], second[where]
    if a.size < FEWEST or np.ptp(a) == 0 or np.ptp(b) == 0:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])


def _bone_distance(pair: _Pair) -> float:
    edges = []
    for hu in (pair.fixed.array, pair.on_fixed):
        bone = hu >= BONE_HU
        edges.append((bone & ~ndimage.binary_erosion(bone, border_value=1)) & pair.seen)
    if not (edges[0].any() and edges[1].any()):
        return FURTHEST_BONE_MM
    means = []
    for own, other in (edges, edges[::-1]):
        distance = ndimage.distance_transform_edt(~other, sampling=pair.spacing)
        means.append(float(np.minimum(distance[own], FURTHEST_BONE_MM).mean()))
    return sum(means) / 2


def _edge_agreement(pair: _Pair) -> float:
    first, second = (_gradient(hu, pair.spacing)[:, pair.region] for hu in (pair.fixed.array, pair.on_fixed))
    strength = np.linalg.norm(first, axis=0) * np.linalg.norm(second, axis=0)
    if strength.sum() == 0:
        return 0.0
    aligned = (first * second).sum(axis=0) ** 2 / np.maximum(strength, 1e-9)
    return float(aligned.sum() / strength.sum())


def _gradient(hu: np.ndarray, spacing: np.ndarray) -> np.ndarray:
    """HU a mm along the array's axes, ``(3, x, y, z)``."""
    smooth = ndimage.gaussian_filter(hu, EDGE_SIGMA)
    return np.stack(
        [np.gradient(smooth, spacing[a], axis=a) if hu.shape[a] > 1 else np.zeros_like(smooth) for a in range(3)]
    )


def _brain_correlation(pair: _Pair) -> float:
    reach = max(1, round(FROM_SKULL_MM / float(pair.spacing[:2].min())))
    both = pair.inside[0] & pair.inside[1] & pair.seen
    cross = ndimage.generate_binary_structure(3, 1)
    cross[:, :, [0, 2]] = False
    deep = ndimage.binary_erosion(both, cross, iterations=reach)
    smooth = [_tissue(hu, both, pair.spacing) for hu in (pair.fixed.array, pair.on_fixed)]
    return _correlation(smooth[0], smooth[1], deep)


def _tissue(hu: np.ndarray, where: np.ndarray, spacing: np.ndarray) -> np.ndarray:
    """Tissue smoothed within ``where``, HU."""
    sigma = TISSUE_SIGMA_MM / spacing
    weight = ndimage.gaussian_filter(where.astype(np.float32), sigma)
    values = ndimage.gaussian_filter(np.clip(hu, *TISSUE_HU) * where, sigma)
    return values / np.maximum(weight, 1e-3)


def _dice(first: np.ndarray, second: np.ndarray) -> float:
    total = np.count_nonzero(first) + np.count_nonzero(second)
    return 2 * np.count_nonzero(first & second) / total if total else 0.0


def _restart_spread(pair: _Pair, restarts: Sequence[np.ndarray]) -> float:
    at = np.argwhere(pair.inside[0] if pair.inside[0].any() else pair.head)[::97]
    points = at @ pair.fixed.affine[:3, :3].T + pair.fixed.affine[:3, 3]
    if not len(points):
        return FURTHEST_RESTART_MM
    means = [apart_mm(np.asarray(other, dtype=float), pair.transform, points) for other in restarts]
    return min(float(np.median(means)), FURTHEST_RESTART_MM)
