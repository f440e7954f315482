"""Outlines of skull and brain of an NCCT, as labels."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk
from PerfuSynthLib.grid_volume import GridVolume

#: Labels: bone, and what it encloses.
SKULL, BRAIN = 1, 2
#: Bone is above this, HU: half between tissue and the thin bone of 5 mm slices. [d]
BONE_HU = 300.0
#: Gaps in the bone (sutures, foramina) up to this width are closed, mm. [d]
GAP_MM = 6.0


def outline_labels(ncct: GridVolume, brain: np.ndarray | None = None) -> np.ndarray:
    """Labels (uint8, the NCCT's grid): `SKULL` where bone is, `BRAIN` inside.

    ``brain`` is a mask on the same grid; without one it is what bone encloses in the slices, gaps closed: open slices
    of the skull base have none.
    """
    bone = ncct.array > BONE_HU
    labels = np.zeros(bone.shape, np.uint8, order="F")
    labels[(_enclosed(bone, ncct.spacing) if brain is None else brain > 0) & ~bone] = BRAIN
    labels[bone] = SKULL
    return labels


def _enclosed(bone: np.ndarray, spacing: tuple[float, float, float]) -> np.ndarray:
    thickest = int(np.argmax(spacing))
    plane = [axis for axis in range(3) if axis != thickest]
    radius = [int(np.ceil(GAP_MM / 2 / spacing[axis])) for axis in plane]
    inside = np.zeros(bone.shape, bool)
    for index in range(bone.shape[thickest]):
        image = sitk.GetImageFromArray(np.take(bone, index, thickest).astype(np.uint8).T)
        closed = sitk.BinaryMorphologicalClosing(image, radius, sitk.sitkBall, 1.0)
        filled = sitk.BinaryFillhole(closed)
        hole = sitk.And(filled, sitk.Not(closed))
        opened = sitk.BinaryMorphologicalOpening(hole, radius, sitk.sitkBall)
        target = [slice(None)] * 3
        target[thickest] = index
        inside[tuple(target)] = sitk.GetArrayFromImage(opened).T > 0
    return inside
