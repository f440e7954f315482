"""The registration module's panel, clicked through by an annotator against the real server: a day's work."""

import numpy as np
import pytest
import servers
import SimpleITK as sitk
from annotator import Annotator, submit_as
from case_folders import rigid, write_case
from desk import Mouse, pixel_of

from perfusynth.volumes.case_registration import earlier_registrations, left_out, read_registration

#: Case: how its images truly lie, what the automatic registration says, and how probably that is wrong.
CASES = {
    "worst": (rigid((6, -4, 3), 5), rigid((-9, 5, 3), -4), 0.97),
    "another-patient": (rigid(), rigid((30, 0, 0), 20), 0.8),
    "doubtful": (rigid((-5, 4, 0), -6), rigid((-1, 4, 0), -6), 0.6),
    "fine": (rigid((2, -3, 4), 3), rigid((2, -3, 4), 3), 0.02),
}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    base = tmp_path_factory.mktemp("registration")
    for name, (truth, said, probability) in CASES.items():
        write_case(base / "studies" / name, truth, said, probability)
    with servers.running(base, roles=("user", "annotator")) as started:
        started.tokens["second"] = servers.make_token(started.home, "annotator", "second-person")
        yield started


@pytest.fixture(scope="module")
def annotator(tmp_path_factory, server):
    somebody = Annotator(tmp_path_factory.mktemp("annotator") / "slicer")
    somebody.connect_to(server.url, server.tokens["annotator"])
    yield somebody
    somebody.close()


# The tests of this file are one day, in this order.


def test_the_worst_case_comes_first_and_lies_as_the_server_says(annotator):
    assert annotator.next_case() == "worst"
    assert np.allclose(annotator.work.fixed_to_moving, CASES["worst"][1], atol=1e-6)
    assert "97%" in annotator.ui.caseLabel.text
    assert not annotator.ui.submitButton.enabled
    assert annotator.column("worklistTable", 0) == list(CASES)
    annotator.program.wait(lambda: annotator.column("worklistTable", 3)[0] == "you")


def test_the_next_case_is_fetched_meanwhile(annotator, server):
    annotator.program.wait(lambda: annotator.session.cases.is_ready)
    held = [
        row["case"] for row in server.call("GET", "/registration/worklist", "annotator").json()["cases"] if row["lease"]
    ]
    assert held == ["worst", "another-patient"]
    assert annotator.case == "worst"


def test_another_annotator_is_given_another_case(annotator, server):
    theirs = server.call("POST", "/registration/next", "second").json()
    assert theirs["case"] == "doubtful"
    assert server.call("DELETE", "/registration/doubtful/lease", "second").status_code == 200


def test_keys_move_the_ct_and_can_be_undone(annotator):
    annotator.press("Right", 3)
    assert annotator.work.scene.change.shift_mm == pytest.approx((-1.5, 0, 0), abs=1e-6)
    assert "1.5 mm (1.5 left)" in annotator.ui.poseLabel.text
    annotator.press("Shift+Up")
    assert annotator.work.scene.change.shift_mm == pytest.approx((-1.5, 2.5, 0), abs=1e-6)
    annotator.press("E")
    assert annotator.work.scene.change.angles_deg == pytest.approx((0, 0, 0.5), abs=1e-6)
    assert "0.5°" in annotator.ui.poseLabel.text
    for _ in range(2):
        annotator.program.click(annotator.ui.undoButton)
    assert annotator.work.scene.change.shift_mm == pytest.approx((-1.5, 0, 0), abs=1e-6)
    annotator.press("Y")
    assert annotator.work.scene.change.shift_mm == pytest.approx((-1.5, 2.5, 0), abs=1e-6)
    annotator.program.click(annotator.ui.resetButton)
    assert "lies as it was" in annotator.ui.poseLabel.text
    assert not annotator.work.moved


def test_a_drag_in_a_view_moves_the_ct_and_is_one_step(annotator):
    annotator.program.renders_asked.clear()
    annotator.press("H")
    assert set(annotator.program.renders_asked) == set(annotator.program.desktop.views())
    view, scene = annotator.program.desktop.views()["PerfuSynthRegistrationAxial"], annotator.work.scene
    at = np.round(pixel_of(view, scene.centre))
    Mouse(view).drag(at, at + np.array([20, 0]))
    pixel_mm = view.node.GetFieldOfView()[0] / view.node.GetDimensions()[0]
    assert scene.change.shift_mm == pytest.approx((-20 * pixel_mm, 0, 0), abs=0.01)
    annotator.program.wait(lambda: f"moved by {20 * pixel_mm:.1f} mm" in annotator.ui.poseLabel.text)
    annotator.program.click(annotator.ui.undoButton)
    assert not annotator.work.moved
    annotator.program.renders_asked.clear()
    annotator.press("H")
    assert set(annotator.program.renders_asked) == set(annotator.program.desktop.views())


def test_keys_are_alive_only_while_the_module_is_open(annotator):
    annotator.program.widget.exit()
    assert not any(key.enabled for key in annotator.keys.values())
    annotator.program.widget.enter()
    assert all(key.enabled for key in annotator.keys.values())


def test_every_way_of_looking_shows_something_else(annotator):
    ui, seen = annotator.ui, {}
    for name in ("checkerboard", "edges", "difference", "fade"):
        annotator.program.click(getattr(ui, f"{name}Radio"))
        assert annotator.work.scene.look == name
        seen[name] = annotator.axial()
    ui.fadeSlider.value = 0
    seen["fixed"] = annotator.axial()
    annotator.press("X")
    assert ui.fadeSlider.value == 100
    seen["moving"] = annotator.axial()
    ui.outlineBox.setChecked(True)
    seen["outlined"] = annotator.axial()
    ui.outlineBox.setChecked(False)
    ui.fadeSlider.value = 50
    names = list(seen)
    for index, name in enumerate(names):
        for other in names[index + 1 :]:
            share = np.mean((np.abs(seen[name].astype(int) - seen[other]) > 8).any(axis=-1))
            assert share > 0.002, f"{name} looks like {other}"
    annotator.press("B")
    assert len(annotator.program.desktop.views()) == 6
    annotator.press("B")
    assert len(annotator.program.desktop.views()) == 3


def test_landmarks_tell_how_far_they_are_apart_and_fit(annotator):
    scene, truth = annotator.work.scene, CASES["worst"][0]
    landmarks = scene.landmarks
    seen_from = np.linalg.inv(scene.fixed_to_moving)
    for place in ((40, 20, 0), (-35, 30, 20), (5, -60, -10), (0, 10, 45)):
        landmarks.add("fixed", np.array(place, float))
        moving = truth[:3, :3] @ place + truth[:3, 3]
        landmarks.add("moving", seen_from[:3, :3] @ moving + seen_from[:3, 3])
    annotator.program.wait(lambda: "4 landmark pairs" in annotator.ui.landmarksLabel.text)
    assert not annotator.ui.landmarksLabel.text.startswith("4 landmark pairs, 0.0 mm")
    annotator.program.click(annotator.ui.fitButton)
    assert "4 landmark pairs, 0.0 mm apart" in annotator.ui.landmarksLabel.text
    assert np.allclose(scene.fixed_to_moving, truth, atol=1e-4)
    annotator.program.click(annotator.ui.undoButton)
    assert np.allclose(scene.fixed_to_moving, CASES["worst"][1], atol=1e-6)
    annotator.program.click(annotator.ui.clearLandmarksButton)
    assert "No landmarks" in annotator.ui.landmarksLabel.text
    annotator.press("L")
    assert landmarks.placing
    assert "next click marks a place in the CTP" in annotator.ui.landmarksLabel.text
    landmarks.place(False)  # as a right click in a view does
    annotator.program.wait(lambda: not annotator.ui.markButton.checked)


def test_automatic_from_here_finds_the_truth(annotator):
    annotator.correct(CASES["worst"][0] @ rigid((3, -3, 2), 2))
    before = annotator.work.scene.nmi()
    landmarks = annotator.work.scene.landmarks
    landmarks.add("fixed", np.array([40.0, 20, 0]))
    landmarks.add("moving", np.array([40.0, 20, 0]))
    annotator.program.click(annotator.ui.automaticButton)
    assert annotator.ui.automaticButton.text == "Stop"
    annotator.program.wait(lambda: not annotator.session.automatic.running)
    assert "Registered" in annotator.ui.automaticLabel.text
    assert "1 landmark pairs" in annotator.ui.landmarksLabel.text
    annotator.press("L")
    assert "next click marks a place in the CTP" in annotator.ui.landmarksLabel.text
    annotator.press("L")
    landmarks.clear()
    off = np.linalg.inv(annotator.work.fixed_to_moving) @ CASES["worst"][0]
    assert np.abs(off[:3, 3]).max() < 0.5
    assert annotator.work.scene.nmi() > before
    annotator.program.wait(lambda: f"{annotator.work.scene.nmi():.4f}" in annotator.ui.nmiLabel.text)


def test_a_verdict_must_fit_what_was_done(annotator):
    ui = annotator.ui
    annotator.program.click(ui.acceptRadio)
    assert "moved" in ui.submitLabel.text
    assert not ui.submitButton.enabled
    annotator.program.click(ui.resetButton)
    annotator.program.click(ui.correctedRadio)
    assert "Nothing was moved" in ui.submitLabel.text
    annotator.program.click(ui.failRadio)
    assert "Say why" in ui.submitLabel.text
    annotator.program.click(ui.acceptRadio)
    assert ui.submitButton.enabled
    annotator.correct(CASES["worst"][0])
    assert annotator.work.verdict == "corrected"
    annotator.program.wait(lambda: ui.correctedRadio.checked)


def test_a_case_with_unsent_work_is_not_left_unasked(annotator):
    annotator.program.answers = {}
    annotator.program.click(annotator.ui.nextButton)
    assert "has not been submitted" in annotator.program.messages[-1]
    assert annotator.case == "worst"
    assert not annotator.program.main_window.close()
    assert annotator.case == "worst"


def test_what_is_submitted_is_the_truth_and_the_next_case_opens_at_once(annotator, server):
    annotator.program.wait(lambda: annotator.session.cases.is_ready)
    annotator.submit("correctedRadio", "turned")
    annotator.program.wait(lambda: annotator.case == "another-patient")
    folder = server.studies / "worst"
    registration = read_registration(folder)
    assert (registration.verdict, registration.reason) == ("corrected", "turned")
    assert registration.author == "annotator-person"
    assert left_out(registration) is None
    truth = CASES["worst"][0]
    assert np.allclose(registration.fixed_to_moving, truth, atol=1e-6)
    assert len(earlier_registrations(folder)) == 1
    # The file itself, by another program: a place of the fixed image is found where the truth says.
    transform = sitk.ReadTransform(str(folder / "registration.tfm"))
    lps = np.array(transform.TransformPoint((-30.0, 45.0, 20.0)))
    assert np.allclose(lps * [-1, -1, 1], truth[:3, :3] @ [30, -45, 20] + truth[:3, 3], atol=1e-3)
    assert not list(annotator.kept_files())


def test_a_case_that_cannot_be_registered_fails_with_its_reason(annotator, server):
    annotator.submit("failRadio", "another patient")
    annotator.program.wait(lambda: annotator.case == "doubtful")
    registration = read_registration(server.studies / "another-patient")
    assert (registration.verdict, registration.reason) == ("fail", "another patient")
    assert "another patient" in left_out(registration)


def test_work_that_is_left_is_kept_here_and_offered_again(annotator):
    annotator.correct(CASES["doubtful"][0])
    annotator.program.click(annotator.ui.correctedRadio)
    annotator.program.answers["has not been submitted"] = True
    assert annotator.next_case() == "fine"
    (kept,) = annotator.kept_files()
    assert kept.stat().st_mode & 0o077 == 0
    assert kept.parent.stat().st_mode & 0o077 == 0
    assert not any(name in kept.name for name in CASES)
    annotator.program.wait(lambda: "Unsent work on doubtful" in annotator.ui.unsentLabel.text)
    annotator.program.click(annotator.ui.takeUpButton)
    annotator.program.wait(lambda: annotator.case == "doubtful")
    assert np.allclose(annotator.work.fixed_to_moving, CASES["doubtful"][0], atol=1e-6)
    assert annotator.ui.correctedRadio.checked
    assert annotator.ui.unsentLabel.isHidden()


def test_a_case_that_another_has_changed_meanwhile_is_not_overwritten_unasked(annotator, server):
    theirs = CASES["doubtful"][1] @ rigid((0, 0, 1))
    annotator.ui.goOnBox.setChecked(False)
    submit_as(server, "second", "doubtful", theirs)
    annotator.submit("correctedRadio")
    assert "second-person" in annotator.ui.submitLabel.text
    assert np.allclose(read_registration(server.studies / "doubtful").fixed_to_moving, theirs, atol=1e-6)
    assert np.allclose(annotator.work.fixed_to_moving, CASES["doubtful"][0], atol=1e-6)
    assert not annotator.ui.submitButton.enabled
    annotator.program.click(annotator.ui.submitOverButton)
    annotator.program.wait(lambda: annotator.work.submitted)
    folder = server.studies / "doubtful"
    assert np.allclose(read_registration(folder).fixed_to_moving, CASES["doubtful"][0], atol=1e-6)
    assert [version.author for version in earlier_registrations(folder)] == ["", "second-person"]


def test_history_lists_all_versions_and_shows_each(annotator):
    who = ["annotator-person", "second-person", "automatic"]
    annotator.program.wait(lambda: annotator.column("historyTable", 0) == who)
    annotator.ui.historyTable.cellDoubleClicked.emit(2, 0)
    assert np.allclose(annotator.work.fixed_to_moving, CASES["doubtful"][1], atol=1e-6)
    annotator.press("Z")
    assert np.allclose(annotator.work.fixed_to_moving, CASES["doubtful"][0], atol=1e-6)
    assert not annotator.work.unsent


def test_a_case_of_the_worklist_is_opened_again(annotator):
    annotator.program.click(annotator.ui.refreshButton)
    annotator.program.wait(lambda: annotator.column("worklistTable", 2).count("to check") == 1)
    before = annotator.work.loaded
    annotator.ui.worklistTable.cellDoubleClicked.emit(annotator.column("worklistTable", 0).index("doubtful"), 0)
    annotator.wait_for_another(before)
    assert annotator.case == "doubtful"
    assert "corrected, by annotator-person" in annotator.ui.caseLabel.text
    assert not annotator.work.unsent


def test_theirs_can_be_taken(annotator, server):
    annotator.press("PgUp", 2)
    theirs = CASES["doubtful"][1] @ rigid((0, 0, 2))
    submit_as(server, "second", "doubtful", theirs)
    annotator.submit("correctedRadio")
    annotator.program.answers["Throw your own work"] = True
    annotator.program.click(annotator.ui.takeTheirsButton)
    assert np.allclose(annotator.work.fixed_to_moving, theirs, atol=1e-6)
    assert not annotator.work.unsent
    assert not list(annotator.kept_files())


def test_the_last_case_is_accepted_and_the_day_is_over(annotator, server):
    assert annotator.next_case() == "fine"
    before = read_registration(server.studies / "fine").fixed_to_moving
    annotator.submit("acceptRadio")
    assert read_registration(server.studies / "fine").verdict == "accept"
    assert np.array_equal(read_registration(server.studies / "fine").fixed_to_moving, before)
    annotator.program.click(annotator.ui.nextButton)
    annotator.program.wait(lambda: "All cases are checked" in annotator.ui.casesLabel.text)
    assert "0 to check, 4 done" in annotator.ui.worklistLabel.text
    leases = [row["lease"] for row in server.call("GET", "/registration/worklist", "annotator").json()["cases"]]
    assert leases == [None] * 4
