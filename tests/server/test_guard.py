"""The guard by itself: callers that a test on loopback cannot be."""

import asyncio
import json

import pytest

from perfusynth.server.access.guard import Guard
from perfusynth.server.access.tokens import TokenStore


def call(
    tmp_path, *, client, scheme="http", token="", tls_elsewhere=False, kind="http", headers=()
) -> tuple[int, dict]:
    """Status and body that a caller gets for GET /info/; 200 when it gets through."""
    sent: list[dict] = []

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})

    async def send(message):
        sent.append(message)

    scope = {
        "type": kind,
        "method": "GET",
        "path": "/info/",
        "query_string": b"",
        "scheme": scheme,
        "client": client,
        "headers": [(b"host", b"localhost"), (b"authorization", f"Bearer {token}".encode())],
    }
    store = TokenStore(tmp_path / "tokens.json")
    guard = Guard(app, tokens=store, tls_elsewhere=tls_elsewhere, max_query_bytes=100)
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


def test_websockets_are_closed(tmp_path):
    assert call(tmp_path, client=("127.0.0.1", 1), kind="websocket")[0] == 1008
