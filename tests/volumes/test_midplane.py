"""The midplane on heads whose plane is known, and on a real head against itself turned."""

import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial.transform import Rotation

from perfusynth.volumes.brain import BrainMask, Midplane
from perfusynth.volumes.builtin_brain import BuiltinBrain
from perfusynth.volumes.midplane import find_midplane
from perfusynth.volumes.volume import Volume

POSES = [(0, 0, 0), (10, -14, 17), (-12, 8, -19), (5, 18, 6)]


def degrees_between(plane: Midplane, normal: np.ndarray) -> float:
    return float(np.degrees(np.arccos(np.clip(plane.normal @ normal, -1, 1))))


def turned(volume: Volume, brain: np.ndarray, pose, shift, centre) -> tuple[Volume, np.ndarray, np.ndarray]:
    """The head turned about ``centre`` and moved by ``shift`` (mm), on the same grid; and the rotation."""
    rotation = Rotation.from_euler("xyz", pose, degrees=True).as_matrix()
    to_index = np.linalg.inv(volume.affine)
    matrix = to_index[:3, :3] @ rotation.T @ volume.affine[:3, :3]
    start = rotation.T @ (volume.affine[:3, 3] - centre - shift) + centre
    offset = to_index[:3, :3] @ start + to_index[:3, 3]
    array = ndimage.affine_transform(volume.array, matrix, offset, order=1, cval=-1024)
    mask = ndimage.affine_transform(brain.astype(np.float32), matrix, offset, order=1) > 0.5
    return Volume(array, volume.affine), mask, rotation


@pytest.mark.parametrize("pose", POSES)
@pytest.mark.parametrize("sided", [False, True], ids=["symmetric", "with a dark hemisphere"])
def test_analytic_heads(head, pose, sided):
    rotation = Rotation.from_euler("xyz", pose, degrees=True).as_matrix()
    shift = np.array([5.0, -4.0, 3.0])
    truth = head(rotation=rotation, shift=tuple(shift))
    hu = truth.ncct.array - 12 * (sided * truth.brain * (truth.own[0] > 15) * (np.abs(truth.own[1]) < 40))
    plane = find_midplane(truth.ncct.with_array(hu), BrainMask(truth.brain, "truth"))
    assert degrees_between(plane, rotation[:, 0]) <= 1
    assert abs(plane.signed_distance(shift)) <= 1
    assert np.isclose(np.linalg.norm(plane.normal), 1)


@pytest.mark.parametrize("pose", POSES)
@pytest.mark.parametrize("source", ["template_ct", "ge_ct"])
def test_the_plane_turns_with_the_head(request, source, pose):
    ncct = request.getfixturevalue(source)
    brain = BuiltinBrain().extract(ncct)
    plane = find_midplane(ncct, brain)
    centre = ncct.affine[:3, :3] @ np.argwhere(brain.mask).mean(axis=0) + ncct.affine[:3, 3]
    shift = np.array([4.0, -3.0, 5.0])
    moved, mask, rotation = turned(ncct, brain.mask, pose, shift, centre)
    found = find_midplane(moved, BrainMask(mask, "turned"))
    assert degrees_between(found, rotation @ plane.normal) <= 1
    assert abs(found.signed_distance(centre + shift) - plane.signed_distance(centre)) <= 1


def test_the_template_is_symmetric_about_x_0(template_ct):
    plane = find_midplane(template_ct, BuiltinBrain().extract(template_ct))
    assert degrees_between(plane, np.array([1.0, 0, 0])) <= 0.5
    assert abs(plane.signed_distance(np.zeros(3))) <= 0.5


def test_left_stays_left_in_a_flipped_array(head):
    truth = head()
    flipped_affine = truth.ncct.affine.copy()
    flipped_affine[:3, 3] += flipped_affine[:3, 0] * (truth.ncct.shape[0] - 1)
    flipped_affine[:3, 0] *= -1
    flipped = Volume(truth.ncct.array[::-1], flipped_affine)
    plane = find_midplane(flipped, BrainMask(truth.brain[::-1], "truth"))
    assert plane.normal[0] > 0.99
    right = plane.right_of(flipped.shape, flipped.affine)
    assert np.array_equal(
        right & (np.abs(truth.own[0][::-1]) > 2), (truth.own[0][::-1] > 0) & (np.abs(truth.own[0][::-1]) > 2)
    )
