"""`find_midplane`: the plane about which skull and brain mirror best."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage, optimize

from perfusynth.volumes.blocks import block_factors, block_mean
from perfusynth.volumes.brain import BrainMask, Midplane
from perfusynth.volumes.cropping import cropped_to
from perfusynth.volumes.geometry import nearest_ras
from perfusynth.volumes.volume import Volume

#: Working grid, mm.
_BLOCK_MM = 2.5
#: Points compared are brain and what lies within this distance of it (skull, no headrest), mm.
_SKULL_MM = 12.0
#: What HU weigh: bone, air and CSF bound the halves; within tissue (15-60 HU) a lesion on one side weighs little.
_WEIGHT_AT_HU = (-40.0, 15.0, 60.0, 140.0)
_WEIGHT = (0.0, 55.0, 70.0, 150.0)
#: Width of the smoothing in the two stages, mm: coarse to find the valley, fine to find its floor.
_SMOOTHING_MM = (6.0, 2.0)
#: Points compared in the two stages.
_POINTS = (3000, 14000)
#: Start angles about the vertical and the sagittal axis, degrees (a head turned further is not in a head holder).
_START_DEG = (-24.0, -12.0, 0.0, 12.0, 24.0)
#: Best starts from which the coarse descent is tried: a large infarct can make a wrong valley look deepest at first.
_TRIED_STARTS = 3

#: Beyond this a plane cuts front from back or top from bottom, which also mirror somewhat.
_LARGEST_DEG = 40.0


@dataclass(frozen=True, eq=False)
class _Image:
    """Smoothed weights of the head on the coarse grid, and the points (RAS mm) at which its halves are compared."""

    values: np.ndarray
    to_voxel: np.ndarray
    points: np.ndarray
    here: np.ndarray

    def at(self, points: np.ndarray) -> np.ndarray:
        """Linear interpolation at RAS mm points ``(n, 3)``; NaN outside the volume."""
        index = self.to_voxel[:3, :3] @ points.T + self.to_voxel[:3, 3:]
        return ndimage.map_coordinates(self.values, index, order=1, mode="constant", cval=np.nan, prefilter=False)


def find_midplane(ncct: Volume, brain: BrainMask) -> Midplane:
    """Find the plane between the left and right half of a head.

    The plane with the least mean absolute difference between the head and its mirror image, over two rotations
    (about the vertical and the front-back axis) and the offset, found by a coarse search, a simplex descent from its
    best places, and a fine one. On the CT template turned by up to 20 degrees it lies within 1 degree and 1 mm of the
    plane turned along.

    Parameters
    ----------
    ncct
        HU, any axis order.
    brain
        On the same grid, not empty.

    Returns
    -------
    Midplane
        RAS mm, normal to the patient's right.
    """
    scan, mask = cropped_to(ncct, brain.mask, _SKULL_MM + 2 * _SMOOTHING_MM[0])
    factors = block_factors(scan.spacing, _BLOCK_MM)
    mean = nearest_ras(block_mean(scan, factors))
    inside = nearest_ras(block_mean(scan.with_array(mask), factors)).array > 0.5
    head = ndimage.distance_transform_edt(~inside, sampling=mean.spacing) <= _SKULL_MM
    window = np.interp(mean.array, _WEIGHT_AT_HU, _WEIGHT).astype(np.float32)
    index = np.argwhere(head)
    points = index @ mean.affine[:3, :3].T + mean.affine[:3, 3]
    centre = (np.argwhere(inside) @ mean.affine[:3, :3].T + mean.affine[:3, 3]).mean(axis=0)
    to_voxel = np.linalg.inv(mean.affine)

    images = []
    for smoothing, count in zip(_SMOOTHING_MM, _POINTS, strict=True):
        values = ndimage.gaussian_filter(window, smoothing / mean.spacing, truncate=2.5)
        chosen = np.linspace(0, len(points) - 1, min(count, len(points))).astype(int)
        images.append(_Image(values, to_voxel, points[chosen], values[tuple(index[chosen].T)]))
    coarse, fine = images

    starts = [(yaw, roll, 0.0) for yaw in _START_DEG for roll in _START_DEG]
    starts.sort(key=lambda s: _asymmetry(np.array(s), centre, coarse))
    descents = [
        _descend(np.array(start), centre, coarse, step=(8.0, 8.0, 5.0), tolerance=0.2)
        for start in starts[:_TRIED_STARTS]
    ]
    found = min(descents, key=lambda parameters: _asymmetry(parameters, centre, coarse))
    found = _descend(found, centre, fine, step=(1.5, 1.5, 1.0), tolerance=0.05)
    normal = _normal(found)
    return Midplane(centre + found[2] * normal, normal)


def _normal(parameters: np.ndarray) -> np.ndarray:
    """Unit normal of (yaw, roll, offset): yaw about the vertical axis, roll about the front-back axis, degrees."""
    yaw, roll = np.deg2rad(parameters[:2])
    return np.array([np.cos(yaw) * np.cos(roll), np.sin(yaw) * np.cos(roll), np.sin(roll)])


def _asymmetry(parameters: np.ndarray, centre: np.ndarray, image: _Image) -> float:
    """Mean absolute difference (weighted HU) between the head and its mirror image, where both are in the volume."""
    if np.abs(parameters[:2]).max() > _LARGEST_DEG:
        return _WEIGHT[-1]
    normal = _normal(parameters)
    distance = (image.points - centre) @ normal - parameters[2]
    mirrored = image.at(image.points - 2 * distance[:, None] * normal)
    difference = np.abs(mirrored - image.here)
    known = np.isfinite(difference)
    if np.count_nonzero(known) < difference.size // 2:
        return _WEIGHT[-1]
    return float(difference[known].mean())


def _descend(
    start: np.ndarray, centre: np.ndarray, image: _Image, step: tuple[float, float, float], tolerance: float
) -> np.ndarray:
    simplex = np.vstack([start, start + np.diag(step)])
    result = optimize.minimize(
        _asymmetry,
        start,
        args=(centre, image),
        method="Nelder-Mead",
        options={"initial_simplex": simplex, "xatol": tolerance, "fatol": 1e-3, "maxfev": 120},
    )
    return np.asarray(result.x)
