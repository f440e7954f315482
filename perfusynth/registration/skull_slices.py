"""The skull in a slab of any height, slice by slice: what it encloses, and it with what lies near."""

import numpy as np
from scipy import ndimage

#: Bone, HU; what encloses the brain, thinner bone in thick slices among it, HU. All limits are own choices [d].
BONE_HU, SHELL_HU = 300.0, 150.0
#: Gaps in the skull that are closed in plane, and what is looked at around it, mm.
GAP_MM, AROUND_MM = 6.0, 6.0
#: Least cross-section of a brain in a slice, cm2.
LEAST_CM2 = 10.0


def enclosed(hu: np.ndarray, spacing: np.ndarray) -> np.ndarray:
    """What bone encloses, slice by slice along the last axis, bool; slices that are open or tiny have nothing.

    Slices are enough for slabs of 2 cm, which no method for whole heads finds a brain in.
    """
    reach = max(1, round(GAP_MM / 2 / float(spacing[:2].min())))
    disk = np.hypot(*np.ogrid[-reach : reach + 1, -reach : reach + 1]) <= reach + 0.5
    least = LEAST_CM2 * 100 / float(spacing[0] * spacing[1])
    found = np.zeros(hu.shape, dtype=bool)
    for k in range(hu.shape[2]):
        shell = np.pad(hu[..., k] >= SHELL_HU, reach)
        closed = ndimage.binary_closing(shell, disk)
        inner = (ndimage.binary_fill_holes(closed) & ~closed)[reach:-reach, reach:-reach]
        labels, count = ndimage.label(inner)
        if count:
            sizes = np.bincount(labels.ravel())
            sizes[0] = 0
            if sizes.max() >= least:
                found[..., k] = labels == sizes.argmax()
    return found


def around(hu: np.ndarray, inside: np.ndarray, spacing: np.ndarray) -> np.ndarray:
    """Skull, what it encloses and what lies around it in plane."""
    reach = max(1, round(AROUND_MM / float(spacing[:2].min())))
    cross = ndimage.generate_binary_structure(3, 1)
    cross[:, :, [0, 2]] = False
    return ndimage.binary_dilation(inside | (hu >= BONE_HU), cross, iterations=reach)
