"""Is this a head? A brain inside a skull, on a coarse grid; if not, what it may be instead."""

import numpy as np
from scipy import ndimage

from perfusynth.errors import InputError
from perfusynth.volumes.blocks import block_factors, block_max, block_mean
from perfusynth.volumes.builtin_brain import BrainLimits, find_intracranial
from perfusynth.volumes.findings import Finding
from perfusynth.volumes.geometry import nearest_ras
from perfusynth.volumes.head_check.limits import HeadCheckLimits
from perfusynth.volumes.volume import Volume

#: Block maxima from which a block is bone when it is counted, HU.
_BONE_HU = 200.0
_BLOCK_MM = 4.0


def shape_findings(ncct: Volume, limits: HeadCheckLimits) -> list[Finding]:
    """Refusals of what is no head with a brain: ``no_skull``, ``plastic_phantom``, ``wrong_body_part``, ``no_brain``.

    A head cut at vertex or base, with an open skull or with a large infarct passes: a soft-tissue region of
    plausible volume whose surroundings are bone for more than half is enough.
    """
    try:
        found = find_intracranial(ncct, BrainLimits())
        volume, spill = found.volume_ml, found.spill
    except InputError:
        volume, spill = 0.0, 1.0
    if limits.smallest_brain_ml <= volume <= limits.largest_brain_ml and spill <= limits.open_share:
        return []
    return [_what_instead(ncct, volume, limits)]


def _what_instead(ncct: Volume, volume: float, limits: HeadCheckLimits) -> Finding:
    factors = block_factors(ncct.spacing, _BLOCK_MM)
    mean = nearest_ras(block_mean(ncct, factors))
    hu, ml = mean.array, mean.voxel_ml
    bone = nearest_ras(block_max(ncct, factors)).array > _BONE_HU
    bone_ml = float(np.count_nonzero(bone)) * ml
    tissue_ml = float(np.count_nonzero((hu > -20) & (hu < 100) & (hu != hu.flat[0]))) * ml
    enclosed = np.stack([ndimage.binary_fill_holes(bone[:, :, k]) for k in range(bone.shape[2])], axis=2) & ~bone
    air_ml = float(np.count_nonzero(enclosed & (hu < -300))) * ml
    inside_ml = float(np.count_nonzero(enclosed & (hu > -20) & (hu < 100))) * ml
    plausible = f"{limits.smallest_brain_ml:.0f}-{limits.largest_brain_ml:.0f} mL of brain inside a closed skull"
    if bone_ml < limits.bone_ml and tissue_ml > limits.smallest_brain_ml:
        message = "There is no skull (was it stripped?); give the original head CT."
        expected = f"at least {limits.bone_ml:g} mL of bone around the brain"
        return Finding("no_skull", "refuse", message, expected, f"{bone_ml:.0f} mL of bone")
    if air_ml > limits.empty_skull_ml:
        message = "The skull is filled with air: a plastic phantom or a dry skull, not a patient."
        return Finding("plastic_phantom", "refuse", message, plausible, f"{air_ml:.0f} mL of air inside the skull")
    if inside_ml > 0.2 * limits.smallest_brain_ml:
        message = "No brain of plausible size was found inside the skull; give a head CT from base to vertex."
        return Finding("no_brain", "refuse", message, plausible, f"{max(volume, inside_ml):.0f} mL")
    message = "This does not look like a head: no closed skull around a brain; choose the head CT."
    return Finding("wrong_body_part", "refuse", message, plausible, f"{inside_ml:.0f} mL of soft tissue inside bone")
