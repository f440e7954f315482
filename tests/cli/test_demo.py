"""`perfusynth demo` without its server: what it must not touch, and that nothing stays behind."""

import os
import signal
import socket
import subprocess

import pytest

from perfusynth.cli import demo as module
from perfusynth.cli.server_client import ServerClient
from perfusynth.errors import InputError
from perfusynth.server.access.tokens import TokenStore


@pytest.fixture
def started(monkeypatch, tmp_path):
    """Processes that the demo starts in the server's place."""
    processes, real = [], subprocess.Popen

    def sleeping(command, **more):
        processes.append(real(["sleep", "60"], **more))
        return processes[-1]

    monkeypatch.setenv("PERFUSYNTH_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(module.subprocess, "Popen", sleeping)
    monkeypatch.setattr(module, "_wait", lambda *_: None)
    handlers = {name: signal.getsignal(name) for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
    yield processes
    for name, handler in handlers.items():
        signal.signal(name, handler)
    for process in processes:
        process.kill()
        process.wait()


def run(out, **more):
    module.demo(None, out, **{"once": True, "port": 0} | more)


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, InputError, RuntimeError])
def test_the_server_ends_with_the_demo(started, monkeypatch, tmp_path, ending):
    def ended(*_):
        if isinstance(ending, signal.Signals):
            os.kill(os.getpid(), ending)
        elif ending is InputError:
            raise InputError("no", expected="a", got="b", hint="c", code="d")
        raise ending

    monkeypatch.setattr(module, "_run_cases", ended)
    with pytest.raises(KeyboardInterrupt if isinstance(ending, signal.Signals) else ending):
        run(tmp_path / "out")
    assert started[0].poll() is not None


def test_studies_of_others_are_never_removed(started, monkeypatch, tmp_path):
    monkeypatch.setattr(module, "_run_cases", lambda *_: False)
    precious = tmp_path / "mine" / "studies" / "case" / "label.nii.gz"
    precious.parent.mkdir(parents=True)
    precious.touch()
    with pytest.raises(InputError) as refused:
        run(tmp_path / "mine")
    assert refused.value.code == "exists"
    assert precious.exists()
    assert not started
    for _ in range(2):  # its own it replaces
        run(tmp_path / "out")
    assert len(started) == 2


def test_another_server_is_not_taken_for_its_own(started, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(InputError) as refused:
        run(tmp_path / "out", port=other.getsockname()[1])
    assert refused.value.code == "port_taken"
    assert not started


def test_where_tokens_are_asked_for_it_has_one_for_its_time(started, monkeypatch, tmp_path):
    store = TokenStore(tmp_path / "home" / "tokens.json")
    store.add("ann", "admin")
    seen = []

    def case(client, *_):
        seen.append(store.identify(client._session.headers["Authorization"].removeprefix("Bearer ")))
        return False

    monkeypatch.setattr(module, "_run_cases", case)
    run(tmp_path / "out")
    assert seen[0].user == "demo"
    assert [entry.user for entry in store.entries()] == ["ann"]


def test_images_go_through_no_proxy(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    client = ServerClient("http://127.0.0.1:1")
    assert not client._session.merge_environment_settings(client.address, {}, None, None, None)["proxies"]
