"""Outlines of skull and brain of an NCCT, as labels."""

from __future__ import annotations

import numpy as np
from PerfuSynthLib.grid_volume import GridVolume

from .skull import enclosed

#: Labels: bone, and what it encloses.
SKULL, BRAIN = 1, 2
#: Bone is above this, HU: half between tissue and the thin bone of 5 mm slices. [d]
BONE_HU = 300.0


def outline_labels(ncct: GridVolume) -> np.ndarray:
    """Labels (uint8, the NCCT's grid): `SKULL` where bone is, `BRAIN` what it encloses in the slices."""
    bone = ncct.array > BONE_HU
    labels = np.zeros(bone.shape, np.uint8, order="F")
    labels[enclosed(bone, ncct.spacing) & ~bone] = BRAIN
    labels[bone] = SKULL
    return labels
