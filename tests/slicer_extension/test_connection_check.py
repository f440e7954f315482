"""The test button: every way in which a server cannot be used is told apart, with what to do."""

import json
import socket

import pytest
from canned_server import CannedServer
from certificates import Authority
from faulty_wire import FaultyWire
from PerfuSynthLib.connection_check import check_connection
from PerfuSynthLib.http_connection import Timeouts
from PerfuSynthLib.problems import Problem
from PerfuSynthLib.server_settings import ServerSettings
from quick_servers import quick

PAGE = b"<html><body>It works!</body></html>"
TASKS = {"ncct_perfusion": {"model": "m", "version": "1", "weights_sha256": "ab", "inputs": [{"name": "ncct"}]}}
INFO = {"name": "perfusynth", "perfusynth": {"version": "0.9.0", "api": 9, "tasks": TASKS}}
HEALTHY = {"/health": (200, {}, {"status": "ok"})}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with quick(tmp_path_factory.mktemp("check"), roles=("user",)) as started:
        yield started


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"))


def problem_of(settings: ServerSettings, timeouts: Timeouts = Timeouts(2.0, 5.0)) -> Problem:  # noqa: B008
    with pytest.raises(Problem) as caught:
        check_connection(settings, timeouts)
    told = caught.value
    assert told.what.endswith(".")
    assert told.what_to_do.endswith(".")
    assert "Traceback" not in str(told)
    assert "Error" not in str(told)
    return told


def canned(answers: dict) -> str:
    with CannedServer(answers) as server:
        return problem_of(ServerSettings(server.url)).code


def test_a_server_that_can_be_used(server):
    found = check_connection(ServerSettings(server.url, server.tokens["user"]))
    said = server.call("GET", "/info/").json()["perfusynth"]
    live = said["tasks"]["ncct_perfusion"]
    assert found.version == said["version"]
    assert found.text.startswith(f"Connected: PerfuSynth {said['version']}, model {live['model']} {live['version']}")
    model = next(model for model in found.models if model.task == "ncct_perfusion")
    assert model.validated_on == "digital phantoms"
    assert model.weights_sha256 == live["weights_sha256"]
    assert model.inputs == ("ncct",)


def test_a_token_is_asked_for(server):
    assert problem_of(ServerSettings(server.url)).code == "unauthorized"
    wrong = problem_of(ServerSettings(server.url, "wrong-token"))
    assert wrong.code == "unauthorized"
    assert "administrator" in wrong.what_to_do
    assert "wrong-token" not in f"{wrong} {wrong.detail}"
    assert problem_of(ServerSettings(server.url, "two words")).code == "bad_token"


def test_nobody_listens():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert problem_of(ServerSettings(f"http://127.0.0.1:{port}")).code == "unreachable"


def test_a_name_that_does_not_exist():
    assert problem_of(ServerSettings("https://perfusynth.invalid")).code == "unknown_host"


def test_nothing_comes_back():
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        assert problem_of(ServerSettings(url), Timeouts(0.5, 0.5)).code == "timeout"


def test_a_server_in_the_clear_is_reached_by_its_own_scheme_only(server):
    told = problem_of(ServerSettings(server.url.replace("http", "https"), "t"))
    assert told.code == "no_tls"
    assert problem_of(ServerSettings("http://hospital.example")).code == "bad_address"


def test_certificates_are_verified(server, authority):
    token = server.tokens["user"]
    with FaultyWire(server.url, authority.server_context()) as wire:
        assert "Connected" in check_connection(ServerSettings(wire.url, token, str(authority.ca_file))).text
        assert problem_of(ServerSettings(wire.url, token)).code == "certificate_unknown"
        plain = wire.url.replace("https", "http")
        assert problem_of(ServerSettings(plain, token)).code in ("not_http", "connection_lost")
    with FaultyWire(server.url, authority.server_context(expired=True)) as wire:
        assert problem_of(ServerSettings(wire.url, token, str(authority.ca_file))).code == "certificate_expired"
    with FaultyWire(server.url, authority.server_context(address="10.9.8.7")) as wire:
        assert problem_of(ServerSettings(wire.url, token, str(authority.ca_file))).code == "certificate_name"


def test_another_hospitals_authority_is_none(server, authority, tmp_path):
    with FaultyWire(server.url, authority.server_context()) as wire:
        stranger = str(Authority(tmp_path).ca_file)
        assert problem_of(ServerSettings(wire.url, "t", stranger)).code == "certificate_unknown"
        assert problem_of(ServerSettings(wire.url, "t", str(tmp_path / "missing.pem"))).code == "bad_ca_file"
        (tmp_path / "text.pem").write_text("no certificate")
        assert problem_of(ServerSettings(wire.url, "t", str(tmp_path / "text.pem"))).code == "bad_ca_file"


def test_no_token_travels_before_the_certificate_is_checked(server, authority):
    with FaultyWire(server.url, authority.server_context()) as wire:
        problem_of(ServerSettings(wire.url, server.tokens["user"]))
        assert wire.carried == 0


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ((404, {}, PAGE), "not_perfusynth"),
        ((200, {}, PAGE), "not_perfusynth"),
        ((200, {}, {"name": "radiology", "models": {}}), "not_perfusynth"),  # another app's MONAI Label
        ((200, {}, [1]), "not_perfusynth"),
        ((403, {}, PAGE), "forbidden"),
        ((407, {}, PAGE), "proxy"),
        ((503, {}, PAGE), "server_unavailable"),
        ((502, {}, PAGE), "server_unavailable"),
        ((500, {}, PAGE), "server_fault"),
        ((301, {"Location": "https://elsewhere.example/"}, b""), "moved"),
        ((200, {}, {"perfusynth": {"version": "0.1.0", "tasks": TASKS}}), "server_too_old"),
        ((200, {}, {"perfusynth": {"version": "0.1.0", "api": "x", "tasks": TASKS}}), "server_too_old"),
        ((200, {}, {"perfusynth": {"version": "0.9.0", "api": 9, "tasks": {}}}), "no_model"),
    ],
)
def test_what_answers_there_is_told_apart(answer, code):
    assert canned({"*": answer, **(HEALTHY if code != "server_unavailable" else {})}) == code


def test_a_server_without_a_model_that_works():
    answers = {"/info/": (200, {}, INFO), "/health": (503, {}, {"status": "failed"})}
    assert canned(answers) == "server_unavailable"


def test_a_server_that_still_loads_can_be_used():
    with CannedServer({"/info/": (200, {}, INFO), "/health": (200, {}, {"status": "warming"})}) as server:
        found = check_connection(ServerSettings(server.url))
    assert found.warming
    assert "loading" in found.text


def test_the_servers_own_words_reach_the_user():
    said = {"code": "local_only", "error": "Only for this machine.", "expected": "a", "got": "b", "hint": "Use TLS."}
    with CannedServer({"*": (403, {}, said)}) as server:
        told = problem_of(ServerSettings(server.url))
    assert (told.code, told.what, told.what_to_do) == ("local_only", "Only for this machine.", "Use TLS.")
    assert told.detail == "expected a; got b"


def test_words_of_a_stranger_are_cut_and_cleaned():
    said = {"code": "x", "error": "a\n\x1b[31m" + "b" * 9999 + ".", "hint": "Do."}
    with CannedServer({"*": (400, {}, json.dumps(said).encode())}) as server, pytest.raises(Problem) as caught:
        check_connection(ServerSettings(server.url))
    assert len(caught.value.what) <= 400
    assert caught.value.what.isprintable()


def test_a_redirect_takes_no_token_along(tmp_path):
    with CannedServer({"*": (200, {}, INFO)}) as thief:
        answers = {"*": (302, {"Location": f"{thief.url}/info/"}, b"")}
        with CannedServer(answers) as server:
            assert problem_of(ServerSettings(server.url, "secret")).code == "moved"
        assert thief.requests == []


def test_this_machine_is_never_asked_through_a_proxy(monkeypatch, tmp_path):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login a password b\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    with CannedServer({"/info/": (200, {}, INFO), **HEALTHY}) as server:
        check_connection(ServerSettings(server.url, "my-token"))
        sent = server.requests[0][2]
    assert sent["Authorization"] == "Bearer my-token"


def test_other_machines_are_asked_through_the_environments_proxy(monkeypatch):
    with CannedServer({"*": (407, {}, PAGE)}) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        told = problem_of(ServerSettings("https://hospital.example", "secret"))
    assert told.code == "proxy"


def test_a_get_is_repeated_and_nothing_else():
    answers = {"/info/": [(502, {}, PAGE), (502, {}, PAGE), (200, {}, INFO)], **HEALTHY}
    with CannedServer(answers) as server:
        assert check_connection(ServerSettings(server.url)).version == "0.9.0"
        assert [path for _, path, _ in server.requests] == ["/info/"] * 3 + ["/health"]
