"""The client against the real server over HTTP."""

import re

import numpy as np
import pytest
from canned_server import CannedServer
from faulty_wire import FaultyWire
from PerfuSynthLib.client import PerfuSynthClient
from PerfuSynthLib.connection_problems import ConnectionLost, ServerProblem
from PerfuSynthLib.grid_volume import GridVolume
from PerfuSynthLib.http_connection import Timeouts
from PerfuSynthLib.nifti_file import read_nifti
from PerfuSynthLib.problems import Problem
from PerfuSynthLib.result_package import same_grid
from PerfuSynthLib.server_settings import ServerSettings
from quick_servers import PHANTOM, STUDY, order, quick
from servers import wait_for
from small_scan import small_scan

from perfusynth.volumes.nifti import read_nifti as read_as_server

TASK = "ncct_perfusion"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with quick(tmp_path_factory.mktemp("client"), roles=("user", "annotator")) as started:
        yield started


@pytest.fixture(scope="module")
def scan() -> GridVolume:
    return small_scan()


def client_of(server, role: str = "user", url: str = "", consent: bool = True) -> PerfuSynthClient:
    settings = ServerSettings(url or server.url, server.tokens[role], consent=consent)
    return PerfuSynthClient(settings, Timeouts(5.0, 20.0, 60.0, 20.0))


@pytest.fixture
def client(server) -> PerfuSynthClient:
    order(server, "")
    return client_of(server)


def finished(client: PerfuSynthClient, job_id: str):
    return wait_for(lambda: (s := client.status(job_id)).state not in ("queued", "running") and s, 120)


def refused(call, *arguments, **named) -> Problem:
    with pytest.raises(Problem) as caught:
        call(*arguments, **named)
    return caught.value


def test_an_upload_becomes_maps_of_the_scan(server, client, scan):
    shares: list[float] = []
    job_id = client.submit(TASK, scan, on_share=shares.append)
    assert finished(client, job_id).state == "done"
    assert shares == sorted(shares)
    assert 0 <= shares[0] < shares[-1] <= 1

    sizes: list[tuple[int, int]] = []
    result = client.result(job_id, lambda come, of: sizes.append((come, of)))
    assert sizes[-1][0] == sizes[-1][1] > 10_000
    assert same_grid(result.maps["tmax"], scan)
    tmax, brain = result.maps["tmax"].array, result.brain.array > 0
    assert set(np.unique(tmax)) == {0, 2, 8}
    assert (tmax[~brain] == 0).all()
    # The deficit lies on the patient's left, x < 0 in RAS.
    voxels = np.argwhere(tmax == 8).mean(axis=0)
    head = np.argwhere(brain).mean(axis=0)
    assert ((scan.affine @ [*voxels, 1]) - (scan.affine @ [*head, 1]))[0] < -20
    assert result.measurements["origin"] == "synthetic"


def test_what_arrives_is_the_scan_and_no_name(server, client, scan):
    order(server, "sleep 60")
    job_id = client.submit(TASK, scan)
    (arrived,) = (path for path in server.work.rglob("*.nii.gz") if job_id in str(path))
    assert arrived.name == "ncct.nii.gz"
    there = read_as_server(arrived)
    np.testing.assert_array_equal(there.array, scan.array)
    np.testing.assert_allclose(there.affine, scan.affine, atol=1e-4)
    client.cancel(job_id)


def test_a_study_of_the_server_is_listed_seen_and_synthesised(client):
    assert client.studies() == [STUDY]
    study, original = client.image(STUDY), read_nifti(PHANTOM / "ncct.nii.gz")
    np.testing.assert_array_equal(study.array, original.array)
    assert same_grid(study, original)

    job_id = client.submit(TASK, STUDY)
    assert finished(client, job_id).state == "done"
    result = client.result(job_id)
    assert same_grid(result.brain, original)
    assert result.measurements["input"]["is_phantom"]


def test_without_consent_no_image_leaves(server, scan):
    with FaultyWire(server.url) as wire:
        shy = client_of(server, url=wire.url, consent=False)
        assert refused(shy.submit, TASK, scan).code == "no_consent"
        assert wire.carried == 0
    shy = client_of(server, consent=False)
    shy.cancel(shy.submit(TASK, STUDY))  # it lies there already


def test_models_and_card_are_the_live_ones(client):
    model = next(model for model in client.models() if model.task == TASK)
    assert (model.name, model.validated_on) == ("ncct_perfusion_compact", "digital phantoms")
    assert client.card(TASK).startswith("#")
    assert refused(client.card, "no_such_task").code == "unknown_task"


def test_a_job_that_waits_tells_its_place(server, client, scan):
    order(server, "sleep 60")
    jobs = [client.submit(TASK, scan) for _ in range(3)]
    first = wait_for(lambda: (s := client.status(jobs[0])).stage == "generate" and s, 60)
    assert first.state == "running"
    assert 0 < first.percent < 100
    assert [client.status(job).place for job in jobs] == [0, 1, 2]
    for job in jobs:
        client.cancel(job)
    assert {client.status(job).state for job in jobs} == {"cancelled"}


def test_a_refused_image_says_why_and_can_be_overridden(client, scan):
    water = GridVolume(np.zeros_like(scan.array), scan.affine)
    found = finished(client, client.submit(TASK, water))
    assert found.state == "failed"
    assert found.problem.code
    assert found.problem.what.endswith(".")
    assert found.problem.what_to_do
    again = finished(client, client.submit(TASK, water, overrides=(found.problem.code,)))
    assert again.state == "done" or again.problem.code != found.problem.code


def test_a_job_that_is_gone_is_told_and_cancelled_silently(client):
    job_id = client.submit(TASK, STUDY)
    client.cancel(job_id)
    client.cancel(job_id)
    client.cancel(job_id)
    gone = refused(client.status, job_id)
    assert (gone.code, gone.status) == ("job_gone", 410)
    assert refused(client.status, "nobodys").code == "unknown_job"


def test_unknown_studies_and_tasks_are_the_servers_words(client, scan):
    assert refused(client.submit, TASK, "no_such_study").code == "unknown_image"
    assert refused(client.image, "no_such_study").status == 404
    assert refused(client.submit, "no_such_task", scan).code == "unknown_task"


def test_an_edited_region_goes_back_as_label(server):
    scan = read_nifti(PHANTOM / "ncct.nii.gz")
    region = np.zeros(scan.array.shape, np.uint8)
    region[200:260, 200:260, 14:18] = 1
    label = GridVolume(region, scan.affine)
    told = refused(client_of(server).send_label, STUDY, label)
    assert (told.code, told.status) == ("forbidden", 403)

    annotator = client_of(server, "annotator")
    assert annotator.send_label(STUDY, label)
    answer = server.call("GET", f"/datastore/label?label={STUDY}&tag=hypoperfusion-edited", "annotator")
    (server.studies.parent / "back.nii.gz").write_bytes(answer.content)
    back = read_as_server(server.studies.parent / "back.nii.gz")
    np.testing.assert_array_equal(back.array, region)
    np.testing.assert_allclose(back.affine, scan.affine, atol=1e-4)


def test_an_upload_that_is_stopped_leaves_no_job(server, client, scan):
    class Enough(Exception):
        pass

    def stop(share: float) -> None:
        if share > 0.3:
            raise Enough

    before = set(server.leftovers())
    with FaultyWire(server.url) as wire:
        wire.upload_bytes_s = 3e6
        with pytest.raises(Enough):
            client_of(server, url=wire.url).submit(TASK, scan, on_share=stop)
    wait_for(lambda: set(server.leftovers()) <= before)


def test_a_spoiled_result_is_told(server, client, scan):
    job_id = client.submit(TASK, scan)
    finished(client, job_id)
    with FaultyWire(server.url) as wire:
        wire.spoil = True
        assert refused(client_of(server, url=wire.url).result, job_id).code == "bad_result"
        wire.spoil, wire.cut_after = False, 5_000
        # Cut off once, it is fetched again; a GET does no harm.
        assert set(client_of(server, url=wire.url).result(job_id).maps) == {"tmax", "cbf"}
        assert wire.cut_after is None


def test_the_limits_of_answers_are_kept(client, monkeypatch):
    monkeypatch.setattr("PerfuSynthLib.client.MAX_IMAGE_BYTES", 10_000)
    assert refused(client.image, STUDY).code == "answer_too_large"
    endless = (200, {"Content-Type": "application/zip"}, bytes(50_000))
    monkeypatch.setattr("PerfuSynthLib.client.MAX_RESULT_BYTES", 10_000)
    with CannedServer({"*": endless}) as server:
        stranger = PerfuSynthClient(ServerSettings(server.url))
        assert refused(stranger.result, "job").code == "answer_too_large"


def test_a_post_is_sent_once_whatever_happens(scan):
    busy = {"code": "queue_full", "error": "Busy.", "hint": "Wait.", "expected": "", "got": ""}
    for answer in ((502, {}, b""), (503, {"Retry-After": "7"}, busy)):
        with CannedServer({"*": answer}) as server:
            told = refused(PerfuSynthClient(ServerSettings(server.url, consent=True)).submit, TASK, scan)
            assert isinstance(told, ServerProblem)
            assert told.retry_after_s == (7 if answer[0] == 503 else None)
            assert len(server.requests) == 1


def test_answers_that_make_no_sense_are_told(scan):
    for body in (b"<html>", {"id": "../../etc"}, {"id": 7}, {}):
        with CannedServer({"*": (202, {}, body)}) as server:
            client = PerfuSynthClient(ServerSettings(server.url, consent=True))
            assert refused(client.submit, TASK, scan).code == "not_perfusynth"
            assert refused(client.status, "job").code == "not_perfusynth"


def test_a_silent_server_is_given_up(server):
    with FaultyWire(server.url) as wire:
        wire.silent = True
        settings = ServerSettings(wire.url, server.tokens["user"])
        told = refused(PerfuSynthClient(settings, Timeouts(1.0, 0.3)).info)
        assert isinstance(told, ConnectionLost)
        assert told.code == "timeout"


def test_file_names_do_not_travel(scan):
    with CannedServer({"*": (202, {}, {"id": "j"})}) as server:
        PerfuSynthClient(ServerSettings(server.url, consent=True)).submit(TASK, scan)
        _, path, headers = server.requests[0]
    assert path == f"/jobs/{TASK}"
    assert re.fullmatch(r"multipart/form-data; boundary=[0-9a-f]{32}", headers["Content-Type"])
    assert headers["User-Agent"] == "PerfuSynth-Slicer"
