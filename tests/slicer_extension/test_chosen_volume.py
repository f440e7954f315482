"""What cannot be a plain head CT is told before it is sent, and a plain head CT is let through."""

import nibabel as nib
import numpy as np
import pytest
import slicer
from heads import STORED, grid, head, turned
from measured_cases import PHANTOM
from PerfuSynthLib.chosen_volume import concerns, dicom_tags_of
from PerfuSynthLib.grid_volume import GridVolume
from PerfuSynthLib.map_volumes import add_brain, add_map
from PerfuSynthLib.node_geometry import set_volume


@pytest.fixture(scope="module")
def scene():
    made = slicer.vtkMRMLScene()
    slicer.mrmlScene = made
    yield made
    made.Clear(0)


@pytest.fixture(scope="module")
def ct():
    return head(spacing=(2.0, 2.0, 5.0)).ncct


def add(scene, volume, kind="vtkMRMLScalarVolumeNode"):
    node = scene.AddNewNodeByClass(kind, "scan")
    set_volume(node, volume)
    return node


def told(node, **tags):
    names = {"modality": "0008,0060", "agent": "0018,0010", "kind": "0008,0008"}
    values = {names[key]: value for key, value in tags.items()}
    return [(concern.problem.code, concern.refuses) for concern in concerns(node, lambda tag: values.get(tag, ""))]


def changed(ct, values):
    return GridVolume(values.astype(np.float32), ct.affine)


def test_a_plain_head_ct_is_let_through(scene, ct):
    phantom = nib.load(PHANTOM / "ncct.nii.gz")
    shipped = GridVolume(np.asarray(phantom.dataobj, np.float32), phantom.affine)
    assert told(add(scene, shipped)) == []
    assert told(add(scene, ct), modality="CT", kind="ORIGINAL\\PRIMARY\\AXIAL") == []
    oblique = head(turned(20), (2.0, 2.0, 5.0)).ncct
    assert told(add(scene, oblique)) == []


def test_what_is_no_image_is_refused(scene, ct):
    assert told(None) == [("nothing_chosen", True)]
    labels = add(scene, changed(ct, ct.array > 0), "vtkMRMLLabelMapVolumeNode")
    assert told(labels) == [("labelmap", True)]
    assert told(scene.AddNewNodeByClass("vtkMRMLSegmentationNode")) == [("labelmap", True)]
    assert told(scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")) == [("not_volume", True)]
    assert told(scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")) == [("empty_volume", True)]
    vectors = scene.AddNewNodeByClass("vtkMRMLVectorVolumeNode")
    set_volume(vectors, ct)
    vectors.GetImageData().AllocateScalars(vectors.GetImageData().GetScalarType(), 3)
    assert told(vectors) == [("not_scalar", True)]


def test_a_synthetic_map_is_not_taken_for_a_scan(scene):
    result = head(spacing=(4.0, 4.0, 8.0)).result
    assert told(add_map(scene, "tmax", result.maps["tmax"])) == [("synthetic", True)]
    assert told(add_brain(scene, result.brain)) == [("labelmap", True)]


@pytest.mark.parametrize(
    ("change", "code", "refuses"),
    [
        (lambda hu: hu + 1024, "not_hu", False),  # a CT that lost its rescale intercept
        (lambda hu: np.where(hu > -500, hu.clip(0, None) * 0.6, 0), "not_hu", False),  # an MR scan's range
        (lambda hu: np.minimum(hu, 80), "no_bone", False),
        (lambda hu: np.full_like(hu, 30), "constant", True),
        (lambda hu: np.where(hu > 500, np.nan, hu), "not_finite", True),
    ],
)
def test_values_that_are_not_those_of_a_head_ct_are_told(scene, ct, change, code, refuses):
    assert told(add(scene, changed(ct, change(ct.array)))) == [(code, refuses)]


def test_slices_that_are_too_few_too_thick_or_cover_too_little_are_refused(scene, ct):
    assert told(add(scene, GridVolume(ct.array[:, :, :5], ct.affine))) == [("few_slices", True)]
    thick = ct.affine @ np.diag([1, 1, 2.4, 1])
    assert told(add(scene, GridVolume(ct.array, thick))) == [("thick_slices", True)]
    flat = ct.affine @ np.diag([1, 1, 0.2, 1])
    assert told(add(scene, GridVolume(ct.array, flat))) == [("small_extent", True)]
    long = ct.affine @ np.diag([1, 1, 2.0, 1])
    tall = GridVolume(np.concatenate([ct.array] * 3, axis=2), long)
    assert told(add(scene, tall)) == [("large_extent", False)]


def test_dicom_tags_tell_contrast_modality_and_scout(scene, ct):
    node = add(scene, ct)
    assert told(node, agent="Iomeprol 400") == [("contrast", False)]
    assert told(node, modality="MR") == [("modality", True)]
    assert told(node, kind="ORIGINAL\\PRIMARY\\LOCALIZER", agent="x") == [("scout", True), ("contrast", False)]


def test_tags_are_those_of_the_volumes_first_instance(scene, ct):
    class Database:
        def instanceValue(self, uid, tag):
            return f"{uid} {tag}"

    node = add(scene, ct)
    assert dicom_tags_of(node, Database())("0008,0060") == ""
    node.SetAttribute("DICOM.instanceUIDs", "1.2.3 1.2.4")
    assert dicom_tags_of(node, Database())("0008,0060") == "1.2.3 0008,0060"
    assert dicom_tags_of(node, None)("0008,0060") == ""


def test_a_sheared_head_is_judged_on_the_grid_that_is_sent(scene, ct):
    shape, affine = grid(STORED["RAS"], (2.0, 2.0, 5.0))
    shear = np.eye(4)
    shear[1, 2] = 0.3
    assert shape == ct.array.shape
    assert told(add(scene, GridVolume(ct.array, shear @ affine))) == []
