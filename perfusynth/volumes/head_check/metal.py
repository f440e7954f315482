"""What does not belong in a head: metal and air inside the skull; and how noisy the brain is."""

import numpy as np
from scipy import ndimage

from perfusynth.volumes.findings import Finding
from perfusynth.volumes.head_check.anatomy import Anatomy
from perfusynth.volumes.head_check.limits import HeadCheckLimits
from perfusynth.volumes.volume import Volume

#: Depths below the inner table beyond which metal and air count as inside the brain (skull base and sinuses aside).
_METAL_DEPTH_MM = 5.0
_AIR_DEPTH_MM = 8.0


def metal_findings(ncct: Volume, anatomy: Anatomy, limits: HeadCheckLimits) -> list[Finding]:
    """``metal``: refused inside the brain (clips, coils, electrodes from 0.01 mL), told near it (plates).

    Dental fillings lie too low to count, enamel and petrous bone stay below the limits.
    """
    voxels = np.flatnonzero(ncct.array >= limits.metal_hu)
    if voxels.size == 0:
        return []
    index = np.stack(np.unravel_index(voxels, ncct.shape))
    points = ncct.affine[:3, :3] @ index + ncct.affine[:3, 3:]
    to_coarse = np.linalg.inv(anatomy.mean.affine)
    depth = ndimage.map_coordinates(
        anatomy.depth, to_coarse[:3, :3] @ points + to_coarse[:3, 3:], order=1, mode="nearest"
    )
    inside_ml = float(np.count_nonzero(depth > _METAL_DEPTH_MM)) * ncct.voxel_ml
    if inside_ml >= limits.metal_ml:
        message = "There is metal inside the head (clip, coil, electrode): its streaks would pass for disease."
        expected = f"less than {limits.metal_ml:g} mL above {limits.metal_hu:g} HU inside the brain"
        return [Finding("metal", "refuse", message, expected, f"{inside_ml:.2f} mL")]
    dense = ncct.array.ravel()[voxels] >= limits.metal_near_hu
    near_ml = float(np.count_nonzero(dense & (depth > -limits.metal_near_mm))) * ncct.voxel_ml
    if near_ml >= limits.metal_near_ml:
        message = "There is metal at the skull; look for its streaks before you use a map."
        expected = f"less than {limits.metal_near_ml:g} mL above {limits.metal_near_hu:g} HU near the brain"
        return [Finding("metal", "warn", message, expected, f"{near_ml:.2f} mL")]
    return []


def air_findings(anatomy: Anatomy, limits: HeadCheckLimits) -> list[Finding]:
    """``intracranial_air``: air deep inside the brain (after surgery or trauma, or metal's dark streaks)."""
    air = (anatomy.depth > _AIR_DEPTH_MM) & (anatomy.mean.array < limits.air_hu)
    volume = float(np.count_nonzero(air)) * anatomy.block_ml
    if volume < limits.air_ml:
        return []
    message = "There is air inside the head (surgery, trauma or a metal artefact): no map can be made of it."
    expected = f"less than {limits.air_ml:g} mL below {limits.air_hu:g} HU inside the brain"
    return [Finding("intracranial_air", "refuse", message, expected, f"{volume:.1f} mL")]


def noise_findings(part: Volume, limits: HeadCheckLimits) -> list[Finding]:
    """``noisy``: the noise SD inside the brain, from differences of voxels two apart in its middle third."""
    middle = tuple(slice(n // 3, max(n // 3 + 3, n - n // 3)) for n in part.shape)
    values = part.array[middle]
    axis = int(np.argmin(part.spacing))
    step = np.moveaxis(values, axis, 0)
    if step.shape[0] < 4:
        return []
    sample = np.ravel(step[2:] - step[:-2])[::7]
    deviation = 1.4826 * float(np.median(np.abs(sample))) / np.sqrt(2)
    if deviation <= limits.noise_hu:
        return []
    message = (
        "The image is very noisy (thin slices, bone kernel or low dose); a smoother, thicker series would be better."
    )
    return [Finding("noisy", "warn", message, f"noise SD of at most {limits.noise_hu:g} HU", f"{deviation:.0f} HU")]
