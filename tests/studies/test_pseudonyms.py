"""Hashes of patients: the same for one salt, of no use without it, and the salt stays private."""

import hashlib
import os
import stat

import pytest

from perfusynth.errors import InputError
from perfusynth.studies.pseudonyms import Pseudonyms, default_salt_file, pseudonyms_of


def test_one_patient_has_one_name_whatever_his_session_and_another_salt_gives_another():
    names = Pseudonyms(b"0123456789abcdef")
    first, second = names.case("A", "1"), names.case("A", "2")
    assert first != second
    assert first.split("_")[0] == second.split("_")[0] == names.patient("A") != names.patient("B")
    assert Pseudonyms(b"0123456789abcdeg").patient("A") != names.patient("A")
    assert hashlib.sha256(b"A").hexdigest()[:16] not in first


def test_a_salt_is_made_once_readable_by_its_owner_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("PERFUSYNTH_HOME", str(tmp_path / "home"))
    path = default_salt_file()
    first = pseudonyms_of(path, tmp_path / "out")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(path.read_bytes()) > 32
    assert pseudonyms_of(path, tmp_path / "out").patient("A") == first.patient("A")
    other = pseudonyms_of(tmp_path / "other" / "salt", tmp_path / "out")
    assert other.patient("A") != first.patient("A")


@pytest.mark.skipif(os.name != "posix", reason="file modes")
def test_a_salt_that_others_can_read_or_that_lies_among_the_cases_is_refused(tmp_path):
    def refused(path):
        with pytest.raises(InputError) as caught:
            pseudonyms_of(path, tmp_path / "out")
        return caught.value.code

    open_to_all = tmp_path / "salt"
    open_to_all.write_bytes(b"0123456789abcdef")
    open_to_all.chmod(0o644)
    assert refused(open_to_all) == "salt_not_private"
    open_to_all.write_bytes(b"short")
    open_to_all.chmod(0o600)
    assert refused(open_to_all) == "bad_salt"
    assert refused(tmp_path / "out" / "salt") == "salt_in_output"
    assert not (tmp_path / "out" / "salt").exists()
