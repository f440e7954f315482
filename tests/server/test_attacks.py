"""Each hole that MONAI Label leaves open, held shut."""

import io
import json
import os
import socket
import tarfile

import pytest
from servers import wait_for
from stand_ins import order

OUTSIDE = ["/etc/passwd", "../../etc/passwd", "..", "plain/../plain", "plain\x00", "file:///etc/passwd", ".perfusynth"]


def image(name: str = "x.nii.gz", content: bytes = order("good")) -> dict:
    return {"file": (name, content)}


@pytest.mark.parametrize("path", OUTSIDE)
def test_an_image_is_never_a_path(guarded, path):
    answers = [
        guarded.call("POST", "/infer/ncct_perfusion", params={"image": path}, files={"params": (None, "{}")}),
        guarded.call("POST", "/jobs/ncct_perfusion", json={"inputs": {"ncct": path}}),
        guarded.call("GET", "/datastore/image", params={"image": path}),
        guarded.call("GET", "/datastore/image/info", params={"image": path}),
        guarded.call("GET", "/datastore/label", params={"label": path, "tag": "final"}),
        guarded.call("PUT", "/datastore/label", "annotator", params={"image": path}, files={"label": ("l.nii", b"x")}),
    ]
    for answer in answers:
        assert answer.status_code in (400, 404), answer.text
        assert "root:" not in answer.text


@pytest.mark.parametrize(
    "params",
    [
        {"image": "/etc/passwd"},
        {"model": "other"},
        {"device": "cuda:7"},
        {"label": "/etc/passwd"},
        {"path": "/etc"},
        {"save_label": True},
        {"label_tag": "../../x"},
        {"result_extension": ".nrrd", "checks": False},
        {"mask": False},
        {"$import": "os"},
    ],
)
def test_params_set_nothing_but_options(guarded, params):
    answer = guarded.call(
        "POST", "/infer/ncct_perfusion?image=plain", files={"params": (None, json.dumps(params)), **image()}
    )
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_options")


def test_an_image_cannot_be_written_outside_or_over_another(guarded):
    for image_id in ("../app/main", "..%2Fapp%2Fmain", "case1__ncct", "a__b", ".hidden", "a/b"):
        answer = guarded.call("PUT", f"/datastore/image?image={image_id}", "annotator", files=image("main.py"))
        assert answer.status_code == 400, image_id
    assert guarded.call("PUT", "/datastore/image?image=plain", "annotator", files=image()).status_code == 409
    assert (guarded.studies / "plain.nii.gz").read_bytes() == order("good")
    answer = guarded.call("PUT", "/datastore/image", "annotator", files=image("../../evil.py"))
    assert answer.json()["image"].startswith("upload-")
    assert not list(guarded.studies.parent.rglob("*evil*"))
    code = guarded.call("PUT", "/datastore/image", "annotator", files=image("x.nii.gz", b"import os"))
    assert code.json()["code"] == "unknown_format"
    assert guarded.call("POST", "/reload", "admin").status_code == 404


@pytest.mark.parametrize("tag", ["../../x", "..", "/etc", "a/b", "A", "final ", "x" * 33, "%00"])
def test_a_tag_is_never_a_path(guarded, tag):
    files = {"label": ("l.nii.gz", b"x")}
    answer = guarded.call("PUT", f"/datastore/label?image=plain&tag={tag}", "annotator", files=files)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_query")
    assert guarded.call("GET", f"/datastore/label?label=plain&tag={tag}").status_code == 400


@pytest.mark.parametrize("name", ["main.py", "x", "x.nii.gz/../../y.py", "", ".htaccess", "x.so"])
def test_labels_have_known_endings_and_content(guarded, name):
    files = {"label": (name, b"x")}
    assert guarded.call("PUT", "/datastore/label?image=plain", "annotator", files=files).status_code == 400
    files = {"label": ("x.nii.gz", b"")}
    assert guarded.call("PUT", "/datastore/label?image=plain", "annotator", files=files).status_code == 400


def test_archives_are_not_unpacked_into_sessions(guarded):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        member = tarfile.TarInfo("../../evil.py")
        member.size = 1
        archive.addfile(member, io.BytesIO(b"x"))
    files = {"files": ("x.tar", packed.getvalue())}
    assert guarded.call("PUT", "/session/?uncompress=true", files=files).status_code == 400
    assert guarded.call("PUT", "/session/", files=files).json()["code"] == "unknown_format"
    forged = [("files", ("meta.info", b'{"image": "/etc/passwd"}')), ("files", ("x.nii.gz", order("good")))]
    assert guarded.call("PUT", "/session/", files=forged).status_code == 400
    assert not list(guarded.studies.parent.rglob("*evil*"))
    assert not list(guarded.work.rglob("meta.info"))
    for session in ("..", "%2e%2e", "meta.info", "..%2F..%2Fhome"):
        assert guarded.call("GET", f"/session/{session}?image=true").status_code == 404


def test_links_out_of_the_studies_folder_are_not_served(guarded, tmp_path):
    secret = tmp_path / "secret.nii.gz"
    secret.write_bytes(b"secret")
    os.symlink(secret, guarded.studies / "innocent.nii.gz")
    os.symlink(tmp_path, guarded.studies / "folder")
    (tmp_path / "ncct.nii.gz").write_bytes(b"secret")
    from perfusynth.server.case_datastore import CaseDatastore

    images = CaseDatastore(guarded.studies, 0).list_images()
    (guarded.studies / "innocent.nii.gz").unlink()
    (guarded.studies / "folder").unlink()
    assert "innocent" not in images
    assert "folder__ncct" not in images


@pytest.mark.parametrize(
    "query",
    ["image=plain&image=case1__ncct", "device=cuda", "image=plain&model=x", "image=" + "a" * 3000, "tag=final&tag=x"],
)
def test_queries_hold_known_names_once(guarded, query):
    assert guarded.call("POST", f"/infer/ncct_perfusion?{query}", files=image()).json()["code"] == "bad_query"


def test_server_paths_are_never_told(guarded):
    answers = [
        guarded.call("GET", "/info/"),
        guarded.call("GET", "/datastore/?output=all"),
        guarded.call("GET", "/datastore/?output=train"),
        guarded.call("GET", "/datastore/image/info?image=plain"),
        guarded.call("GET", "/openapi.json"),
        guarded.call("GET", "/logs/", "admin"),
        guarded.call("PUT", "/session/", files={"files": ("x.nii.gz", order("good"))}),
    ]
    for answer in answers:
        assert answer.status_code == 200
        assert str(guarded.studies.parent) not in answer.text
    guarded.call("DELETE", f"/session/{answers[-1].json()['session_id']}")


@pytest.mark.parametrize("params", ["[" * 60_000, "{", "null", '"x"', "{" * 5000, '{"override": NaN}', "\x00"])
def test_strange_json_is_refused(guarded, params):
    answer = guarded.call("POST", "/infer/ncct_perfusion?image=plain", files={"params": (None, params)})
    assert answer.status_code == 400
    answer = guarded.call(
        "POST", "/jobs/ncct_perfusion", data=params.encode(), headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 400


def test_strange_info_is_refused(guarded):
    files = {"label": ("l.json", b"{}")}
    assert guarded.call("PUT", "/datastore/label?image=plain&tag=strange", "annotator", files=files).status_code == 200
    for info in ("[1]", "{", "3", '{"a": NaN}', '{"a": [1e999]}', '{"a": "\\ud800"}', '{"\\udc00": 1}'):
        for path in ("image/info?image=plain", "label/info?label=plain&tag=strange"):
            assert guarded.call("PUT", f"/datastore/{path}", "annotator", data={"info": info}).status_code == 400
    assert guarded.call("GET", "/datastore/?output=all").status_code == 200
    assert guarded.call("DELETE", "/datastore/label?id=plain&tag=strange", "admin").status_code == 200


def test_bodies_without_images_are_small(guarded):
    answer = guarded.call(
        "POST", "/jobs/ncct_perfusion", data=b" " * 2_000_000, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 413


def test_uploads_have_a_limit_by_header_and_by_count(server):
    host, port = server.url.removeprefix("http://").split(":")
    start = "POST /jobs/ncct_perfusion HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=b\r\n"
    part = b'--b\r\nContent-Disposition: form-data; name="ncct"; filename="x"\r\n\r\n'
    block = bytes(100_000)
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall((start + "Content-Length: 99999999999\r\n\r\n").encode())
        assert b" 413 " in connection.recv(100)
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall((start + "Transfer-Encoding: chunked\r\n\r\n").encode())
        for piece in [part, *[block] * 35]:
            try:
                connection.sendall(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
            except OSError:
                break
        assert b" 413 " in connection.recv(100)
    wait_for(lambda: not server.leftovers())
    assert server.call("GET", "/info/").status_code == 200


def test_the_log_names_nobody(guarded):
    guarded.call("POST", "/infer/ncct_perfusion?image=DOE-JOHN", files=image("DOE^JOHN.nii.gz"))
    guarded.call("GET", "/datastore/image?image=DOE-JOHN")
    guarded.call("GET", "/DOE-JOHN")
    guarded.call("DOEJOHN", "/info/")
    job = guarded.submit(order("good"), options="{}")
    guarded.wait(job)
    guarded.call("DELETE", f"/jobs/{job}")
    log = guarded.log.read_text() + guarded.call("GET", "/logs/?lines=1000", "admin").text
    assert "DOE" not in log
    assert guarded.tokens["user"].split("_", 2)[2] not in log
    assert str(guarded.studies) not in log
    assert "POST /jobs/{task} 202" in log
