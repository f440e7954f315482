"""What comes in and goes out, by itself: bodies that stall, answers that nobody waits for, copies that fail."""

import asyncio
import json
import shutil
from types import SimpleNamespace

import pytest
from starlette.requests import ClientDisconnect

from perfusynth.server.http.infer import _send
from perfusynth.server.http.limits import BodyLimit
from perfusynth.server.problems import Problem


def test_a_body_that_stalls_is_given_up():
    async def app(scope, receive, send):
        while (await receive()).get("more_body"):
            pass

    async def scenario(*messages):
        queue = asyncio.Queue()
        for message in messages:
            queue.put_nowait(message)
        limit = BodyLimit(app, max_upload_bytes=10, max_body_bytes=10, idle_s=0.05)
        await limit({"type": "http", "headers": []}, queue.get, None)

    piece = {"type": "http.request", "body": b"x", "more_body": True}
    with pytest.raises(Problem) as stalled:
        asyncio.run(asyncio.wait_for(scenario(piece), 5))
    assert stalled.value.status == 408
    asyncio.run(asyncio.wait_for(scenario(piece, piece | {"more_body": False}), 5))


def test_waiting_for_the_caller_to_hang_up_is_no_stall():
    async def app(scope, receive, send):
        await receive()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(receive(), 0.3)

    async def scenario():
        queue = asyncio.Queue()
        queue.put_nowait({"type": "http.request", "body": b"", "more_body": False})
        await BodyLimit(app, max_upload_bytes=10, max_body_bytes=10, idle_s=0.05)(
            {"type": "http", "headers": []}, queue.get, None
        )

    asyncio.run(scenario())


@pytest.mark.parametrize("only_image", [True, False])
@pytest.mark.parametrize("sent", [0, 1, 2, 9])
def test_a_result_goes_however_its_answer_ends(tmp_path, only_image, sent):
    """Also where the caller was gone before the first byte: the body's generator never runs then."""
    (tmp_path / "result.zip").write_bytes(b"PK")
    job = SimpleNamespace(task="ncct_perfusion", id="1", result=tmp_path / "result.zip")
    disposed, messages = [], []
    context = SimpleNamespace(queue=SimpleNamespace(dispose=disposed.append))

    async def send(message):
        if len(messages) >= sent:
            raise OSError("gone")
        messages.append(message)

    async def scenario():
        response = _send(context, job, SimpleNamespace(labels={}), json.dumps({}).encode(), only_image=only_image)
        await response({"type": "http", "asgi": {"spec_version": "2.4"}}, None, send)

    if sent < 9:
        with pytest.raises(ClientDisconnect):
            asyncio.run(scenario())
    else:
        asyncio.run(scenario())
    assert disposed == [job]


def test_an_image_that_cannot_be_kept_leaves_no_part(tmp_path, monkeypatch):
    from perfusynth.server.case_datastore import CaseDatastore

    source = tmp_path / "image.nii.gz"
    source.write_bytes(b"x")
    store = CaseDatastore(tmp_path / "studies", 0)

    def full(source, target):
        target.write_bytes(b"half")
        raise OSError(28, "disk full")

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(OSError, match="disk full"):
        store.add_new_image("new", source, {})
    assert [path.name for path in (tmp_path / "studies").iterdir()] == [".perfusynth"]
