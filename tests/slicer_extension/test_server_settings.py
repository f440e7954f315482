"""Servers that are remembered: addresses, tokens, consent."""

import json
import stat

import pytest
from PerfuSynthLib.problems import Problem
from PerfuSynthLib.server_settings import (
    DEFAULT_ADDRESS,
    ServerBook,
    ServerSettings,
    checked_address,
    is_loopback,
)

HOSPITAL = "https://perfusion.hospital.example"


class Settings(dict):
    """As QSettings, which gives texts back."""

    def value(self, key, default=""):
        return self.get(key, default)

    def setValue(self, key, value):
        assert isinstance(value, str)
        self[key] = value


@pytest.mark.parametrize(
    ("typed", "address"),
    [
        ("127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("localhost:8000/", "http://localhost:8000"),
        ("http://[::1]:8000", "http://[::1]:8000"),
        (" perfusion.hospital.example ", HOSPITAL),
        ("https://Perfusion.Hospital.example/", HOSPITAL),
        ("https://host:8443/perfusynth/", "https://host:8443/perfusynth"),
    ],
)
def test_addresses_are_made_whole(typed, address):
    assert checked_address(typed) == address
    assert checked_address(address) == address


@pytest.mark.parametrize(
    "typed",
    [
        *(
            "",
            "  ",
            "http://hospital.example",
            "http://10.0.0.5:8000",
            "ftp://host",
            "https://",
            "https:",
            "https://a b",
        ),
        *("https://user:secret@host", "https://host?x=1", "https://host#x", "https://host:99999", "file:///etc/passwd"),
        *("http://127.0.0.1.evil.example", "http://localhost@evil.example", "https://host\\@evil.example"),
    ],
)
def test_other_addresses_are_refused_with_what_to_do(typed):
    with pytest.raises(Problem) as caught:
        checked_address(typed)
    assert caught.value.code == "bad_address"
    assert caught.value.what_to_do


def test_only_this_machine_is_loopback():
    assert all(map(is_loopback, ("http://127.0.0.1:1", "https://127.8.8.8", "http://[::1]", "http://localhost:8000")))
    assert not any(map(is_loopback, (HOSPITAL, "http://localhost.example", "http://[bad", "")))


def test_a_server_comes_back_with_all_that_was_entered(tmp_path):
    storage, tokens = Settings(), tmp_path / "private" / "tokens.json"
    assert ServerBook(storage, tokens).last() == ServerSettings(DEFAULT_ADDRESS)
    hospital = ServerSettings(HOSPITAL, "s3cret-token", "/ca.pem", consent=True)
    ServerBook(storage, tokens).remember(hospital)
    ServerBook(storage, tokens).remember(ServerSettings(DEFAULT_ADDRESS))
    book = ServerBook(storage, tokens)
    assert book.last().address == DEFAULT_ADDRESS
    assert book.of(HOSPITAL) == hospital
    assert book.addresses() == [DEFAULT_ADDRESS, HOSPITAL]


def test_consent_is_one_servers_alone(tmp_path):
    book = ServerBook(Settings(), tmp_path / "tokens.json")
    book.remember(ServerSettings(HOSPITAL, consent=True))
    assert not book.of("https://another.example").consent
    book.remember(book.of(HOSPITAL)._replace(consent=False))
    assert not book.of(HOSPITAL).consent


def test_tokens_lie_apart_in_a_file_of_this_user(tmp_path):
    storage, tokens = Settings(), tmp_path / "tokens.json"
    book = ServerBook(storage, tokens)
    book.remember(ServerSettings(HOSPITAL, "s3cret-token"))
    assert "s3cret" not in json.dumps(storage)
    assert stat.S_IMODE(tokens.stat().st_mode) == 0o600
    book.remember(ServerSettings(HOSPITAL, ""))
    assert "s3cret" not in tokens.read_text()
    book.remember(ServerSettings(HOSPITAL, "s3cret-token"))
    book.forget(HOSPITAL)
    assert "s3cret" not in tokens.read_text()
    assert book.of(HOSPITAL) == ServerSettings(HOSPITAL)
    assert [path.name for path in tmp_path.iterdir()] == ["tokens.json"]


def test_damaged_settings_are_empty_ones(tmp_path):
    (tmp_path / "tokens.json").write_bytes(b"\xff{")
    for text in ("{", "[]", '{"https://x": 3}', "null"):
        book = ServerBook(Settings({"PerfuSynth/servers": text}), tmp_path / "tokens.json")
        assert book.of(HOSPITAL) == ServerSettings(HOSPITAL)


def test_a_token_that_cannot_be_kept_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(Problem) as caught:
        ServerBook(Settings(), tmp_path / "file" / "tokens.json").remember(ServerSettings(HOSPITAL, "t"))
    assert caught.value.code == "disk"
