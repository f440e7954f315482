"""What can go wrong at the registration panel, and what an annotator is told: nothing is lost, nothing hangs."""

import time
import unittest

import numpy as np
import pytest
import servers
import slicer
from annotator import MODULE_FILE, Annotator
from case_folders import rigid, write_case
from faulty_wire import FaultyWire

from perfusynth.volumes.case_registration import read_registration

#: How long a case stays with an annotator who does not ask for it again, s.
LEASE_S = 4.0
SAID = rigid((3, 0, 0))


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    base = tmp_path_factory.mktemp("registration")
    for number in range(4):
        write_case(base / "studies" / f"case-{number}", rigid(), SAID, 0.9 - 0.1 * number)
    with servers.running(base, roles=("user", "annotator"), PERFUSYNTH_REGISTRATION_LEASE_S=str(LEASE_S)) as started:
        started.tokens["second"] = servers.make_token(started.home, "annotator", "second-person")
        yield started


@pytest.fixture
def annotator(tmp_path):
    somebody = Annotator(tmp_path / "slicer")
    yield somebody
    somebody.close()


def leases(server) -> dict[str, str]:
    """Who has which case."""
    cases = server.call("GET", "/registration/worklist", "second").json()["cases"]
    return {row["case"]: row["lease"]["user"] for row in cases if row["lease"]}


def test_the_self_test_of_the_desktop_program_passes(annotator):
    folder = MODULE_FILE.parent / "Testing" / "Python"
    result = unittest.TextTestRunner().run(unittest.TestLoader().discover(str(folder), pattern="*Test.py"))
    assert result.testsRun == 2
    assert result.wasSuccessful()
    annotator.program.module.PerfuSynthRegistrationTest("runTest").runTest()


def test_without_the_role_it_is_told(annotator, server):
    annotator.connect_to(server.url, server.tokens["user"], expect="role annotator")
    assert not annotator.ui.nextButton.enabled
    annotator.connect_to(server.url, server.tokens["annotator"])
    assert annotator.ui.nextButton.enabled


def test_a_case_stays_with_who_works_on_it_and_goes_back_at_the_end(tmp_path, server, monkeypatch):
    from PerfuSynthRegistrationLib import session_cases

    annotator = Annotator(tmp_path / "slicer")
    monkeypatch.setattr(session_cases, "RENEW_S", LEASE_S / 8)
    annotator.connect_to(server.url, server.tokens["annotator"])
    assert annotator.next_case() == "case-0"
    annotator.program.wait(lambda: annotator.session.cases.is_ready)
    end = time.monotonic() + LEASE_S * 1.3
    annotator.program.wait(lambda: time.monotonic() > end)
    assert leases(server) == {"case-0": "annotator-person", "case-1": "annotator-person"}
    monkeypatch.setattr(session_cases, "RENEW_S", 1e9)
    servers.wait_for(lambda: server.call("POST", "/registration/case-0/lease", "second").status_code == 200, 60)
    monkeypatch.setattr(session_cases, "RENEW_S", 0.0)
    annotator.program.wait(lambda: "Another annotator" in annotator.ui.warningsLabel.text)
    server.call("DELETE", "/registration/case-0/lease", "second")
    annotator.close()
    assert leases(server) == {}


def test_work_outlives_a_server_that_is_away(annotator, server):
    with FaultyWire(server.url) as wire:
        annotator.connect_to(wire.url, server.tokens["annotator"])
        case = annotator.next_case()
        annotator.program.wait(lambda: annotator.session.cases.is_ready)
        there, wire._target = wire._target, ("127.0.0.1", 9)
        wire.drop()
        annotator.correct(rigid())
        annotator.submit("correctedRadio")
        assert "Not submitted" in annotator.ui.submitLabel.text
        assert "kept on this computer" in annotator.ui.submitLabel.text
        assert len(list(annotator.kept_files())) == 1
        assert np.allclose(annotator.work.fixed_to_moving, np.eye(4), atol=1e-6)
        wire._target = there
        annotator.ui.goOnBox.setChecked(False)
        annotator.submit("correctedRadio")
        assert annotator.work.submitted
        assert not list(annotator.kept_files())
        assert np.allclose(read_registration(server.studies / case).fixed_to_moving, np.eye(4), atol=1e-6)


def test_work_outlives_the_program(tmp_path, server):
    annotator = Annotator(tmp_path / "slicer")
    annotator.connect_to(server.url, server.tokens["annotator"])
    case = annotator.next_case()
    annotator.press("Left", 4)
    there = annotator.work.fixed_to_moving
    annotator.program.wait(lambda: list(annotator.kept_files()))  # a moment after the hand rests: a crash costs nothing
    slicer.mrmlScene.Clear(0)
    assert annotator.case == ""
    annotator.close()
    again = Annotator(tmp_path / "slicer")
    again.connect_to(server.url, server.tokens["annotator"])
    again.program.wait(lambda: f"Unsent work on {case}" in again.ui.unsentLabel.text)
    again.program.click(again.ui.takeUpButton)
    again.program.wait(lambda: again.case == case)
    assert np.allclose(again.work.fixed_to_moving, there, atol=1e-9)
    again.program.answers["Leave it"] = True
    before = again.work.loaded
    again.program.click(again.ui.nextButton)
    again.wait_for_another(before)
    again.program.answers["Throw your unsent work"] = True
    again.program.wait(lambda: again.ui.giveUpButton.enabled)
    again.program.click(again.ui.giveUpButton)
    assert not list(again.kept_files())
    again.close()


def test_a_disk_that_takes_nothing_is_told_and_tried_again(annotator, server):
    annotator.connect_to(server.url, server.tokens["annotator"])
    case = annotator.next_case()
    in_the_way = annotator.session._around.unsent._path(server.url, case)
    in_the_way.mkdir(parents=True)
    annotator.press("Up")
    annotator.program.wait(lambda: "cannot be kept" in annotator.ui.warningsLabel.text)
    assert annotator.work.moved
    annotator.program.answers = {}
    annotator.program.click(annotator.ui.nextButton)
    assert "WILL BE LOST" in annotator.program.messages[-1]
    assert "is kept on this computer" not in annotator.program.messages[-1]
    in_the_way.rmdir()
    annotator.program.wait(lambda: list(annotator.kept_files()))
    annotator.program.wait(lambda: "cannot be kept" not in annotator.ui.warningsLabel.text)
    annotator.program.click(annotator.ui.nextButton)
    assert "is kept on this computer" in annotator.program.messages[-1]
    in_the_way.unlink()
    in_the_way.mkdir()
    annotator.ui.goOnBox.setChecked(False)
    annotator.submit("correctedRadio")
    assert annotator.work.submitted
    assert "The server has it" in annotator.ui.submitLabel.text
    annotator.program.wait(lambda: "cannot be removed" in annotator.ui.warningsLabel.text)
    in_the_way.rmdir()
    annotator.program.wait(lambda: annotator.ui.warningsLabel.text == "")
