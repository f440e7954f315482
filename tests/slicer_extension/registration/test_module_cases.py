"""Whose a case is, and on which state the work on it stands: leases, other tokens, other annotators, keys."""

import threading
import time

import numpy as np
import pytest
import servers
import slicer
from annotator import Annotator, submit_as
from case_folders import rigid, write_case
from PerfuSynthLib.problems import Problem
from PerfuSynthRegistrationLib import session_cases
from PerfuSynthRegistrationLib.nmi import LiveNmi
from PerfuSynthRegistrationLib.worklist_client import WorklistClient
from PySide6 import QtCore, QtTest
from qt_harness import python_qt

from perfusynth.volumes.case_registration import read_registration

SAID = rigid((3, 0, 0))
COUNT = 8


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    base = tmp_path_factory.mktemp("registration")
    for number in range(COUNT):
        write_case(base / "studies" / f"case-{number}", rigid(), SAID, 0.9 - 0.1 * number)
    with servers.running(base, roles=("user", "annotator")) as started:
        started.tokens["second"] = servers.make_token(started.home, "annotator", "second-person")
        yield started


@pytest.fixture
def annotator(tmp_path, server):
    somebody = Annotator(tmp_path / "slicer")
    somebody.connect_to(server.url, server.tokens["annotator"])
    somebody.ui.goOnBox.setChecked(False)
    yield somebody
    somebody.close()


def leases(server) -> dict[str, str]:
    """Who has which case."""
    cases = server.call("GET", "/registration/worklist", "second").json()["cases"]
    return {row["case"]: row["lease"]["user"] for row in cases if row["lease"]}


def open_case(annotator, name) -> None:
    """Open a case of the worklist."""
    before = annotator.work.loaded
    annotator.program.wait(lambda: name in annotator.column("worklistTable", 0))
    annotator.program.wait(lambda: annotator.ui.openCaseButton.enabled)
    annotator.ui.worklistTable.cellDoubleClicked.emit(annotator.column("worklistTable", 0).index(name), 0)
    annotator.wait_for_another(before)


def ahead_of(annotator) -> str:
    """The case that was fetched ahead, once it is there."""
    annotator.program.wait(lambda: annotator.session.cases.is_ready)
    return annotator.session.cases._ahead.case.name


# --- leases


def test_a_case_that_leaves_with_the_scene_goes_back_and_is_not_asked_for_again(annotator, server, monkeypatch):
    case, ahead = annotator.next_case(), ahead_of(annotator)
    assert leases(server) == {case: "annotator-person", ahead: "annotator-person"}
    slicer.mrmlScene.Clear(0)
    monkeypatch.setattr(session_cases, "RENEW_S", 0.0)
    annotator.program.wait(lambda: leases(server) == {})
    annotator.program.wait(lambda: not annotator.session.cases.giving_back)
    python_qt.process_events(0.5)
    assert leases(server) == {}
    assert annotator.next_case() == case


def test_a_case_that_is_still_on_its_way_at_the_end_goes_back(tmp_path, server, monkeypatch):
    begun, go_on, fetch = threading.Event(), threading.Event(), WorklistClient.image

    def slow(self, image_id, on_bytes=None):
        begun.set()
        go_on.wait(30)
        return fetch(self, image_id, on_bytes)

    monkeypatch.setattr(WorklistClient, "image", slow)
    somebody = Annotator(tmp_path / "slicer")
    somebody.connect_to(server.url, server.tokens["annotator"])
    somebody.program.click(somebody.ui.nextButton)
    somebody.program.wait(begun.is_set)
    assert leases(server)
    threading.Timer(3.0, go_on.set).start()
    somebody.close()
    assert leases(server) == {}


def test_a_case_that_is_left_for_a_chosen_one_goes_back_at_once(annotator, server):
    case, ahead = annotator.next_case(), ahead_of(annotator)
    open_case(annotator, f"case-{COUNT - 1}")
    annotator.program.wait(lambda: case not in leases(server))
    assert leases(server) == dict.fromkeys([ahead, f"case-{COUNT - 1}"], "annotator-person")


def test_one_case_that_cannot_be_given_back_or_kept_holds_up_no_other(annotator, server, monkeypatch):
    held = sorted([annotator.next_case(), ahead_of(annotator)])
    taken, given = [], []

    def failing(done):
        def call(self, name):
            done.append(name)
            raise Problem("server", "The server stumbles.", "")

        return call

    monkeypatch.setattr(WorklistClient, "take", failing(taken))
    monkeypatch.setattr(session_cases, "RENEW_S", 0.0)
    annotator.program.wait(lambda: set(taken) == set(held))
    monkeypatch.setattr(session_cases, "RENEW_S", 1e9)
    monkeypatch.setattr(WorklistClient, "give_back", failing(given))
    slicer.mrmlScene.Clear(0)
    annotator.program.wait(lambda: set(given) == set(held))
    monkeypatch.undo()
    for name in held:
        server.call("DELETE", f"/registration/{name}/lease", "annotator")


def test_who_connects_as_somebody_else_submits_as_that_person(annotator, server):
    case, ahead = annotator.next_case(), ahead_of(annotator)
    annotator.correct(rigid())
    loaded = annotator.work.loaded
    annotator.connect_to(server.url, server.tokens["second"])
    annotator.program.wait(lambda: leases(server).get(case) == "second-person")
    assert ahead not in leases(server)
    assert annotator.case == case
    assert annotator.work.loaded.moving is loaded.moving
    annotator.submit("correctedRadio")
    assert read_registration(server.studies / case).author == "second-person"
    assert annotator.next_case() != case


def test_a_case_whose_image_cannot_be_read_is_told_and_passed_over(annotator, server, monkeypatch):
    worst = next(row.case for row in annotator.program.wait(lambda: annotator.session.cases.rows) if not row.verdict)
    fetch = WorklistClient.image

    def broken(self, image_id, on_bytes=None):
        if image_id.startswith(f"{worst}__"):
            raise Problem("not_nifti", "The image cannot be read.", "Tell who looks after the server.")
        return fetch(self, image_id, on_bytes)

    monkeypatch.setattr(WorklistClient, "image", broken)
    annotator.program.wait(lambda: annotator.ui.nextButton.enabled)
    annotator.program.click(annotator.ui.nextButton)
    annotator.program.wait(
        lambda: f"{worst} cannot be opened: The image cannot be read" in annotator.ui.casesLabel.text
    )
    annotator.program.wait(lambda: worst not in leases(server))
    assert annotator.next_case() not in ("", worst)
    assert ahead_of(annotator) != worst


# --- another annotator's state of the case


def test_what_was_accepted_is_a_correction_once_another_has_moved_the_case(annotator, server):
    case = annotator.next_case()
    submit_as(server, "second", case, SAID @ rigid((0, 0, 4)))
    annotator.submit("acceptRadio")
    assert "second-person" in annotator.ui.submitLabel.text
    annotator.program.click(annotator.ui.submitOverButton)
    annotator.program.wait(lambda: annotator.work.submitted)
    assert "lies as yours" not in annotator.ui.submitLabel.text
    kept = read_registration(server.studies / case)
    assert (kept.verdict, kept.author) == ("corrected", "annotator-person")
    assert np.allclose(kept.fixed_to_moving, SAID, atol=1e-6)


def test_reset_goes_back_to_what_the_server_has_now(annotator, server):
    case = annotator.next_case()
    theirs = SAID @ rigid((0, 0, 4))
    submit_as(server, "second", case, theirs)
    annotator.correct(rigid())
    annotator.submit("correctedRadio")
    annotator.session.submission.theirs, meanwhile = None, annotator.session.submission.theirs
    annotator.work.rebase(meanwhile)
    annotator.program.wait(lambda: annotator.ui.resetButton.enabled)
    annotator.program.click(annotator.ui.resetButton)
    assert np.allclose(annotator.work.fixed_to_moving, theirs, atol=1e-6)
    assert not annotator.work.moved
    assert "lies as it was" in annotator.ui.poseLabel.text


def test_theirs_stay_as_they_are_though_automatic_was_at_work(annotator, server):
    case = annotator.next_case()
    theirs = SAID @ rigid((0, 0, 4))
    submit_as(server, "second", case, theirs)
    annotator.correct(rigid((8, 0, 0)))
    annotator.submit("correctedRadio")
    annotator.program.click(annotator.ui.automaticButton)
    annotator.program.answers["Throw your own work"] = True
    annotator.program.click(annotator.ui.takeTheirsButton)
    assert not annotator.session.automatic.running
    end = time.monotonic() + 3
    annotator.program.wait(lambda: time.monotonic() > end)
    assert np.allclose(annotator.work.fixed_to_moving, theirs, atol=1e-6)


# --- keys, and who does the work


def test_keys_stay_with_what_is_typed_in_or_browsed(annotator):
    annotator.next_case()
    window, ui = annotator.program.main_window, annotator.ui
    window.removeEventFilter(annotator.program.widget.sections._closing)  # PySide6 hands it events without a type
    window.show()
    window.activateWindow()
    key = QtCore.Qt.Key
    for widget in (ui.reasonEdit, ui.worklistTable, ui.historyTable):
        widget.setFocus()
        annotator.program.wait(widget.hasFocus, 10)
        python_qt.process_events(0.1)
        for pressed in (key.Key_Up, key.Key_PageDown, key.Key_Q, key.Key_Right):
            QtTest.QTest.keyClick(widget, pressed)
    python_qt.process_events(0.1)
    assert not annotator.work.moved
    assert ui.reasonEdit.text == "q"
    ui.submitButton.setFocus()
    ui.nextButton.setFocus()
    python_qt.process_events(0.1)
    QtTest.QTest.keyClick(ui.nextButton, key.Key_Up)
    python_qt.process_events(0.1)
    assert annotator.work.scene.undo_words == "0.5 mm to the front"
    slider = next(part for part in slicer.util.findChildren(ui.fadeSlider) if part.inherits("QSlider"))
    QtTest.QTest.mouseClick(slider, QtCore.Qt.MouseButton.LeftButton)
    assert not slider.hasFocus()
    window.hide()


def test_what_the_figures_need_is_made_off_the_main_thread(annotator, monkeypatch):
    threads, build = [], LiveNmi.__init__

    def counted(self, *given):
        threads.append(threading.current_thread())
        build(self, *given)

    monkeypatch.setattr(LiveNmi, "__init__", counted)
    annotator.next_case()
    assert threads
    assert threading.main_thread() not in threads
