"""Nothing but the head: text burned into the air beside it, tubes and headrest become air."""

from dataclasses import replace

import numpy as np
from scipy import ndimage

from perfusynth.readers.loaded import AIR_HU
from perfusynth.studies.subjects import StudyImages
from perfusynth.volumes.blocks import block_factors, block_max
from perfusynth.volumes.series import Series
from perfusynth.volumes.volume import Volume

#: Blocks that the head is found on, mm, and what is denser than air, HU. [d]
BLOCK_MM, DENSER_HU = 3.0, -400.0
#: Air around the head that stays as it is, mm. [d]
AROUND_MM = 6.0


def near_head(volume: Volume) -> np.ndarray:
    """Where the largest piece of what is denser than air lies, and a little around it: bool on the volume's grid."""
    factors = block_factors(volume.spacing, BLOCK_MM)
    blocks = block_max(volume, factors)
    labels, count = ndimage.label(blocks.array > DENSER_HU)
    if count == 0:
        return np.zeros(volume.shape, dtype=bool)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    piece = labels == sizes.argmax()
    near = ndimage.distance_transform_edt(~piece, sampling=blocks.spacing) <= AROUND_MM
    for axis, factor in enumerate(factors):
        near = np.repeat(near, factor, axis=axis)
    x, y, z = volume.shape
    return near[:x, :y, :z]


def head_alone(volume: Volume) -> Volume:
    """A CT with air in place of all that does not belong to the head."""
    return volume.with_array(np.where(near_head(volume), volume.array, np.float32(AIR_HU)))


def head_alone_series(series: Series) -> Series:
    """The same for a series in time: where the head is in any frame stays."""
    most = np.max(series.array, axis=3)
    outside = ~near_head(Volume(most, series.affine))
    array = series.array.copy()
    array[outside] = AIR_HU
    return Series(array, series.affine, series.times_s, series.header)


def heads_alone(images: StudyImages) -> StudyImages:
    """Every CT of a study (NCCT, CTP, CTA) without what lies beside the head; maps and MRI as they are."""
    others = dict(images.others)
    if "cta" in others:
        others["cta"] = head_alone(others["cta"])
    perfusion = None if images.perfusion is None else head_alone_series(images.perfusion)
    return replace(images, ncct=head_alone(images.ncct), perfusion=perfusion, others=others)
