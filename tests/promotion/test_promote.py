"""Promotion, rollback and their history: on disk, in order, and through crashes."""

import json
import os
import pwd
import shutil

import pytest
from variants import compared, variant

from perfusynth.errors import InputError
from perfusynth.generators.bundles import installed_bundles, read_bundle
from perfusynth.generators.candidates import candidates, keep_candidate
from perfusynth.generators.registry import choose, live_bundle
from perfusynth.promotion import promote as module
from perfusynth.promotion.history import changes, history_file, unreadable_lines
from perfusynth.promotion.promote import account, check_promotable, find_candidate, previous, promote, roll_back

TASK = "ncct_perfusion"


@pytest.fixture
def live(home, tiny):
    """A small bundle that is live without any promotion (the registry was written by hand)."""
    bundle = variant(tiny, home / "models" / "first", 1)
    choose(TASK, "first")
    return bundle


@pytest.fixture
def candidate(home, live, tiny):
    return keep_candidate(lambda folder: variant(tiny, folder, 2), "first")


def refused(call, *arguments) -> str:
    with pytest.raises(InputError) as caught:
        call(*arguments)
    return caught.value.code


def test_a_candidate_is_named_by_day_and_hash_and_is_not_live(home, candidate, live):
    name, day, digits = candidate.name.rsplit("-", 2)
    assert (name, len(day), digits) == ("first", 8, candidate.spec.weights_sha256[:8])
    assert candidate.name in candidates()
    assert candidate.name not in installed_bundles()
    assert live_bundle(TASK).name == "first"
    assert live_bundle(candidate.name).path == candidate.path, "an evaluation can name it"
    choose(TASK, candidate.name)
    assert refused(live_bundle, TASK) == "unknown_model", "not even by a registry that was written by hand"


def test_a_candidate_of_a_candidate_has_one_date(home, candidate, tiny):
    again = keep_candidate(lambda folder: variant(tiny, folder, 3), candidate.name)
    assert again.name.count("-") == candidate.name.count("-")
    keep_candidate(lambda folder: variant(tiny, folder, 3), candidate.name)
    assert set(candidates()) == {candidate.name, again.name}
    assert {path.name for path in (home / "candidates").iterdir()} == set(candidates()), "no half copy is left"


def test_a_promotion_goes_live_and_is_told_with_who_when_what_and_figures(home, candidate, live):
    order = promote(candidate, compared(candidate, live))
    assert live_bundle(TASK).name == candidate.name
    assert live_bundle(TASK).path == home / "models" / candidate.name
    assert not candidates()
    assert json.loads((home / "registry.json").read_text()) == {TASK: candidate.name}
    first, last = (json.loads(line) for line in history_file().read_text().splitlines())
    assert (first["event"], last["event"], first["id"]) == ("begun", "done", last["id"])
    assert first["who"] == pwd.getpwuid(os.getuid()).pw_name == order.who
    assert first["at"].endswith("Z")
    assert first["from"] == {"name": "first", "version": live.version, "weights_sha256": live.weights_sha256()}
    assert first["to"]["name"] == candidate.name
    assert first["to"]["weights_sha256"] == live_bundle(TASK).weights_sha256()
    assert first["figures"]["candidate"] == {"dice": 0.5, "mae_s": 1.0}
    assert first["figures"]["cases"] == "phantom seeds 3000000:3000002"
    assert first["report_sha256"] == "0" * 64


def test_who_is_not_what_an_environment_variable_says(home, monkeypatch):
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, "somebody-else")
    assert account() == pwd.getpwuid(os.getuid()).pw_name


def test_rollbacks_go_back_step_by_step_and_then_refuse(home, candidate, live, tiny):
    promote(candidate, compared(candidate, live))
    second = keep_candidate(lambda folder: variant(tiny, folder, 3), "first")
    promote(second, compared(second, live_bundle(TASK)))
    assert previous(TASK).name == candidate.name
    roll_back(TASK)
    assert live_bundle(TASK).name == candidate.name
    roll_back(TASK)
    assert live_bundle(TASK).name == "first"
    assert refused(roll_back, TASK) == "nothing_before"
    assert [change.order.kind for change in changes(TASK)] == ["promotion"] * 2 + ["rollback"] * 2
    second = find_candidate(second.name)
    promote(second, compared(second, live_bundle(TASK)))
    assert live_bundle(TASK).name == second.name, "an installed model goes live again"


def test_a_rollback_never_goes_past_a_change_by_hand(home, candidate, live, tiny):
    promote(candidate, compared(candidate, live))
    variant(tiny, home / "models" / "by-hand", 9)
    choose(TASK, "by-hand")
    assert refused(roll_back, TASK) == "nothing_before"
    third = keep_candidate(lambda folder: variant(tiny, folder, 4), "first")
    promote(third, compared(third, live_bundle(TASK)))
    roll_back(TASK)
    assert live_bundle(TASK).name == "by-hand"


def test_a_rollback_refuses_weights_that_are_not_those_that_were_live(home, candidate, live, tiny):
    promote(candidate, compared(candidate, live))
    shutil.rmtree(live.path)
    assert refused(roll_back, TASK) == "previous_changed"
    variant(tiny, live.path, 77)
    assert refused(roll_back, TASK) == "previous_changed"
    assert live_bundle(TASK).name == candidate.name


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"outputs": "another unit"}, "other_contract"),
        ({"outputs": "one less"}, "other_contract"),
        ({"inputs": None}, "other_contract"),
        ({"task": "ctp_dwi"}, None),
        ({"weights_sha256": "0" * 64}, "weights_changed"),
    ],
)
def test_what_may_not_take_the_live_models_place(home, live, tiny, change, code):
    spec = json.loads((live.path / "configs" / "metadata.json").read_text())["perfusynth"]
    if change.get("outputs") == "another unit":
        change = {"outputs": [spec["outputs"][0] | {"unit": "ms"}, *spec["outputs"][1:]]}
    elif "outputs" in change:
        change = {"outputs": spec["outputs"][:-1]}
    elif "inputs" in change:
        change = {"inputs": [spec["inputs"][0] | {"name": "cta"}]}
    other = variant(tiny, home / "candidates" / "other", 5, **change)
    if code is None:
        assert check_promotable(other) is None, "the first model of its task"
    else:
        assert refused(promote, other, compared(other, live)) == code
    assert live_bundle(TASK).name == "first"
    assert not history_file().exists()


def test_another_window_is_the_models_own_business(home, live, tiny):
    spec = json.loads((live.path / "configs" / "metadata.json").read_text())["perfusynth"]
    other = variant(tiny, home / "candidates" / "other", 5, inputs=[spec["inputs"][0] | {"window": [0, 80]}])
    assert check_promotable(other).name == "first"


def test_a_model_may_make_more_than_the_live_one(home, live, tiny):
    outputs = json.loads((live.path / "configs" / "metadata.json").read_text())["perfusynth"]["outputs"]
    more = {"name": "core_probability", "unit": "1", "range": [0, 1], "description": "core", "kind": "probability"}
    other = variant(tiny, home / "candidates" / "other", 5, outputs=[*outputs, more])
    assert check_promotable(other).name == "first"


def test_figures_of_other_weights_are_refused(home, candidate, live, tiny):
    other = variant(tiny, home / "candidates" / "other", 5)
    assert refused(promote, candidate, compared(other, live)) == "other_report"
    assert refused(promote, candidate, compared(candidate, other)) == "other_report"
    assert not history_file().exists()


def test_a_live_model_and_an_unknown_one_are_refused(home, candidate, live):
    assert refused(promote, live, compared(live, live)) == "live_already"
    assert refused(find_candidate, "../../etc") == "unknown_candidate"
    shutil.rmtree(live.path)
    assert refused(promote, candidate, compared(candidate, candidate)) == "live_missing"


class Crash(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("moment", ["before the registry", "after the registry"])
def test_a_crash_between_registry_and_history_loses_nothing(home, candidate, live, tiny, moment, monkeypatch):
    def dying(task, name):
        if moment == "after the registry":
            choose(task, name)
        raise Crash

    with monkeypatch.context() as patched:
        patched.setattr(module, "choose", dying)
        with pytest.raises(Crash):
            promote(candidate, compared(candidate, live))
    (change,) = changes()
    assert change.state == "unfinished"
    second = keep_candidate(lambda folder: variant(tiny, folder, 3), "first")
    promote(second, compared(second, live_bundle(TASK)))
    states = [(change.order.after.name, change.state) for change in changes()]
    crashed = "done" if moment == "after the registry" else "abandoned"
    assert states == [(candidate.name, crashed), (second.name, "done")]
    roll_back(TASK)
    assert live_bundle(TASK).name == (candidate.name if crashed == "done" else "first")
    assert find_candidate(candidate.name), "the candidate is still there to be promoted"


def test_a_line_that_a_crash_cut_short_stays_and_the_next_is_whole(home, candidate, live):
    promote(candidate, compared(candidate, live))
    with history_file().open("ab") as file:
        file.write(b'{"event":"begun","id":"12')
    roll_back(TASK)
    assert [change.state for change in changes()] == ["done", "done"]
    assert unreadable_lines() == 1
    assert b'"id":"12\n' in history_file().read_bytes()


def test_a_registry_that_cannot_be_read_is_not_overwritten(home, candidate, live):
    (home / "registry.json").write_text("{")
    assert refused(promote, candidate, compared(candidate, live)) == "bad_registry"
    assert (home / "registry.json").read_text() == "{"
    assert read_bundle(candidate.path).name == candidate.name
