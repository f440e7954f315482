"""MONAI Label's own client, unchanged, against our server."""

import json
import zipfile
from pathlib import Path

import pytest
from monailabel.client import MONAILabelClient
from monailabel.client.client import MONAILabelClientException
from servers import wait_for
from stand_ins import names_in, order


@pytest.fixture
def client(guarded, tmp_path) -> MONAILabelClient:
    client = MONAILabelClient(guarded.url, tmpdir=str(tmp_path), client_id="tests")
    client.update_auth({"token_type": "Bearer", "access_token": guarded.tokens["annotator"]})
    return client


@pytest.fixture
def image(tmp_path) -> str:
    path = tmp_path / "an image.nii.gz"
    path.write_bytes(order("good"))
    return str(path)


def assert_result(path: str, params: dict) -> None:
    assert names_in(Path(path)) == ["measurements.json", "tmax.nii.gz"]
    with zipfile.ZipFile(path) as archive:
        assert json.loads(archive.read("measurements.json")) == params
    assert params["origin"] == "synthetic"


def test_infer_by_image_id(client):
    assert_result(*client.infer("ncct_perfusion", "case1__ncct", {}))


def test_infer_by_upload(client, image, guarded):
    assert_result(*client.infer("ncct_perfusion", "", {}, file=image))
    wait_for(lambda: not guarded.leftovers())


def test_infer_by_session(client, image):
    session = client.create_session(image)["session_id"]
    assert_result(*client.infer("ncct_perfusion", "ignored", {}, session_id=session))
    assert client.get_session(session)["name"] == session
    client.remove_session(session)


def test_infer_refuses_with_our_words(client, tmp_path):
    bad = tmp_path / "bad.nii.gz"
    bad.write_bytes(order("refuse"))
    with pytest.raises(MONAILabelClientException) as refused:
        client.infer("ncct_perfusion", "", {}, file=str(bad))
    assert "422" in refused.value.msg
    assert "not_a_head" in refused.value.msg


@pytest.mark.parametrize("output", ["json", "image", "dicom_seg"])
def test_output_as_one_part(guarded, output, tmp_path):
    answer = guarded.call("POST", f"/infer/ncct_perfusion?image=plain&output={output}", files={"params": (None, "{}")})
    if output == "json":
        assert answer.json()["origin"] == "synthetic"
    elif output == "image":
        (tmp_path / "r.zip").write_bytes(answer.content)
        assert "measurements.json" in names_in(tmp_path / "r.zip")
    else:
        assert answer.status_code == 400
    wait_for(lambda: not guarded.leftovers())


@pytest.mark.parametrize("body", [{}, {"data": {"params": "{}"}}, {"files": {"params": (None, "")}}])
def test_infer_by_id_needs_no_form(guarded, body):
    assert guarded.call("POST", "/infer/ncct_perfusion?image=plain&output=json", **body).status_code == 200


def test_info_lists_the_model_with_its_inputs(client):
    info = client.info()
    assert "ncct_perfusion" in info["models"]
    assert info["datastore"]["total"] >= 2


def test_datastore_upload_label_and_next_sample(client, image, guarded):
    assert {"case1__ncct", "plain"} <= set(client.datastore()["objects"])
    added = client.upload_image(image, image_id="added-by-client")["image"]
    assert added == "added-by-client"
    assert (guarded.studies / "added-by-client.nii.gz").read_bytes() == order("good")
    client.save_label("case1__ncct", image, tag="final", params={"note": "mine"})
    assert Path(client.download_label("case1__ncct", "final")).read_bytes() == order("good")
    info = guarded.call("GET", "/datastore/label/info?label=case1__ncct&tag=final").json()
    assert (info["note"], info["user"]) == ("mine", "annotator-person")
    sample = client.next_sample("random", {})
    # Any image that has no final label yet; other tests may have added theirs.
    assert sample["id"] in set(client.datastore()["objects"]) - {"case1__ncct"}
    assert str(guarded.studies) not in json.dumps(sample)


@pytest.mark.parametrize("ending", [".tfm", ".h5", ".json", ".nrrd"])
def test_transforms_travel_unchanged(client, guarded, tmp_path, ending):
    path = tmp_path / f"registration{ending}"
    path.write_bytes(bytes(range(256)))
    client.save_label("plain", str(path), tag="registration")
    assert Path(client.download_label("plain", "registration")).read_bytes() == bytes(range(256))
    assert len(list(guarded.studies.glob(".perfusynth/labels/registration/*"))) == 1


def test_head_requests_tell_what_is_there(guarded):
    import hashlib

    digest = hashlib.sha256(order("good")).hexdigest()
    for query, status in (
        ("image=plain", 200),
        (f"image=plain&check_sum=SHA256:{digest}", 200),
        (f"image=plain&check_sum=SHA256:{'0' * 64}", 404),
        ("image=unknown", 404),
    ):
        assert guarded.call("HEAD", f"/datastore/image?{query}").status_code == status
    assert guarded.call("GET", "/datastore/image?image=plain").content == order("good")
    assert "path" not in guarded.call("GET", "/datastore/image/info?image=plain").json()


def test_new_case_folders_are_seen(tmp_path):
    from perfusynth.server.case_datastore import CaseDatastore

    store = CaseDatastore(tmp_path, 0)
    for name in ("b/ncct.nii.gz", "b/ctp.nii.gz", "b/cta.nii.gz", "c.nrrd", "odd name.nii.gz", ".hidden.nii"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
    assert store.find_image("b__ctp") == str(tmp_path / "b" / "ctp.nii.gz")
    assert set(store.list_images()) == {"b__ncct", "b__ctp", "c"}
    (tmp_path / "b" / "ctp.nii.gz").unlink()
    store.refresh_if_old()
    assert set(store.list_images()) == {"b__ncct", "c"}
    assert store.find_image("b__ctp") == ""
