"""The task `brain` over the job queue: by the built-in method, and by what stands in TotalSegmentator's place."""

import gzip
import io
import json
import os
import zipfile
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from monailabel.client import MONAILabelClient
from servers import HERE, Server, running, wait_for

from perfusynth.errors import InputError
from perfusynth.server.brain_task import BrainWork
from perfusynth.shared_files import shared_folders
from perfusynth.synthesis.pipeline import Pipeline
from perfusynth.volumes.nifti import write_nifti
from tests.brain_structures.conftest import Installation, all_gone, install
from tests.brain_structures.heads import dice, grid, head_with_ball

CASE = shared_folders("sample-data")[0] / "phantom-4000020"
COMMAND = [str(HERE / "painted_server.py"), "{port}", "{studies}"]


def nifti(content: bytes) -> nib.Nifti1Image:
    return nib.Nifti1Image.from_bytes(gzip.decompress(content))


def result(server: Server, image: bytes) -> zipfile.ZipFile:
    job = server.submit(image, task="brain")
    assert (ended := server.wait(job))["state"] == "done", ended
    archive = zipfile.ZipFile(io.BytesIO(server.call("GET", f"/jobs/{job}/result").content))
    server.call("DELETE", f"/jobs/{job}")
    return archive


# --- the built-in method


def test_the_brain_of_a_phantom_comes_as_a_label_with_what_made_it(painted):
    archive = result(painted, (CASE / "ncct.nii.gz").read_bytes())
    assert sorted(archive.namelist()) == ["brain.json", "brain.nii.gz"]
    assert json.loads(archive.read("brain.json"))["method"] == "builtin_brain 2"
    found, truth = nifti(archive.read("brain.nii.gz")), nib.load(CASE / "brain.nii.gz")
    assert found.get_data_dtype() == np.uint8
    assert np.array_equal(found.affine, truth.affine)
    assert dice(np.asarray(found.dataobj) > 0, np.asarray(truth.dataobj) > 0) > 0.96


def test_monai_labels_own_client_gets_the_label_map(painted, tmp_path):
    client = MONAILabelClient(painted.url, tmpdir=str(tmp_path))
    client.update_auth({"token_type": "Bearer", "access_token": painted.tokens["user"]})
    assert client.info()["models"]["brain"]["type"] == "segmentation"
    path, params = client.infer("brain", "", {}, file=str(CASE / "ncct.nii.gz"))
    assert Path(path).suffixes[-2:] == [".nii", ".gz"]
    assert set(np.unique(np.asarray(nib.load(path).dataobj))) == {0, 1}
    assert params["label_names"] == {"brain": 1}
    assert params["method"] == "builtin_brain 2"


def test_what_holds_no_brain_is_refused(painted):
    answer = painted.call("POST", "/jobs/brain", json={"inputs": {"ncct": "case1__ncct"}})
    job = painted.wait(answer.json()["id"])
    assert (job["state"], job["error"]["code"]) == ("failed", "no_brain")


def test_it_is_no_model_and_cannot_be_trained(painted):
    info = painted.call("GET", "/info/").json()
    assert info["perfusynth"]["tasks"]["brain"]["brain_method"] == "builtin"
    assert "brain" not in info["trainers"]
    answer = painted.call("POST", "/train/brain", "admin", json={"data": "phantom"})
    assert (answer.status_code, answer.json()["code"]) == (422, "no_model_of_its_own")


# --- TotalSegmentator's place


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Installation:
    return install(tmp_path_factory.mktemp("base") / "installation")


@pytest.fixture
def installation(installed) -> Installation:
    """The one that the server has found, with its first order."""
    installed.obey("good")
    return installed


def settings(installed: Installation) -> dict[str, str]:
    return installed.environment() | {"PERFUSYNTH_BRAIN_METHOD": "totalsegmentator"}


@pytest.fixture(scope="module")
def server(installed, tmp_path_factory):
    with running(tmp_path_factory.mktemp("segmenting"), COMMAND, **settings(installed)) as started:
        yield started


@pytest.fixture(scope="module")
def scan(tmp_path_factory) -> tuple[bytes, np.ndarray]:
    volume, ball = head_with_ball(*grid(0.1, 0.1, -0.2))
    path = tmp_path_factory.mktemp("scan") / "ct.nii.gz"
    write_nifti(path, volume)
    return path.read_bytes(), ball


def test_the_installations_method_makes_the_label(server, installation, scan):
    archive = result(server, scan[0])
    assert np.array_equal(np.asarray(nifti(archive.read("brain.nii.gz")).dataobj) > 0, scan[1])
    told = json.loads(archive.read("brain.json"))
    assert told["method"].startswith("TotalSegmentator 9.9")
    assert server.call("GET", "/info/").json()["perfusynth"]["tasks"]["brain"]["brain_method"] == "totalsegmentator"


def test_its_trouble_is_told_without_a_path(server, installation, scan):
    installation.obey("exit 3")
    job = server.wait(server.submit(scan[0], task="brain"))
    assert job["error"]["code"] == "totalsegmentator_failed"
    assert "exit code 3" in job["error"]["got"]
    assert "/tmp" not in json.dumps(job)


def test_a_cancelled_job_ends_the_program(server, installation, scan):
    installation.obey("sleep")
    job = server.submit(scan[0], task="brain")
    wait_for(installation.seen_file.exists, 60)
    server.call("DELETE", f"/jobs/{job}")
    assert all_gone([installation.seen["pid"], installation.seen["child"]])
    wait_for(lambda: not server.leftovers())
    installation.obey("good")
    assert result(server, scan[0]).namelist(), "the worker goes on, or another took its place"


def test_a_server_that_dies_takes_the_program_along(installation, scan, tmp_path):
    installation.obey("sleep")
    with running(tmp_path, COMMAND, **settings(installation)) as doomed:
        doomed.submit(scan[0], task="brain")
        wait_for(installation.seen_file.exists, 60)
        os.kill(doomed.process.pid, 9)
        assert all_gone([installation.seen["pid"], installation.seen["child"]])


def test_a_worker_does_not_load_without_the_method_that_it_is_set_to(monkeypatch, tmp_path):
    monkeypatch.setenv("PERFUSYNTH_BRAIN_METHOD", "totalsegmentator")
    monkeypatch.setenv("PERFUSYNTH_TOTALSEGMENTATOR", str(tmp_path / "no"))
    for load in (BrainWork.load, Pipeline.load):
        with pytest.raises(InputError, match="TotalSegmentator is not installed here"):
            load("ncct_perfusion", device="cpu")
