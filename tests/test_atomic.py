"""Files appear whole or not at all."""

import os
import stat

import pytest

from perfusynth import atomic


def test_an_interrupted_write_leaves_the_old_file_and_no_half_one(tmp_path, monkeypatch):
    path = tmp_path / "x.json"
    atomic.write_bytes(path, b"old")

    def fail(*_: object) -> None:
        raise OSError("no space")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="no space"):
        atomic.write_bytes(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_mode_is_the_umasks_or_the_one_asked_for(tmp_path):
    before = os.umask(0o027)
    try:
        atomic.write_bytes(tmp_path / "plain", b"")
        atomic.write_bytes(tmp_path / "secret", b"", mode=0o600)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "plain").stat().st_mode) == 0o640
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600
