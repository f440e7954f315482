"""Tokens on disk, and what the server may listen on."""

import json

import pytest
from typer.testing import CliRunner

from perfusynth.cli import token
from perfusynth.errors import InputError
from perfusynth.server.access.roles import Identity, Role
from perfusynth.server.access.tokens import TokenStore
from perfusynth.server.start import check_certificate, check_exposure


@pytest.fixture
def store(tmp_path) -> TokenStore:
    return TokenStore(tmp_path / "tokens.json")


def test_a_token_identifies_its_holder(store):
    secret = store.add("ann", "annotator")
    assert store.identify(secret) == Identity("ann", Role.ANNOTATOR)
    assert store.identify(secret[:-1] + ("A" if secret[-1] != "A" else "B")) is None
    assert store.identify("") is None


def test_only_a_hash_is_kept_and_only_for_the_owner(store, tmp_path):
    secret = store.add("ann", "user")
    content = (tmp_path / "tokens.json").read_text()
    assert secret.split("_", 2)[2] not in content
    assert (tmp_path / "tokens.json").stat().st_mode & 0o777 == 0o600


def test_a_file_that_others_can_read_is_refused(store, tmp_path):
    store.add("ann", "user")
    (tmp_path / "tokens.json").chmod(0o644)
    with pytest.raises(InputError) as refused:
        TokenStore(tmp_path / "tokens.json").entries()
    assert refused.value.code == "open_tokens"


@pytest.mark.parametrize("content", ["", "{", '{"tokens": [{}]}', '{"tokens": 3}', "[]"])
def test_a_broken_file_opens_nothing(tmp_path, content):
    path = tmp_path / "tokens.json"
    path.write_text(content)
    path.chmod(0o600)
    with pytest.raises(InputError) as refused:
        _ = TokenStore(path).configured
    assert refused.value.code == "bad_tokens"


def test_an_expired_token_is_refused_but_keeps_the_server_closed(store, tmp_path):
    secret = store.add("ann", "user", days=1)
    path = tmp_path / "tokens.json"
    content = json.loads(path.read_text())
    content["tokens"][0]["expires"] = "2020-01-01T00:00:00Z"
    path.write_text(json.dumps(content))
    assert store.identify(secret) is None
    assert store.configured


@pytest.mark.parametrize(("user", "role"), [("", "user"), ("a/b", "user"), ("ann", "root"), ("x" * 65, "user")])
def test_odd_names_and_roles_are_refused(store, user, role):
    with pytest.raises(InputError):
        store.add(user, role)


def test_the_command_line_makes_lists_and_removes(tmp_path, monkeypatch):
    monkeypatch.setenv("PERFUSYNTH_HOME", str(tmp_path / "home"))
    run = CliRunner().invoke
    made = run(token.app, ["add", "ann", "--role", "admin", "--days", "30"]).stdout.strip()
    token_id = made.split("_")[1]
    assert token_id in run(token.app, ["list"]).stdout
    assert made not in run(token.app, ["list"]).stdout
    assert run(token.app, ["remove", token_id]).exit_code == 0
    assert run(token.app, ["list"]).stdout == ""
    assert isinstance(run(token.app, ["remove", token_id]).exception, InputError)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.9.9.9"])
def test_loopback_needs_nothing(host):
    check_exposure(host, tls=False, tokens=False)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "myhost", ""])
def test_other_addresses_need_tokens_and_tls(host):
    for tokens, code in ((False, "no_tokens"), (True, "no_tls")):
        with pytest.raises(InputError) as refused:
            check_exposure(host, tls=False, tokens=tokens)
        assert refused.value.code == code
    check_exposure(host, tls=True, tokens=True)


def test_a_proxy_in_front_needs_tokens_even_on_loopback():
    with pytest.raises(InputError) as refused:
        check_exposure("127.0.0.1", tls=True, tokens=False, proxied=True)
    assert refused.value.code == "no_tokens"
    check_exposure("127.0.0.1", tls=True, tokens=True, proxied=True)


def test_half_a_certificate_is_refused(tmp_path):
    (tmp_path / "cert.pem").touch()
    for pair in ((tmp_path / "cert.pem", None), (tmp_path / "cert.pem", tmp_path / "missing.pem")):
        with pytest.raises(InputError):
            check_certificate(*pair)
    check_certificate(None, None)
