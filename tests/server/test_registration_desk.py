"""The desk of registrations by itself: order, leases, what is refused, and what is kept of each submission."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import nibabel as nib
import numpy as np
import pytest
from registration_cases import FIXED, ball_head, matrix_of, motion, tfm_of, write_case

from perfusynth.errors import InputError
from perfusynth.server.case_datastore import CaseDatastore
from perfusynth.server.problems import Problem
from perfusynth.server.registration.desk import RegistrationDesk
from perfusynth.server.registration.leases import Leases
from perfusynth.volumes.case_registration import earlier_registrations, read_registration

TRUTH = motion((4, -3, 6), (5, -8, 3))
OFF = motion((0, 0, 2), (6, 0, 0))


@pytest.fixture
def studies(tmp_path):
    """Four automatic cases, a phantom, an NCCT alone, and one without a registration."""
    folder = tmp_path / "studies"
    for name, probability in (("a", 0.1), ("b", 0.9), ("c", None), ("d", 0.4)):
        write_case(folder / name, TRUTH, TRUTH @ OFF, probability)
    known = write_case(folder / "known", TRUTH, TRUTH, 0.0)
    (known / "case.json").write_text(json.dumps({"kind": "phantom", "fixed_to_moving": TRUTH.tolist()}))
    broken = write_case(folder / "broken", TRUTH, TRUTH, 0.0)
    (broken / "case.json").write_text("{}")
    (folder / "alone").mkdir()
    nib.save(nib.Nifti1Image(ball_head(), np.eye(4)), folder / "alone" / "ncct.nii.gz")
    return folder


def desk_of(studies, lease_s: float = 1800) -> RegistrationDesk:
    return RegistrationDesk(CaseDatastore(studies, 0), lease_s)


@pytest.fixture
def desk(studies) -> RegistrationDesk:
    return desk_of(studies)


def name_of(found) -> str | None:
    entry, _ = found
    return entry.case if entry else None


def submit(desk, tmp_path, case: str, matrix, verdict="corrected", user="ann", **params):
    params = {"verdict": verdict, "from": desk.describe(desk.find(case), user)["revision"], **params}
    return desk.submit(f"{case}__ncct", tfm_of(matrix, tmp_path), params, user)


def refusal(call, *arguments, **named) -> str:
    with pytest.raises((InputError, Problem)) as refused:
        call(*arguments, **named)
    return refused.value.code if isinstance(refused.value, InputError) else refused.value.fields["code"]


def test_the_worst_comes_first_and_what_nobody_has_estimated_before_it(desk):
    order = []
    while (found := name_of(desk.next("ann", holding=order))) is not None:
        order.append(found)
    assert order == ["c", "b", "d", "a"]


def test_the_list_says_what_is_to_be_checked_known_or_unusable(desk):
    rows = {row["case"]: row for row in desk.worklist("ann")["cases"]}
    states = {name: row["state"] for name, row in rows.items()}
    assert states == dict.fromkeys("cbda", "to_check") | {"broken": "unusable", "known": "known"}
    assert "fixed_to_moving" in rows["broken"]["problem"]
    assert list(rows) == ["c", "b", "d", "a", "broken", "known"]


def test_a_case_that_one_has_is_not_given_to_another_until_it_comes_back(desk):
    assert name_of(desk.next("ann")) == "c"
    assert name_of(desk.next("ben")) == "b"
    assert name_of(desk.next("ann")) == "c", "one's own case again: the client had crashed"
    assert name_of(desk.next("ann", holding=["c"])) == "d"
    assert refusal(desk.take, "b", "ann") == "leased"
    desk.release("b", "ann")
    assert refusal(desk.take, "b", "ann") == "leased", "one cannot give back another's"
    desk.release("b", "ben")
    assert desk.take("b", "ann").case == "b"
    assert name_of(desk.next("ben", skipped=["c"])) == "a"
    assert desk.next("cat")[1] == {"remaining": 4, "with_others": 4}


def test_a_case_that_is_passed_over_goes_to_others(desk):
    assert name_of(desk.next("ann")) == "c"
    assert name_of(desk.next("ann", skipped=["c"])) == "b"
    assert name_of(desk.next("ben")) == "c"


def test_a_lease_runs_out_unless_it_is_renewed(tmp_path):
    now = [1000.0]
    leases = Leases(tmp_path / "leases.json", 60, clock=lambda: now[0])
    assert leases.take("a", "ann")
    now[0] += 50
    assert leases.take("a", "ann")
    now[0] += 50
    assert not leases.take("a", "ben"), "renewed 50 s ago"
    assert leases.described("ben") == {"a": {"user": "ann", "mine": False, "seconds_left": 10}}
    now[0] += 11
    assert leases.take("a", "ben")


def test_leases_outlive_the_server_and_are_nobody_elses_business(desk, studies):
    assert name_of(desk.next("ann")) == "c"
    assert name_of(desk_of(studies).next("ben")) == "b"
    path = studies / ".perfusynth" / "registration_leases.json"
    assert path.stat().st_mode & 0o077 == 0
    path.write_text("{broken")
    assert name_of(desk_of(studies).next("ben")) == "c", "a damaged file opens the cases, it does not shut the server"


def test_two_servers_and_many_annotators_never_hand_out_a_case_twice(studies):
    desks = [desk_of(studies), desk_of(studies)]
    with ThreadPoolExecutor(8) as people:
        found = list(people.map(lambda n: name_of(desks[n % 2].next(f"person-{n}")), range(8)))
    assert sorted(name for name in found if name) == ["a", "b", "c", "d"]


def test_a_correction_becomes_the_registration_and_the_old_one_stays(desk, studies, tmp_path):
    before = read_registration(studies / "b")
    desk.next("ann", skipped=["c"])
    answer = submit(desk, tmp_path, "b", TRUTH, reason="  nodded ", user="ann")
    now, (earlier,) = read_registration(studies / "b"), earlier_registrations(studies / "b")
    assert np.abs(now.fixed_to_moving - TRUTH).max() < 1e-9
    assert (now.method, now.verdict, now.author, now.reason) == ("annotator", "corrected", "ann", "nodded")
    assert now.probability_over_2mm is None, "the estimate was of another transform"
    middle = FIXED @ (24.5, 27.5, 7.5, 1)
    moved = np.linalg.norm(before.fixed_to_moving @ middle - TRUTH @ middle)
    assert now.figures["correction_mm"] == pytest.approx(moved, abs=1e-6)
    assert now.figures["correction_deg"] == pytest.approx(2.0, abs=1e-6)
    assert (earlier.method, earlier.probability_over_2mm) == ("automatic", 0.9)
    assert np.array_equal(earlier.fixed_to_moving, before.fixed_to_moving)
    assert json.loads((studies / "b" / "case.json").read_text())["other"] == [1, 2], "what else is known stays"
    assert np.abs(matrix_of((studies / "b" / "registration.tfm").read_bytes(), tmp_path) - TRUTH).max() < 1e-6
    assert np.abs(matrix_of(desk.transform("b", 1), tmp_path) - before.fixed_to_moving).max() < 1e-6
    assert answer["registration"] | {"figures": 0} == desk.describe(desk.find("b"), "ann")["registration"] | {
        "figures": 0
    }
    label = desk._datastore.get_label_info("b__ncct", "registration-final")
    assert (label["user"], label["verdict"], label["author"]) == ("ann", "corrected", "ann")
    assert "b" not in desk._leases.present()
    assert name_of(desk.next("ben", skipped=["c"])) == "d"


def test_who_began_with_another_registration_is_told_and_nothing_is_stored(desk, studies, tmp_path):
    stale = desk.describe(desk.find("b"), "ben")
    submit(desk, tmp_path, "b", TRUTH, user="ann")
    stored = (studies / "b" / "case.json").read_bytes()
    for begun in (stale["revision"], stale["registration"]["fixed_to_moving"], "", [[1.0]]):
        params = {"verdict": "corrected", "from": begun}
        assert refusal(desk.submit, "b__ncct", tfm_of(OFF, tmp_path), params, "ben") == "registration_changed"
    assert (studies / "b" / "case.json").read_bytes() == stored
    assert len(earlier_registrations(studies / "b")) == 1
    matrix = desk.describe(desk.find("b"), "ben")["registration"]["fixed_to_moving"]
    desk.submit("b__ncct", tfm_of(TRUTH @ OFF, tmp_path), {"verdict": "corrected", "from": matrix}, "ben")
    assert [one.author for one in earlier_registrations(studies / "b")] == ["", "ann"]


def test_an_earlier_version_keeps_its_number_when_another_is_removed(desk, studies, tmp_path):
    submit(desk, tmp_path, "b", TRUTH, user="ann")
    submit(desk, tmp_path, "b", OFF, user="ben")
    (studies / "b" / "registration_history" / "0001.json").unlink()
    assert [one["number"] for one in desk.describe(desk.find("b"), "ann")["history"]] == [2]
    assert desk.version("b", 2).author == "ann"
    assert refusal(desk.version, "b", 1) == "unknown_version"


def test_the_same_sent_again_is_stored_once(desk, studies, tmp_path):
    begun = desk.describe(desk.find("b"), "ann")["revision"]
    params = {"verdict": "corrected", "from": begun}
    first = desk.submit("b__ncct", tfm_of(TRUTH, tmp_path), params, "ann")
    assert desk.submit("b__ncct", tfm_of(TRUTH, tmp_path), params, "ann") == first
    assert len(earlier_registrations(studies / "b")) == 1
    assert desk._datastore.earlier_labels("b__ncct", "registration-final") == 0
    assert refusal(desk.submit, "b__ncct", tfm_of(TRUTH, tmp_path), params, "ben") == "registration_changed"


def test_many_who_submit_at_once_lose_nothing(studies, tmp_path):
    desks = [desk_of(studies), desk_of(studies)]
    begun = desks[0].describe(desks[0].find("b"), "")["revision"]
    start = threading.Barrier(8)

    def hand_in(n: int) -> str:
        tfm = tfm_of(TRUTH @ motion((0, 0, 0), (n, 0, 0)), tmp_path)
        start.wait()
        try:
            desks[n % 2].submit("b__ncct", tfm, {"verdict": "corrected", "from": begun}, f"person-{n}")
        except Problem as problem:
            return problem.fields["code"]
        return "stored"

    with ThreadPoolExecutor(8) as people:
        done = list(people.map(hand_in, range(8)))
    assert sorted(done) == ["registration_changed"] * 7 + ["stored"]
    first = done.index("stored")
    now = read_registration(studies / "b")
    assert now.author == f"person-{first}"
    assert np.abs(now.fixed_to_moving - TRUTH @ motion((0, 0, 0), (first, 0, 0))).max() < 1e-9
    assert len(earlier_registrations(studies / "b")) == 1


def test_an_accepted_registration_is_exactly_the_one_that_was_there(desk, studies, tmp_path):
    before = read_registration(studies / "b").fixed_to_moving
    assert refusal(submit, desk, tmp_path, "b", before @ motion((0, 0, 0), (0.2, 0, 0)), "accept") == "not_unchanged"
    submit(desk, tmp_path, "b", before @ motion((0, 0, 0), (0.001, 0, 0)), "accept")
    now = read_registration(studies / "b")
    assert np.array_equal(now.fixed_to_moving, before), "not what came back through a viewer's digits"
    assert (now.verdict, now.probability_over_2mm, now.figures) == ("accept", 0.9, {"nmi": 1.2})


def test_a_failed_registration_needs_a_reason_but_no_transform_that_fits(desk, studies, tmp_path):
    far = motion((0, 0, 0), (900, 0, 0))
    assert refusal(submit, desk, tmp_path, "b", far, "corrected") == "implausible_transform"
    assert refusal(submit, desk, tmp_path, "b", far, "fail", reason=" ") == "bad_verdict"
    submit(desk, tmp_path, "b", far, "fail", reason="two patients")
    assert read_registration(studies / "b").verdict == "fail"


@pytest.mark.parametrize(
    "params",
    [
        {"verdict": "good"},
        {"verdict": None},
        {"from": None},
        {"from": [[float("nan")] * 4] * 4},
        {"reason": "x" * 1001},
        {"model": "x"},
    ],
)
def test_what_is_no_verdict_is_refused(desk, tmp_path, params):
    assert refusal(submit, desk, tmp_path, "b", TRUTH, **({"verdict": "corrected"} | params)) == "bad_verdict"


@pytest.mark.parametrize("matrix", [np.diag([1.1, 1, 1, 1]), np.diag([-1.0, 1, 1, 1]), np.diag([1, 1, np.nan, 1])])
def test_what_is_not_rigid_is_refused(desk, studies, tmp_path, matrix):
    assert refusal(submit, desk, tmp_path, "b", matrix) == "bad_transform"
    assert read_registration(studies / "b").verdict is None


@pytest.mark.parametrize("image", ["alone__ncct", "b__ctp", "b__fixed", "../b__ncct", "b", "__ncct", "nobody__ncct"])
def test_only_the_nccts_of_cases_take_a_registration(desk, tmp_path, image):
    params = {"verdict": "corrected", "from": "x"}
    assert refusal(desk.submit, image, tfm_of(TRUTH, tmp_path), params, "ann") in ("unknown_case", "no_fixed_image")


def test_scores_are_written_into_the_images_info_and_follow_the_cases(desk, tmp_path):
    scores = desk.score()
    assert scores["b__ncct"] == 0.9
    assert scores["known__ncct"] is None
    assert desk._datastore.get_image_info("b__ncct")["registration_error"] == 0.9
    index = tmp_path / "studies" / ".perfusynth" / "datastore_v2.json"
    written = index.stat().st_mtime_ns
    desk.score()
    assert index.stat().st_mtime_ns == written, "nothing changed, nothing is written"
    submit(desk, tmp_path, "b", TRUTH)
    assert desk._datastore.get_image_info("b__ncct")["registration_error"] is None


def test_a_case_registered_anew_is_offered_again(desk, studies, tmp_path):
    submit(desk, tmp_path, "b", TRUTH)
    assert name_of(desk.next("ben", skipped=["c"])) == "d"
    write_again = json.loads((studies / "b" / "case.json").read_text())
    write_again["registration"] |= {"method": "automatic", "verdict": None, "probability_over_2mm": 0.8}
    time.sleep(0.01)
    (studies / "b" / "case.json").write_text(json.dumps(write_again))
    assert name_of(desk.next("cat", skipped=["c"])) == "b"


def test_a_study_that_cannot_be_read_is_passed_over_until_it_is_mended(desk, studies):
    ctp = studies / "c" / "ctp.nii.gz"
    good = ctp.read_bytes()
    ctp.write_bytes(good[: len(good) // 2])
    assert name_of(desk.next("ann")) == "b"
    (row,) = [row for row in desk.worklist("ann")["cases"] if row["case"] == "c"]
    assert (row["state"], row["lease"]) == ("unusable", None)
    assert "cannot be read" in row["problem"]
    ctp.write_bytes(good)
    assert name_of(desk.next("ben")) == "c"


def test_nothing_outside_the_studies_folder_is_read(desk, studies, tmp_path):
    outside = tmp_path / "secret.nii.gz"
    nib.save(nib.Nifti1Image(ball_head(), np.eye(4)), outside)
    (studies / "b" / "ctp.nii.gz").unlink()
    (studies / "b" / "ctp.nii.gz").symlink_to(outside)
    assert refusal(desk.take, "b", "ann") == "no_fixed_image"


def test_the_mean_of_a_case_that_was_taken_away_goes_with_it(desk, studies):
    desk.describe(desk.find("b"), "ann")
    (studies / "b").rename(studies / ".gone")
    desk._datastore.refresh()
    assert not list((studies / ".perfusynth" / "fixed_images").glob("b*"))
    assert not desk._datastore.get_image_uri("b__fixed")
