"""A midplane is believed where the brain is the same on both sides of it."""

import numpy as np
import pytest

from perfusynth.ctp_maps.sides import midplane_of, mirrored_dice
from perfusynth.volumes.brain import BrainMask, Midplane
from perfusynth.volumes.builtin_brain import BuiltinBrain
from perfusynth.volumes.volume import Volume
from tests.ctp_maps.study import study


def head(columns: slice) -> Volume:
    """The mean CT of the study, or of a part of it along x."""
    whole = study().mean(slice(0, 4))
    affine = whole.affine.copy()
    affine[:3, 3] += (columns.start or 0) * affine[:3, 0]
    return Volume(whole.array[columns], affine)


def brain_of(columns: slice) -> BrainMask:
    whole = BuiltinBrain().extract(study().mean(slice(0, 4)))
    return BrainMask(whole.mask[columns], whole.method)


def test_a_whole_head_has_one():
    midplane = midplane_of(head(slice(None)), brain_of(slice(None)))
    assert midplane is not None
    assert midplane.normal[0] > 0.95


@pytest.mark.parametrize("columns", [slice(0, 56), slice(0, 64), slice(70, None)])
def test_a_part_of_a_head_has_none(columns: slice):
    assert midplane_of(head(columns), brain_of(columns)) is None


def test_overlap_with_the_mirror_image_is_that_of_the_definition():
    mask = np.zeros((10, 4, 4), dtype=bool)
    mask[1:6] = True  # centres 1 to 5; mirrored about 4: 3 to 7
    found = mirrored_dice(mask, np.eye(4), Midplane(np.array([4.0, 0, 0]), np.array([1.0, 0, 0])))
    assert found == pytest.approx(3 / 5)
