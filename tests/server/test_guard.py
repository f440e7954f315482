"""The guard by itself: callers that a test on loopback cannot be."""

import asyncio
import json

import pytest

from perfusynth.server.access.guard import Guard
from perfusynth.server.access.tokens import TokenStore


async def answer_200(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"{}"})


def call(
    tmp_path, *, client, scheme="http", token="", tls_elsewhere=False, kind="http", headers=(), guard=None
) -> tuple[int, dict]:
    """Status and body that a caller gets for GET /info/; 200 when it gets through."""
    sent: list[dict] = []

    async def send(message):
        sent.append(message)

    scope = {
        "type": kind,
        "method": "GET",
        "path": "/info/",
        "query_string": b"",
        "scheme": scheme,
        "client": client,
        "headers": [(b"host", b"localhost"), (b"authorization", f"Bearer {token}".encode()), *headers],
    }
    store = TokenStore(tmp_path / "tokens.json")
    guard = guard or Guard(answer_200, tokens=store, tls_elsewhere=tls_elsewhere, max_query_bytes=100)
    asyncio.run(guard(scope, None, send))
    if kind != "http":
        return sent[0]["code"], {}
    return sent[0]["status"], json.loads(sent[1]["body"])


@pytest.mark.parametrize("client", [("10.0.0.5", 1), ("::ffff:10.0.0.5", 1), None, ("", 0), ("localhost", 1)])
def test_without_tokens_other_machines_are_refused(tmp_path, client):
    status, body = call(tmp_path, client=client)
    assert (status, body["code"]) == (403, "local_only")


@pytest.mark.parametrize("client", [("127.0.0.1", 1), ("127.8.8.8", 1), ("::1", 1)])
def test_without_tokens_this_machine_is_served(tmp_path, client):
    assert call(tmp_path, client=client)[0] == 200


def test_tokens_of_other_machines_travel_over_tls_only(tmp_path):
    token = TokenStore(tmp_path / "tokens.json").add("ann", "user")
    remote = ("10.0.0.5", 1)
    assert call(tmp_path, client=remote, token=token)[1]["code"] == "tls_required"
    assert call(tmp_path, client=remote, token=token, scheme="https")[0] == 200
    assert call(tmp_path, client=remote, token=token, tls_elsewhere=True)[0] == 200
    assert call(tmp_path, client=("127.0.0.1", 1), token=token)[0] == 200
    assert call(tmp_path, client=remote, scheme="https")[0] == 401


def test_behind_a_proxy_everybody_needs_a_token(tmp_path):
    status, body = call(tmp_path, client=("127.0.0.1", 1), tls_elsewhere=True)
    assert (status, body["code"]) == (401, "unauthorized")


@pytest.mark.parametrize("name", [b"via", b"x-real-ip", b"x-forwarded-proto", b"x-forwarded-for", b"forwarded"])
def test_without_tokens_no_proxy_is_served(tmp_path, name):
    assert call(tmp_path, client=("127.0.0.1", 1), headers=[(name, b"x")])[1]["code"] == "local_only"


def test_a_running_server_does_not_open_when_its_tokens_go(tmp_path):
    tokens, here = TokenStore(tmp_path / "tokens.json"), ("127.0.0.1", 1)
    secret = tokens.add("ann", "user")
    guard = Guard(answer_200, tokens=tokens, tls_elsewhere=False, max_query_bytes=100)
    assert call(tmp_path, client=here, token=secret, guard=guard)[0] == 200
    tokens.remove(secret.split("_")[1])
    assert call(tmp_path, client=here, token=secret, guard=guard)[0] == 401
    (tmp_path / "tokens.json").unlink()
    assert call(tmp_path, client=here, guard=guard)[0] == 401


def test_websockets_are_closed(tmp_path):
    assert call(tmp_path, client=("127.0.0.1", 1), kind="websocket")[0] == 1008
