"""The plane between left and right, where the image tells it; half a head has none."""

import numpy as np

from perfusynth.volumes.brain import BrainMask, Midplane
from perfusynth.volumes.midplane import find_midplane
from perfusynth.volumes.volume import Volume

#: Least overlap (Dice) of the brain with its mirror image by which a midplane is believed: whole brains and slabs of
#: them reach 0.9, one hemisphere alone mirrors onto itself turned (the project's own choice).
MIRRORED_DICE = 0.85
#: Largest angle between the midplane's normal and the patient's right, degrees: no head lies further turned in a
#: scanner (the project's own choice).
TURN_MAX_DEG = 40.0
#: What is told where there is none.
NO_MIDPLANE = "The brain is not the same on both sides of any midplane (a part of the head?): no side is named."


def midplane_of(image: Volume, brain: BrainMask) -> Midplane | None:
    """The midplane found in an image, or ``None`` where the brain is not the same on both sides of it."""
    midplane = find_midplane(image, brain)
    turned = np.degrees(np.arccos(np.clip(midplane.normal[0], -1, 1)))
    if turned > TURN_MAX_DEG or mirrored_dice(brain.mask, image.affine, midplane) < MIRRORED_DICE:
        return None
    return midplane


def mirrored_dice(mask: np.ndarray, affine: np.ndarray, midplane: Midplane) -> float:
    """Overlap of a mask with its mirror image, by its voxels' centres."""
    index = np.argwhere(mask)
    points = index @ affine[:3, :3].T + affine[:3, 3]
    mirrored = points - 2 * midplane.signed_distance(points)[:, None] * midplane.normal
    back = np.rint((mirrored - affine[:3, 3]) @ np.linalg.inv(affine[:3, :3]).T).astype(int)
    known = ((back >= 0) & (back < mask.shape)).all(axis=1)
    return float(np.count_nonzero(mask[tuple(back[known].T)]) / max(len(index), 1))
