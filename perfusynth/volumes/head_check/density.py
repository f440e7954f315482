"""What is too dense inside the brain: blood, and contrast in vessels."""

import numpy as np
from scipy import ndimage

from perfusynth.volumes.blocks import block_factors, block_mean
from perfusynth.volumes.brain import Midplane
from perfusynth.volumes.findings import Finding
from perfusynth.volumes.geometry import nearest_ras
from perfusynth.volumes.head_check.anatomy import Anatomy
from perfusynth.volumes.head_check.limits import HeadCheckLimits
from perfusynth.volumes.volume import Volume

_ALL_NEIGHBOURS = np.ones((3, 3, 3))
#: Depth below the inner table from which densities are looked at, mm.
_DEPTH_MM = 4.0


def blood_findings(anatomy: Anatomy, limits: HeadCheckLimits) -> list[Finding]:
    """``blood``: a dense region (50-95 HU) inside the brain; told from 1.5 mL, refused from 5 mL.

    Found are haematomas of the brain and ventricles, and those along the skull where they are thicker than 8 mm.
    Not found: thinner subdural and subarachnoid blood, isodense (older) blood, petechiae below 1.5 mL.
    A hyperdense artery, falx, tentorium (2-3 mm thin) and calcification (above 100 HU) do not count.
    """
    hu, inside = anatomy.mean.array, anatomy.inside
    # Under the vertex the skull runs along the slices and into them (partial volume): heights count half there.
    depth = ndimage.distance_transform_edt(inside, sampling=anatomy.spacing * (1, 1, 0.5))
    deep = depth > _DEPTH_MM
    if not deep.any():
        return []
    median = float(np.median(hu[deep]))
    sigma = limits.blood_smoothing_mm / anatomy.spacing
    weight = ndimage.gaussian_filter(inside.astype(np.float32), sigma, truncate=3)
    smooth = ndimage.gaussian_filter(np.where(inside, np.clip(hu, 0, 110), 0), sigma, truncate=3)
    smooth /= np.maximum(weight, 0.1)
    excess = limits.blood_contrast_hu + limits.blood_skull_hu * np.exp(-(depth - _DEPTH_MM) / 2.5)
    labels, count = ndimage.label(deep & (smooth > median + excess))
    if count == 0:
        return []
    sizes = np.bincount(labels.ravel())
    calcified = np.bincount(labels[hu > 100], minlength=count + 1) / np.maximum(sizes, 1)
    sizes[calcified > limits.calcified_share] = 0
    sizes[0] = 0
    sizes[sizes * anatomy.block_ml < limits.blood_part_ml] = 0
    volume = float(sizes.sum()) * anatomy.block_ml
    if volume < limits.blood_warn_ml:
        return []
    got = f"{volume:.1f} mL of {float(hu[(sizes > 0)[labels]].mean()):.0f} HU"
    above = f"above {median + limits.blood_contrast_hu:.0f} HU"
    if volume >= limits.blood_refuse_ml:
        message = "There is a dense region like blood in the head: a haemorrhage is not what the models are made for."
        return [Finding("blood", "refuse", message, f"less than {limits.blood_refuse_ml:g} mL {above}", got)]
    message = "There is a small dense region that may be blood; look at it before you use a map."
    return [Finding("blood", "warn", message, f"less than {limits.blood_warn_ml:g} mL {above}", got)]


def contrast_findings(part: Volume, anatomy: Anatomy, midplane: Midplane, limits: HeadCheckLimits) -> list[Finding]:
    """``contrast_in_vessels``: long thin regions above 100 HU off the midline and off the skull.

    Found from 50 mm of vessels that stay above 100 HU in 1 mm blocks (a CTA, most venous phases). Not found: a trace
    of contrast that lifts vessels below 100 HU, or only parenchyma. Calcified plexus, pineal gland, pallidum,
    siphon and falx do not count: short, at the skull, or in the midplane.
    """
    blocks = nearest_ras(block_mean(part, block_factors(part.spacing, 1.0)))
    dense = blocks.array > limits.vessel_hu
    index = np.argwhere(dense)
    if index.size == 0:
        return []
    points = index @ blocks.affine[:3, :3].T + blocks.affine[:3, 3]
    to_coarse = np.linalg.inv(anatomy.mean.affine)
    coarse = points @ to_coarse[:3, :3].T + to_coarse[:3, 3]
    depth = ndimage.map_coordinates(anatomy.depth, coarse.T, order=1, mode="nearest")
    lateral = np.abs(midplane.signed_distance(points)) > limits.vessel_midplane_mm
    dense[tuple(index[~(lateral & (depth > limits.vessel_depth_mm))].T)] = False
    labels, count = ndimage.label(dense, _ALL_NEIGHBOURS)
    if count == 0:
        return []
    sizes = np.bincount(labels.ravel()) * blocks.voxel_ml * 1000
    total = 0.0
    for number, box in enumerate(ndimage.find_objects(labels), start=1):
        extent = np.array([s.stop - s.start for s in box]) * blocks.spacing
        length = float(np.linalg.norm(extent))
        if length >= limits.vessel_length_mm and sizes[number] / length <= limits.vessel_section_mm2:
            total += length
    if total < limits.vessels_refuse_mm:
        return []
    message = "Vessels are filled with contrast; give the CT taken before contrast."
    expected = f"less than {limits.vessels_refuse_mm:g} mm of vessels above {limits.vessel_hu:g} HU"
    return [Finding("contrast_in_vessels", "refuse", message, expected, f"{total:.0f} mm")]
