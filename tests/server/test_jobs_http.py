"""Jobs over HTTP, with a stand-in for the pipeline."""

import io
import json
import socket
import statistics
import threading
import time

import pytest
from servers import wait_for
from stand_ins import names_in, order


def test_submit_watch_fetch_remove(guarded, tmp_path):
    answer = guarded.call("POST", "/jobs/ncct_perfusion", files={"ncct": ("DOE^JOHN.nii.gz", order("sleep 1"))})
    job = answer.json()
    assert (answer.status_code, answer.headers["Location"]) == (202, f"/jobs/{job['id']}")
    assert "DOE" not in job["id"]
    running = wait_for(lambda: (j := guarded.call("GET", f"/jobs/{job['id']}").json())["state"] == "running" and j)
    assert running["place"] == 0
    assert guarded.call("GET", f"/jobs/{job['id']}/result").json()["code"] == "not_done"
    assert guarded.call("GET", f"/jobs/{job['id']}/result").status_code == 409
    done = guarded.wait(job["id"])
    assert (done["state"], done["percent"], done["error"]) == ("done", 100, None)
    assert 3590 <= done["expires_in_s"] <= 3600
    result = guarded.call("GET", done["result"])
    assert result.headers["Content-Type"] == "application/zip"
    (tmp_path / "r.zip").write_bytes(result.content)
    assert names_in(tmp_path / "r.zip") == ["measurements.json", "tmax.nii.gz"]
    assert guarded.call("DELETE", f"/jobs/{job['id']}").status_code == 200
    for path in ("", "/result"):
        assert guarded.call("GET", f"/jobs/{job['id']}{path}").status_code == 410
    wait_for(lambda: not guarded.leftovers())


def test_options_reach_the_pipeline(guarded):
    job = guarded.submit(order("good"), options=json.dumps({"override": ["contrast_in_vessels"]}))
    assert guarded.wait(job)["state"] == "done"
    import zipfile

    with zipfile.ZipFile(io.BytesIO(guarded.call("GET", f"/jobs/{job}/result").content)) as archive:
        assert json.loads(archive.read("measurements.json"))["options"]["override"] == ["contrast_in_vessels"]
    guarded.call("DELETE", f"/jobs/{job}")


def test_several_modalities_are_several_parts(guarded):
    both = {"dwi": ("a", order("good")), "flair": ("b", order("good"))}
    job = guarded.call("POST", "/jobs/two_inputs", files=both).json()["id"]
    assert guarded.wait(job)["state"] == "done"
    guarded.call("DELETE", f"/jobs/{job}")
    for wrong in ({"dwi": both["dwi"]}, {**both, "ncct": ("c", order("good"))}):
        assert guarded.call("POST", "/jobs/two_inputs", files=wrong).json()["code"] == "bad_parts"
    twice = [("dwi", both["dwi"]), ("dwi", both["dwi"]), ("flair", both["flair"])]
    assert guarded.call("POST", "/jobs/two_inputs", files=twice).status_code == 400
    wait_for(lambda: not guarded.leftovers())


def test_images_of_the_server_go_by_id(guarded):
    for body in ({"inputs": {"ncct": "case1__ncct"}}, {"inputs": {"ncct": "plain"}, "options": {}}):
        answer = guarded.call("POST", "/jobs/ncct_perfusion", json=body)
        assert answer.status_code == 202, answer.text
        assert guarded.wait(answer.json()["id"])["state"] == "done"
        guarded.call("DELETE", f"/jobs/{answer.json()['id']}")
    assert (guarded.studies / "case1" / "ncct.nii.gz").read_bytes() == order("good")


def test_a_session_serves_several_jobs_and_may_go_before_they_end(guarded):
    session = guarded.call("PUT", "/session/", files={"files": ("x.nii.gz", order("sleep 1"))}).json()["session_id"]
    job = guarded.call("POST", "/jobs/ncct_perfusion", json={"session_id": session}).json()["id"]
    assert guarded.call("DELETE", f"/session/{session}").status_code == 200
    assert guarded.wait(job)["state"] == "done"
    assert guarded.call("POST", "/jobs/ncct_perfusion", json={"session_id": session}).status_code == 404
    guarded.call("DELETE", f"/jobs/{job}")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "bad_parts"),
        ([], "bad_parts"),
        ({"inputs": {"ncct": "nothing-like-it"}}, "unknown_image"),
        ({"inputs": {"ncct": 3}}, "unknown_image"),
        ({"inputs": {"ncct": None}}, "unknown_image"),
        ({"inputs": {"mri": "plain"}}, "bad_parts"),
        ({"inputs": {"ncct": "plain"}, "session_id": "0" * 32}, "bad_parts"),
        ({"session_id": "0" * 32}, "unknown_session"),
        ({"session_id": 7}, "unknown_session"),
        ({"inputs": {"ncct": "plain"}, "options": {"checks": False}}, "bad_options"),
        ({"inputs": {"ncct": "plain"}, "options": {"override": 3}}, "bad_options"),
        ({"inputs": {"ncct": "plain"}, "options": [1]}, "bad_options"),
        ({"inputs": {"ncct": "plain"}, "device": "cuda"}, "bad_parts"),
    ],
)
def test_malformed_requests_are_refused_with_a_code(guarded, body, code):
    answer = guarded.call("POST", "/jobs/ncct_perfusion", json=body)
    assert 400 <= answer.status_code < 500
    assert answer.json()["code"] == code
    assert set(answer.json()) == {"code", "error", "expected", "got", "hint"}


def test_unknown_tasks_and_ids_are_not_found(guarded):
    assert guarded.call("POST", "/jobs/nothing", files={"ncct": ("x", order("good"))}).json()["code"] == "unknown_task"
    for job_id in ("nonsense", "0" * 32 + "-" + "0" * 16, "..%2f..%2fetc%2fpasswd"):
        assert guarded.call("GET", f"/jobs/{job_id}").status_code == 404


def test_results_belong_to_their_user(guarded):
    job = guarded.submit(order("good"))
    guarded.wait(job)
    for method, path in (("GET", ""), ("GET", "/result"), ("DELETE", "")):
        for role in ("other", "admin"):
            assert guarded.call(method, f"/jobs/{job}{path}", role).status_code == 404
    session = guarded.call("PUT", "/session/", files={"files": ("x.nii.gz", order("good"))}).json()["session_id"]
    assert guarded.call("GET", f"/session/{session}", "other").status_code == 404
    assert guarded.call("POST", "/jobs/ncct_perfusion", "other", json={"session_id": session}).status_code == 404
    assert guarded.call("DELETE", f"/session/{session}").status_code == 200
    guarded.call("DELETE", f"/jobs/{job}")
    assert guarded.call("GET", f"/jobs/{job}", "other").status_code == 404


def test_a_job_that_does_not_cooperate_is_killed_and_the_next_one_runs(guarded):
    stubborn, after = guarded.submit(order("busy 60")), guarded.submit(order("good"))
    wait_for(lambda: guarded.call("GET", f"/jobs/{stubborn}").json()["stage"] == "generate")
    start = time.monotonic()
    assert guarded.call("DELETE", f"/jobs/{stubborn}").json()["state"] == "cancelled"
    assert time.monotonic() - start < 30, "long before the job's own 60 s"
    assert guarded.wait(after)["state"] == "done"
    guarded.call("DELETE", f"/jobs/{after}")
    wait_for(lambda: not guarded.leftovers())


def test_a_fault_of_ours_tells_an_incident_and_nothing_else(guarded):
    error = guarded.wait(guarded.submit(order("fault")))["error"]
    assert error["code"] == "internal_error"
    assert "secret" not in json.dumps(error)
    log = guarded.log.read_text()
    assert error["got"].removeprefix("incident ") in log
    assert "patient-name" not in log


def test_uploads_go_when_the_job_ends_and_when_the_caller_hangs_up(guarded):
    guarded.wait(guarded.submit(order("refuse")))
    wait_for(lambda: not guarded.leftovers())
    host, port = guarded.url.removeprefix("http://").split(":")
    head = (
        f"POST /infer/ncct_perfusion HTTP/1.1\r\nHost: localhost\r\n"
        f"Authorization: Bearer {guarded.tokens['user']}\r\n"
        "Content-Type: multipart/form-data; boundary=b\r\nContent-Length: {length}\r\n\r\n"
    )
    body = (
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n'
        + order("sleep 30")
        + b"\r\n--b--\r\n"
    )
    for sent in (body, body[:40]):  # while the job runs; in the middle of the upload
        with socket.create_connection((host, int(port))) as connection:
            connection.sendall(head.replace("{length}", str(len(body))).encode() + sent)
            time.sleep(0.7)
        wait_for(lambda: not guarded.leftovers())
    start = time.monotonic()
    job = guarded.submit(order("good"))
    assert guarded.wait(job)["state"] == "done"
    assert time.monotonic() - start < 10
    guarded.call("DELETE", f"/jobs/{job}")


def test_info_answers_while_jobs_run_and_uploads_come(guarded):
    busy = guarded.submit(order("busy 5"))
    stop = threading.Event()

    def upload():
        while not stop.is_set():
            guarded.call("PUT", "/session/", files={"files": ("x.nii.gz", b"\x1f\x8b" + bytes(20_000_000))})
            for session in list((guarded.work).glob("run-*/sessions/*")):
                guarded.call("DELETE", f"/session/{session.name}")

    uploader = threading.Thread(target=upload)
    uploader.start()
    times = []
    try:
        for _ in range(40):
            start = time.perf_counter()
            assert guarded.call("GET", "/info/").status_code == 200
            times.append(time.perf_counter() - start)
            time.sleep(0.03)
    finally:
        stop.set()
        uploader.join()
        guarded.call("DELETE", f"/jobs/{busy}")
    # Measured 10 ms; the bar is 100 ms on two free cores, and this machine may be shared: 1 s still tells a blocked
    # event loop (5 s) from a free one.
    assert statistics.median(times) < 0.5
    assert max(times) < 5, "the busy job holds the event loop"
