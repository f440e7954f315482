"""A case's registration: what is read, what is left out, and that nothing that was said is lost."""

import json
from dataclasses import replace

import numpy as np
import pytest

from perfusynth import atomic
from perfusynth.errors import InputError
from perfusynth.volumes import case_registration
from perfusynth.volumes.case_registration import (
    CaseRegistration,
    earlier_registrations,
    keep_registration,
    left_out,
    numbered_registrations,
    read_registration,
)


def shifted(mm: float) -> np.ndarray:
    matrix = np.eye(4)
    matrix[0, 3] = mm
    return matrix


AUTOMATIC = CaseRegistration(
    shifted(3), "automatic", 0.6, software="1", time="2026-01-01T00:00:00Z", figures={"nmi": 1.2}
)
CORRECTED = CaseRegistration(shifted(1), "annotator", None, "corrected", author="ana", time="2026-01-02T00:00:00Z")


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "case.json").write_text(json.dumps({"kind": "phantom", "fixed_to_moving": shifted(0.5).tolist()}))
    return tmp_path


def test_a_phantoms_own_truth_is_known_and_taken(folder):
    found = read_registration(folder)
    assert found.method == "known"
    assert found.fixed_to_moving[0, 3] == 0.5
    assert left_out(found) is None


def test_every_version_stays(folder):
    assert keep_registration(folder, AUTOMATIC, b"first") == 1
    assert keep_registration(folder, CORRECTED, b"second") == 2
    now = read_registration(folder)
    assert (now.author, now.verdict, now.fixed_to_moving[0, 3]) == ("ana", "corrected", 1)
    earlier = earlier_registrations(folder)
    assert [(one.method, one.fixed_to_moving[0, 3]) for one in earlier] == [("known", 0.5), ("automatic", 3)]
    assert earlier[1].figures == {"nmi": 1.2}
    assert earlier[1].probability_over_2mm == 0.6
    assert (folder / "registration.tfm").read_bytes() == b"second"
    assert (folder / "registration_history" / "0002.tfm").read_bytes() == b"first"
    assert json.loads((folder / "case.json").read_text())["kind"] == "phantom"


@pytest.mark.parametrize("files_written", range(4))
def test_a_crash_leaves_the_old_registration_in_force(folder, monkeypatch, files_written):
    keep_registration(folder, AUTOMATIC, b"first")
    left = iter(range(files_written))

    def failing(path, content, **how):
        if next(left, None) is None:
            raise OSError("the disk is full")
        write(path, content, **how)

    write = atomic.write_bytes
    monkeypatch.setattr(case_registration.atomic, "write_bytes", failing)
    with pytest.raises(OSError, match="disk"):
        keep_registration(folder, CORRECTED, b"second")
    monkeypatch.undo()
    assert read_registration(folder).method == "automatic"
    assert keep_registration(folder, replace(CORRECTED, author="ben"), b"third") == 2
    assert read_registration(folder).author == "ben"
    assert (folder / "registration.tfm").read_bytes() == b"third"
    assert [one.method for one in earlier_registrations(folder)] == ["known", "automatic"]
    assert (folder / "registration_history" / "0002.tfm").read_bytes() == b"first", "never what was not in force"


def test_a_transform_file_of_another_motion_is_not_kept_as_this_ones(folder):
    keep_registration(folder, AUTOMATIC, b"first")
    (folder / "registration.tfm").write_bytes(b"left by a crash")
    assert keep_registration(folder, CORRECTED, b"second") == 2
    assert sorted(path.name for path in (folder / "registration_history").iterdir()) == ["0001.json", "0002.json"]


@pytest.mark.parametrize("removed", [["0001.json"], ["0002.json"], ["0001.json", "0002.json", "0002.tfm"]])
def test_a_version_that_somebody_removed_costs_no_other(folder, removed):
    """Numbers are those of the files: none is given to another version while a later one has it."""
    authors = "abcd"
    for author in authors[:3]:
        keep_registration(folder, replace(CORRECTED, author=author), author.encode())
    for name in removed:
        (folder / "registration_history" / name).unlink()
    left = numbered_registrations(folder)
    keep_registration(folder, replace(CORRECTED, author="d"), b"d")
    now = numbered_registrations(folder)
    assert {number: one.author for number, one in now.items()} == {n: one.author for n, one in left.items()} | {4: "c"}
    assert earlier_registrations(folder)[-1].author == "c"
    assert (folder / "registration_history" / "0004.tfm").read_bytes() == b"c"


def test_versions_beyond_four_digits_stay_in_order(folder):
    keep_registration(folder, AUTOMATIC, b"first")
    history = folder / "registration_history"
    (history / "0001.json").rename(history / "9999.json")
    keep_registration(folder, CORRECTED, b"second")
    assert list(numbered_registrations(folder)) == [9999, 10000]


@pytest.mark.parametrize(
    ("registration", "taken"),
    [
        (AUTOMATIC, False),
        (replace(AUTOMATIC, probability_over_2mm=0.2), True),
        (replace(AUTOMATIC, probability_over_2mm=None), False),
        (replace(AUTOMATIC, verdict="accept", method="annotator"), True),
        (CORRECTED, True),
        (replace(CORRECTED, verdict="fail", reason="another patient"), False),
    ],
)
def test_what_training_takes(registration, taken):
    reason = left_out(registration)
    assert (reason is None) == taken
    if registration.reason:
        assert "another patient" in reason
        assert "ana" in reason


@pytest.mark.parametrize(
    "matrix", [np.diag([1.1, 1, 1, 1]), np.diag([-1.0, 1, 1, 1]), np.full((4, 4), np.nan), np.eye(3)]
)
def test_what_is_no_rigid_motion_is_neither_kept_nor_read(folder, matrix):
    with pytest.raises(InputError) as refused:
        keep_registration(folder, replace(AUTOMATIC, fixed_to_moving=matrix), b"")
    assert refused.value.code == "bad_transform"
    assert read_registration(folder).method == "known"
    (folder / "case.json").write_text(json.dumps({"fixed_to_moving": matrix.tolist()}))
    with pytest.raises(InputError) as refused:
        read_registration(folder)
    assert refused.value.code == "bad_transform"


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"fixed_to_moving": "x"}'])
def test_a_case_that_does_not_tell_is_refused(folder, content):
    (folder / "case.json").write_text(content)
    with pytest.raises(InputError) as refused:
        read_registration(folder)
    assert refused.value.code == "no_registration"
