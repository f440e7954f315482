"""The file that is submitted: SimpleITK, Slicer and the server read the same transform out of it."""

import numpy as np
import pytest
import SimpleITK as sitk
import slicer
from PerfuSynthLib.node_geometry import array_of
from PerfuSynthLib.problems import Problem
from PerfuSynthRegistrationLib.rigid import shift_by, turn_about
from PerfuSynthRegistrationLib.transform_text import transform_bytes

from perfusynth.registration.transform_file import read_transform

FLIP = np.diag([-1.0, -1.0, 1.0])


@pytest.fixture(params=range(6))
def case(request, tmp_path):
    """A rigid transform, its centre and its file."""
    rng = np.random.default_rng(request.param)
    degrees = [0.0, 5.0, 40.0, 90.0, 179.0, 180.0][request.param]
    matrix = shift_by(rng.uniform(-40, 40, 3)) @ turn_about(rng.normal(size=3), degrees, rng.uniform(-90, 90, 3))
    centre = rng.uniform(-90, 90, 3)
    file = tmp_path / "registration.tfm"
    file.write_bytes(transform_bytes(matrix, centre))
    return matrix, centre, file


def test_simpleitk_takes_points_of_the_fixed_image_to_the_moving_one(case):
    matrix, centre, file = case
    transform = sitk.ReadTransform(str(file))
    for place in np.random.default_rng(9).uniform(-100, 100, (20, 3)):
        found = FLIP @ np.array(transform.TransformPoint((FLIP @ place).tolist()))
        assert found == pytest.approx(matrix[:3, :3] @ place + matrix[:3, 3], abs=1e-9)
    assert transform.GetFixedParameters()[:3] == pytest.approx(FLIP @ centre)


def test_slicer_reads_it_as_the_transform_of_the_moving_image(case):
    matrix, _, file = case
    node, storage = slicer.vtkMRMLLinearTransformNode(), slicer.vtkMRMLTransformStorageNode()
    storage.SetFileName(str(file))
    assert storage.ReadData(node)
    assert np.allclose(array_of(node.GetMatrixTransformToParent()), np.linalg.inv(matrix), atol=1e-9)


def test_the_server_reads_the_same_matrix(case):
    matrix, _, file = case
    assert np.allclose(read_transform(file.read_bytes()), matrix, atol=1e-9)


def test_what_is_not_rigid_is_not_written():
    with pytest.raises(Problem, match="does not only move and turn"):
        transform_bytes(np.diag([1.1, 1, 1, 1]), np.zeros(3))
