"""MONAI Label's own Slicer module: its calls in its order, and Slicer's own import of what comes back.

The order is that of ``plugins/slicer/MONAILabel/MONAILabel.py`` of MONAI Label 0.8: ``fetchInfo``, ``onUploadImage``
with a session, ``onClickSegmentation``, ``updateSegmentationMask``, ``onSaveLabel``.
"""

from pathlib import Path

import nibabel as nib
import numpy as np
import painted_deficit as painting
import pytest
import SimpleITK as sitk
import slicer
import vtk
from monailabel.client import MONAILabelClient
from servers import wait_for
from vtk.util.numpy_support import numpy_to_vtk

#: What Slicer calls a volume that it loaded from DICOM; no id of ours, and it must not have to be one.
NODE_NAME = "3: Head 5.0 (H31s) [A/B]"


@pytest.fixture
def client(painted, tmp_path) -> MONAILabelClient:
    client = MONAILabelClient(painted.url, tmpdir=str(tmp_path), client_id="user-xyz")
    client.update_auth({"token_type": "Bearer", "access_token": painted.tokens["annotator"]})
    return client


def segmentation_models(info: dict) -> list[str]:
    """What the module offers in its list of segmentation models."""
    return [name for name, model in info["models"].items() if model.get("type", "segmentation") == "segmentation"]


def label_names(model: dict, params: dict) -> list[str]:
    """The segments that the module names, in the order of their values."""
    labels = params.get("label_names") or model["labels"]
    return [name for name, _ in sorted(labels.items(), key=lambda item: item[1]) if name != "background"]


@pytest.fixture
def segmented(client, painted, tmp_path) -> tuple[sitk.Image, list[str], sitk.Image]:
    """The module's way from its list of models to a label map on disk: the map, its segments' names, the volume."""
    info = client.info()
    model = segmentation_models(info)[0]
    volume = tmp_path / "tmpabcd.nii.gz"
    sitk.WriteImage(sitk.ReadImage(painted.studies / "case1" / "ncct.nii.gz"), volume)
    session = client.create_session(str(volume))["session_id"]
    assert client.get_session(session)
    file, params = client.infer(model, NODE_NAME, {}, session_id=session)
    client.remove_session(session)
    assert file.endswith(".nii.gz"), "the module reads it by its name"
    return sitk.ReadImage(file), label_names(info["models"][model], params), sitk.ReadImage(volume)


def test_the_module_lists_the_hypoperfusion_before_the_brain_and_its_label(client):
    info = client.info()
    assert not info.get("config"), "the module takes this for an old server"
    name, second = segmentation_models(info)
    assert (name, second) == ("ncct_hypoperfusion", "brain"), "the first is chosen until somebody chooses"
    [label] = info["models"][name]["labels"]
    assert sorted(info["labels"]) == sorted([label, "brain"])
    assert "SYNTHETIC - research use only" in label
    assert "SYNTHETIC - research use only" in info["models"][name]["description"], "the tooltip"
    assert not client.auth_enabled()
    assert client.train_status(check_if_running=True) is False


def test_the_label_has_the_geometry_of_the_volume_that_was_sent(segmented):
    label, _, volume = segmented
    assert label.GetSize() == volume.GetSize()
    for of_label, of_volume in (
        (label.GetOrigin(), volume.GetOrigin()),
        (label.GetSpacing(), volume.GetSpacing()),
        (label.GetDirection(), volume.GetDirection()),
    ):
        assert np.allclose(of_label, of_volume, atol=1e-5)


def test_slicer_imports_it_as_one_named_segment_on_the_patients_left(segmented):
    label, names, _ = segmented
    scene = slicer.vtkMRMLScene()
    node = scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode")
    push_volume(node, sitk.GetArrayFromImage(label))
    segmentation = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    for name in names:
        segmentation.GetSegmentation().AddEmptySegment(name, name)
    ids = vtk.vtkStringArray()
    for name in names:
        ids.InsertNextValue(name)
    logic = slicer.vtkSlicerSegmentationsModuleLogic()
    logic.SetMRMLScene(scene)
    assert logic.ImportLabelmapToSegmentationNode(node, segmentation, ids)
    [name] = names
    assert segmentation.GetSegmentation().GetNumberOfSegments() == 1
    assert segmentation.GetSegmentation().GetNthSegment(0).GetName() == name
    centre = segmentation.GetSegmentCenterRAS(name)
    middle = nib.affines.apply_affine(painting.AFFINE, (np.array(painting.SHAPE) - 1) / 2)
    assert np.allclose(centre, middle + painting.CENTRE_MM, atol=5), "within a slice of the painted centre"


def push_volume(node: slicer.vtkMRMLLabelMapVolumeNode, array: np.ndarray) -> None:
    """What ``sitkUtils.PushVolumeToSlicer`` does: voxels ``(z, y, x)``, and the geometry in RAS."""
    image = vtk.vtkImageData()
    image.SetDimensions(array.shape[::-1])
    image.GetPointData().SetScalars(numpy_to_vtk(np.ascontiguousarray(array).ravel(), deep=True))
    node.SetAndObserveImageData(image)
    matrix = vtk.vtkMatrix4x4()
    for row in range(4):
        for column in range(4):
            matrix.SetElement(row, column, painting.AFFINE[row, column])
    node.SetIJKToRASMatrix(matrix)


def test_a_volumes_name_is_no_id_and_finds_nothing_without_a_session(painted):
    answer = painted.call("POST", "/infer/ncct_hypoperfusion", params={"image": "../../home/tokens.json"})
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_image")
    answer = painted.call("GET", "/datastore/image", params={"image": "../../home/tokens.json"})
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_query")


def test_a_sample_of_the_server_is_segmented_by_its_id(client, painted):
    sample = client.next_sample("random", {})
    file, params = client.infer("ncct_hypoperfusion", sample["id"], {})
    assert np.count_nonzero(nib.load(file).dataobj) > 0
    assert params["label_names"] == client.info()["models"]["ncct_hypoperfusion"]["labels"]
    assert params["notices"][0] == "SYNTHETIC - research use only"
    wait_for(lambda: not painted.leftovers())


def test_the_module_saves_what_the_annotator_made_of_it(client, segmented, tmp_path, painted):
    label, names, _ = segmented
    path = tmp_path / "saved.nii.gz"
    sitk.WriteImage(label, path)
    client.save_label("case1__ncct", str(path), params={"label_info": [{"name": names[0], "idx": 1}]})
    kept = client.download_label("case1__ncct", "final")
    assert Path(kept).read_bytes() == path.read_bytes()
    painted.call("DELETE", "/datastore/label?id=case1__ncct&tag=final", "admin")
