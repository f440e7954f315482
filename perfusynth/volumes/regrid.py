"""One resampling of what is tilted, sheared or unevenly spaced onto an even orthogonal grid, at true positions.

The in-plane axes stay the scanner's and the third axis becomes their normal. Every value is taken from where it was
measured: slices are moved in plane by their own offset (a gantry tilt moves each a little further) and interpolated
linearly between their true positions along the normal.
"""

import itertools

import numpy as np
from scipy import ndimage

from perfusynth.volumes.geometry import corners
from perfusynth.volumes.limits import check_voxel_count
from perfusynth.volumes.memory_order import to_c_order
from perfusynth.volumes.volume import Volume

#: Offsets smaller than these are rounding of the header: in plane (voxels), along the normal (mm).
SNAP_VOXELS, SNAP_MM = 1e-3, 1e-3


def regrid_stack(
    slices: np.ndarray, positions: np.ndarray, step_x: np.ndarray, step_y: np.ndarray, spacing_mm: float
) -> Volume:
    """Resample a stack of parallel slices to an even orthogonal grid.

    Parameters
    ----------
    slices
        float32, shape ``(x, y, n)``.
    positions
        RAS mm of the centre of voxel (0, 0) of each slice, shape ``(n, 3)``, ascending along ``step_x`` x ``step_y``.
    step_x, step_y
        RAS mm from one voxel to the next along x and y, shape ``(3,)``, at right angles.
    spacing_mm
        Even distance of the planes of the result.

    Returns
    -------
    Volume whose first plane is the first slice's; larger in plane by the largest offset, so that nothing is cut off.
    Outside every slice it holds the smallest value of the stack (air).
    """
    size_x, size_y = float(np.linalg.norm(step_x)), float(np.linalg.norm(step_y))
    along_x = step_x / size_x
    along_y = step_y / size_y
    along_y = along_y - (along_y @ along_x) * along_x
    along_y /= np.linalg.norm(along_y)
    normal = np.cross(along_x, along_y)

    offset = positions - positions[0]
    shift_x = _snapped(offset @ along_x / size_x, SNAP_VOXELS)
    shift_y = _snapped(offset @ along_y / size_y, SNAP_VOXELS)
    depth = offset @ normal
    low = (int(np.floor(shift_x.min())), int(np.floor(shift_y.min())))
    high = (int(np.ceil(shift_x.max())), int(np.ceil(shift_y.max())))
    planes = round(float(depth[-1]) / spacing_mm) + 1
    shape = (slices.shape[0] + high[0] - low[0], slices.shape[1] + high[1] - low[1], planes)
    check_voxel_count(shape)

    air = float(slices.min())
    result = np.empty(shape[::-1], dtype=np.float32).T  # planes lie together in memory while they are filled
    moved: dict[int, np.ndarray] = {}
    for plane, target in enumerate(spacing_mm * np.arange(planes)):
        weights = _neighbours(depth, float(target))
        moved = {k: v for k, v in moved.items() if k in weights}
        for k in weights.keys() - moved.keys():
            moved[k] = _moved(slices[:, :, k], shift_x[k] - low[0], shift_y[k] - low[1], shape[:2], air)
        result[:, :, plane] = sum(np.float32(weight) * moved[k] for k, weight in weights.items())

    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1], affine[:3, 2] = along_x * size_x, along_y * size_y, normal * spacing_mm
    affine[:3, 3] = positions[0] + affine[:3, 0] * low[0] + affine[:3, 1] * low[1]
    return Volume(to_c_order(result), affine)


def straighten(volume: Volume) -> Volume:
    """Resample a volume with a sheared affine to an orthogonal grid that covers all of it.

    The two axes that are nearest to a right angle stay; the third becomes their normal, spaced as far as the sheared
    planes lie apart (so that a gantry tilt kept as shear is interpolated in plane only). Linear interpolation; outside
    the volume its smallest value. The header is dropped.
    """
    steps = volume.affine[:3, :3]
    unit = steps / np.linalg.norm(steps, axis=0)
    first, second = min(itertools.combinations(range(3), 2), key=lambda pair: abs(unit[:, pair[0]] @ unit[:, pair[1]]))
    third = 3 - first - second
    axes = np.empty((3, 3))
    axes[:, first] = unit[:, first]
    axes[:, second] = unit[:, second] - (unit[:, second] @ unit[:, first]) * unit[:, first]
    axes[:, second] /= np.linalg.norm(axes[:, second])
    normal = np.cross(axes[:, first], axes[:, second])
    axes[:, third] = normal * np.sign(normal @ unit[:, third])
    spacing = np.array([steps[:, k] @ axes[:, k] for k in range(3)])

    origin = volume.affine[:3, 3]
    voxels = (corners(volume.shape, volume.affine) - origin) @ axes / spacing
    low, high = np.floor(voxels.min(axis=0) + SNAP_VOXELS), np.ceil(voxels.max(axis=0) - SNAP_VOXELS)
    shape = tuple(int(n) for n in high - low + 1)
    check_voxel_count(shape)
    affine = np.eye(4)
    affine[:3, :3] = axes * spacing
    affine[:3, 3] = origin + affine[:3, :3] @ low
    to_source = np.linalg.inv(volume.affine) @ affine
    array = ndimage.affine_transform(
        volume.array,
        to_source[:3, :3],
        to_source[:3, 3],
        output_shape=shape,
        order=1,
        # "constant" would cut off a plane that lies 1e-15 voxels outside.
        mode="grid-constant",
        cval=float(volume.array.min()),
    )
    return Volume(array, affine)


def _snapped(values: np.ndarray, tolerance: float) -> np.ndarray:
    whole = np.rint(values)
    return np.where(np.abs(values - whole) < tolerance, whole, values)


def _neighbours(depth: np.ndarray, target: float) -> dict[int, float]:
    """Slices, and their weights, that make the plane at ``target``; the outermost slices are held beyond the ends."""
    nearest = int(np.argmin(np.abs(depth - target)))
    if abs(depth[nearest] - target) < SNAP_MM or not depth[0] < target < depth[-1]:
        return {nearest: 1.0}
    above = int(np.searchsorted(depth, target))
    share = (target - depth[above - 1]) / (depth[above] - depth[above - 1])
    return {above - 1: 1.0 - share, above: share}


def _moved(image: np.ndarray, by_x: float, by_y: float, shape: tuple[int, int], air: float) -> np.ndarray:
    """A slice on the larger in-plane grid, moved by non-negative voxels (linear interpolation), air around it."""
    whole = (int(np.floor(by_x)), int(np.floor(by_y)))
    result = np.full(shape[::-1], air, dtype=np.float32).T
    result[whole[0] : whole[0] + image.shape[0], whole[1] : whole[1] + image.shape[1]] = image
    for axis, fraction in enumerate((by_x - whole[0], by_y - whole[1])):
        if fraction:
            before = np.roll(result, 1, axis)  # what is rolled in from the far edge is air: the grid has room for it
            result += np.float32(fraction) * (before - result)
    return result
