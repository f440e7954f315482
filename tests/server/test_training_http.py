"""The whole way of a model: trained over HTTP by MONAI Label's own client, promoted, served without a restart."""

import io
import json
import zipfile
from collections.abc import Iterator

import pytest
from monailabel.client import MONAILabelClient
from monailabel.client.client import MONAILabelClientException
from servers import Server, running, wait_for, write_phantom

from perfusynth.generators.bundles import read_bundle
from perfusynth.promotion.comparison import Comparison, ModelFigures
from perfusynth.promotion.promote import check_promotable, find_candidate, promote, roll_back
from tests.generators.tiny import write_tiny_bundle

TASK = "ncct_perfusion"
#: A run of two steps on few patients; 30 is to train on, 33 to tune on.
TRAIN = {
    "run": {
        "_target_": "perfusynth.training.run",
        "task": {
            "family": "turbo",
            "context": {"steps": 0, "heads_per_step": 1, "learning_rate": 1e-3},
            "slabs": {"steps": 4, "heads_per_step": 1, "learning_rate": 1e-3},
            "slabs_per_head": 1,
        },
        "tuning": {"every": 1000, "heads": 1},
        "checkpoint_every": 1,
        "precision": "float32",
        "workers": 0,
    }
}


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Iterator[Server]:
    """A server as `perfusynth serve` starts it, whose live model is tiny."""
    base = tmp_path_factory.mktemp("site")
    bundle = write_tiny_bundle(base / "home" / "models" / "tiny")
    (bundle / "configs" / "train.json").write_text(json.dumps(TRAIN))
    (base / "home" / "registry.json").write_text(json.dumps({TASK: "tiny"}))
    (base / "studies" / "DOE-JOHN").mkdir(parents=True)
    write_phantom(base / "studies" / "DOE-JOHN" / "ncct.nii.gz")
    start = "from pathlib import Path; from perfusynth.server.start import start; start(Path('{studies}'), port={port})"
    settings = {"PERFUSYNTH_REGISTRY_SCAN_S": "0.2"}
    with running(base, ["-c", start], roles=("user", "annotator", "admin"), **settings) as started:
        yield started


@pytest.fixture
def admin(site, tmp_path) -> MONAILabelClient:
    client = MONAILabelClient(site.url, tmpdir=str(tmp_path), client_id="tests")
    client.update_auth({"token_type": "Bearer", "access_token": site.tokens["admin"]})
    return client


def ended(client: MONAILabelClient) -> dict:
    return wait_for(lambda: (run := client.train_status())["state"] != "running" and run, 300)


def test_info_lists_the_trainer_with_its_parameters(admin):
    info = admin.info()
    assert info["trainers"][TASK]["config"]["data"] == ["studies", "phantom"]
    assert info["train_stats"] == {TASK: {}}


@pytest.mark.parametrize(
    "body",
    [
        {"data": "/etc"},
        {"data": "phantom", "_target_": "os.system"},
        {"data": "phantom", "script": "id"},
        {"data": "phantom", "start_from": "../../x"},
        {},
        {"data": "phantom", "phantom_seeds": "1:2; id"},
    ],
)
def test_attacks_in_the_body_are_refused(site, body):
    answer = site.call("POST", f"/train/{TASK}", "admin", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "bad_training_parameters")
    assert not list((site.home / "training").glob("*/order.json"))


@pytest.mark.parametrize("body", [b"{", b"[" * 10_000, b"\xff", b'"data"', b"NaN"])
def test_bodies_that_are_no_object_are_refused(site, body):
    assert site.call("POST", f"/train/{TASK}", "admin", data=body).status_code == 422


def test_other_addresses_and_queries_are_refused(site):
    assert site.call("POST", "/train/nothing", "admin", json={"data": "phantom"}).status_code == 404
    assert site.call("POST", "/train/", "admin", json={}).status_code == 405
    assert site.call("POST", f"/train/{TASK}?run_sync=true", "admin", json={"data": "phantom"}).status_code == 400
    assert site.call("POST", f"/train/{TASK}", "annotator", json={"data": "phantom"}).status_code == 403
    assert site.call("DELETE", "/train/", "annotator").status_code == 403


def test_the_client_starts_watches_and_stops(admin, site):
    assert not admin.train_status(check_if_running=True)
    assert admin.train_stop() is None
    begun = admin.train_start(TASK, {"data": "phantom", "phantom_seeds": "10:60", "steps": 100_000})
    assert begun["status"] == "RUNNING"
    with pytest.raises(MONAILabelClientException, match="409"):
        admin.train_start(TASK, {"data": "phantom"})
    wait_for(lambda: (admin.train_status()["progress"] or {}).get("phase") == "slabs", 300)
    assert admin.train_status(check_if_running=True)
    told = admin.train_status()["progress"]
    assert (told["of"], told["figures"]["loss"] > 0, told["time_left_s"] > 0) == (100_000, True, True)
    assert admin.info()["train_stats"][TASK]["total_epochs"] == 100_000
    assert site.call("GET", "/train/").json()["id"] == begun["id"], "a user may look"
    stopped = admin.train_stop()
    assert (stopped["status"], stopped["candidate"]) == ("STOPPED", None)
    (checkpoint,) = (site.home / "training").glob("*/work/checkpoint")
    assert list(checkpoint.glob("*.safetensors"))


def test_a_run_ends_in_a_candidate_that_is_served_once_it_is_promoted(admin, site, monkeypatch):
    admin.train_start(TASK, {"data": "phantom", "phantom_seeds": "10:60", "steps": 2})
    run = ended(admin)
    assert run["state"] == "done", run
    monkeypatch.setenv("PERFUSYNTH_HOME", str(site.home))
    candidate = find_candidate(run["candidate"])
    assert candidate.path.parent == site.home / "candidates"
    assert candidate.spec.training["split"]["seeds"] == [10, 60]
    assert not list((site.home / "training").glob("*/work/checkpoint")), "neither this run's nor the stopped one's"
    assert not list((site.home / "training").glob("*/drawn"))
    assert len(list((site.home / "training").glob("*/work/log.jsonl"))) == 2
    assert admin.info()["perfusynth"]["tasks"][TASK]["model"] == "tiny", "never live by itself"

    before = synthesis(site)
    in_flight = [submit(site) for _ in range(2)]
    live = check_promotable(candidate)
    figures = [ModelFigures(b.name, b.weights_sha256(), {"dice": 0.0}) for b in (candidate, live)]
    promote(candidate, Comparison("none", *figures, report_sha256="0" * 64))
    made = [result(site, job) for job in in_flight]
    wait_for(lambda: admin.info()["perfusynth"]["tasks"][TASK]["model"] == candidate.name, 120)
    after = synthesis(site)
    assert (before["name"], after["name"]) == ("tiny", candidate.name)
    assert after["weights_sha256"] == candidate.spec.weights_sha256 != before["weights_sha256"]
    assert made[0] == before, "a job that ran kept its model"
    assert all(model in (before, after) for model in made)
    assert admin.info()["models"][TASK]["model"] == candidate.name

    roll_back(TASK)
    wait_for(lambda: admin.info()["perfusynth"]["tasks"][TASK]["model"] == "tiny", 120)
    assert synthesis(site) == before
    assert read_bundle(site.home / "models" / candidate.name).spec == candidate.spec


def test_studies_that_cannot_be_trained_on_are_told_without_names(admin, site):
    admin.train_start(TASK, {"data": "studies"})
    run = ended(admin)
    assert (run["status"], run["error"]["code"]) == ("ERROR", "too_few_patients")
    assert "DOE" not in json.dumps(run)
    log = site.log.read_text() + site.call("GET", "/logs/?lines=1000", "admin").text
    assert "DOE" not in log
    assert str(site.home) not in log
    assert "training" in log


def submit(site: Server) -> str:
    return site.call("POST", f"/jobs/{TASK}", json={"inputs": {"ncct": "DOE-JOHN__ncct"}}).json()["id"]


def result(site: Server, job: str) -> dict:
    """The model that a job's measurements name."""
    assert site.wait(job)["state"] == "done"
    content = site.call("GET", f"/jobs/{job}/result").content
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return json.loads(archive.read("measurements.json"))["model"]


def synthesis(site: Server) -> dict:
    return result(site, submit(site))
