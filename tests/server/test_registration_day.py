"""An annotators' day over HTTP: ten cases, three of them badly registered, and two people who work at once."""

import io
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from registration_cases import Annotator, matrix_of, motion, tfm_of, write_case
from servers import Server, make_token, running

from perfusynth.generators.bundles import read_bundle
from perfusynth.phantom.render import render_on_model_grid
from perfusynth.progress import ignore_progress
from perfusynth.shared_files import shared_folders
from perfusynth.training.data.case_heads import read_case
from perfusynth.training.data.kept_cases import keep_all
from perfusynth.volumes.case_registration import read_registration

SEED = 1000
#: How wrong the automatic registration of each case is, and how wrong it is said to be.
OFF = {0: motion((0, 0, 9), (12, 0, 0)), 4: motion((7, 0, 0), (0, 15, 0)), 7: motion((0, 5, 0), (0, 0, 20))}
BAD = {f"case{n}" for n in OFF}
SAID = (0.97, 0.02, 0.05, 0.01, 0.85, 0.03, 0.08, 0.99, 0.04, 0.06)
NAMES = [f"case{n}" for n in range(10)]
TRUTHS = {name: motion((n - 4, 3 - n, n), (n, 5 - n, -n)) for n, name in enumerate(NAMES)}
SLAB = slice(8, 24)


@dataclass
class Day:
    """What happened."""

    server: Server
    folder: Path
    ann: Annotator
    ben: Annotator
    left_out_before: dict[str, str]
    stock: dict
    given: dict[str, list[dict]] = field(default_factory=dict)
    answers: dict[str, dict] = field(default_factory=dict)


@pytest.fixture(scope="module")
def spec():
    return read_bundle(next(path for path in shared_folders("models")[0].iterdir() if path.is_dir())).spec


@pytest.fixture(scope="module")
def day(tmp_path_factory, spec):
    base = tmp_path_factory.mktemp("day")
    studies = write_studies(base / "studies")
    left_out = keep_all(studies, spec, base / "kept-before", ignore_progress)[1]
    with running(base) as server:
        for name in ("ann", "ben"):
            server.tokens[name] = make_token(server.home, "annotator", name)
        server.tokens["user"] = make_token(server.home, "user")
        ann, ben = (Annotator(server, name, base) for name in ("ann", "ben"))
        stock = ben.call("POST", "/activelearning/registration_worst", json={}).json()
        done = Day(server, base, ann, ben, left_out, stock)
        start = threading.Barrier(2)
        with ThreadPoolExecutor(2) as people:
            for finished in [people.submit(work, done, person, start) for person in (ann, ben)]:
                finished.result()
        yield done


def write_studies(studies: Path) -> Path:
    """One phantom, scanned ten times in as many poses; the CTP shows 80 mm of him with contrast medium."""
    patient = render_on_model_grid(SEED)
    head = np.rint(patient.volumes["ncct"]).astype(np.int16)
    slab = patient.affine.copy()
    slab[:3, 3] = (patient.affine @ (0, 0, SLAB.start, 1))[:3]
    blood = np.clip(patient.volumes["cbv"], 0, 20)[..., SLAB]
    for n, name in enumerate(NAMES):
        folder, truth = studies / name, TRUTHS[name]
        write_case(folder, truth, truth @ OFF.get(n, motion((0, 0, 0.1))), SAID[n], ncct=head, affine=patient.affine)
        frames = np.stack([head[..., SLAB] + np.rint(share * blood) for share in (0, 1, 4, 1)], axis=3)
        nib.save(nib.Nifti1Image(frames.astype(np.int16), slab), folder / "ctp.nii.gz")
        brain = patient.volumes["brain"].astype(np.uint8)
        nib.save(nib.Nifti1Image(brain, truth @ patient.affine), folder / "brain.nii.gz")
        for map_name in ("tmax", "cbf"):
            nib.save(nib.Nifti1Image(patient.volumes[map_name], patient.affine), folder / f"{map_name}.nii.gz")
    return studies


def work(day: Day, person: Annotator, start: threading.Barrier) -> None:
    """Case after case, until none is left for this person."""
    given = day.given[person.name] = []
    start.wait()
    while (case := person.next())["case"] is not None:
        given.append(case)
        assert person.image(case["images"]["fixed"]).ndim == 3
        assert person.image(case["images"]["moving"]).ndim == 3
        shown, truth = np.array(case["registration"]["fixed_to_moving"]), TRUTHS[case["case"]]
        fits = np.linalg.norm((shown - truth) @ (0, 0, 0, 1)) < 2
        answer = person.submit(case, shown if fits else truth, "accept" if fits else "corrected", "looked at")
        assert answer.status_code == 200, answer.text
        day.answers[case["case"]] = answer.json()


def test_the_worst_came_first_to_each_and_no_case_came_twice(day):
    everything = [case["case"] for given in day.given.values() for case in given]
    assert sorted(everything) == NAMES
    for given in day.given.values():
        said = [case["registration"]["probability_over_2mm"] for case in given]
        assert said == sorted(said, reverse=True)
    first = {given[0]["case"] for given in day.given.values()}
    assert first == {"case7", "case0"}
    assert "case4" in {case["case"] for given in day.given.values() for case in given[1:2]}


def test_a_stock_client_is_given_the_worst_with_its_score(day):
    assert (day.stock["id"], day.stock["fixed"]) == ("case7__ncct", "case7__fixed")
    assert day.stock["registration_error"] == 0.99
    assert day.stock["path"] == ""
    assert day.given["ben"][0]["case"] == "case7", "a lease taken by the one client holds for the other"


def test_in_the_end_nothing_is_left(day):
    assert day.ann.next() == {"case": None, "remaining": 0, "with_others": 0}
    assert day.ann.call("POST", "/activelearning/registration_worst", json={}).json() == {}
    list_of = day.ann.call("GET", "/registration/worklist").json()
    assert (list_of["to_check"], list_of["done"]) == (0, 10)
    assert {row["state"] for row in list_of["cases"]} == {"done"}
    assert not any(row["lease"] for row in list_of["cases"])


def test_the_history_says_who_when_and_from_what_to_what(day):
    for person, given in day.given.items():
        for case in given:
            now = day.ann.call("GET", f"/registration/{case['case']}").json()
            assert now["registration"]["author"] == person
            assert now["registration"]["verdict"] == ("corrected" if case["case"] in BAD else "accept")
            assert now["registration"] == day.answers[case["case"]]["registration"]
            assert now["registration"]["time"].endswith("+00:00")
            (before,) = now["history"]
            assert before == case["registration"] | {"number": 1}
            assert day.ann.call("GET", f"/registration/{case['case']}/history/1").json() == before
            earlier = day.ann.call("GET", f"/registration/{case['case']}/history/1/transform").content
            assert np.abs(matrix_of(earlier, day.folder) - before["fixed_to_moving"]).max() < 1e-6


def test_the_label_is_the_transform_by_which_simpleitk_lays_the_ncct_on_the_ctp(day):
    for name in BAD:
        case = day.server.studies / name
        label = day.ann.call("GET", f"/datastore/label?label={name}__ncct&tag=registration-final").content
        assert label == (case / "registration.tfm").read_bytes()
        assert label == day.ann.call("GET", f"/registration/{name}/transform").content
        path = day.folder / "label.tfm"
        path.write_bytes(label)
        baseline = sitk.Extract(sitk.ReadImage(case / "ctp.nii.gz", sitk.sitkFloat32), [192, 192, 16, 0], [0, 0, 0, 0])
        moved = sitk.Resample(
            sitk.ReadImage(case / "ncct.nii.gz", sitk.sitkFloat32),
            baseline,
            sitk.ReadTransform(str(path)),
            sitk.sitkLinear,
            -1000.0,
        )
        difference = np.abs(sitk.GetArrayFromImage(moved - baseline))[1:-1, 5:-5, 5:-5]
        assert np.percentile(difference, 99) < 1, "the NCCT is the CTP's first frame, in another pose"


def test_the_info_of_the_label_says_what_was_said(day):
    info = day.ann.call("GET", "/datastore/label/info?label=case4__ncct&tag=registration-final").json()
    assert (info["verdict"], info["reason"], info["user"]) == ("corrected", "looked at", info["author"])
    assert info["from"] == next(c["revision"] for given in day.given.values() for c in given if c["case"] == "case4")


def test_training_takes_the_corrected_ones_as_they_are_now(day, spec):
    assert set(day.left_out_before) & set(NAMES) == BAD
    taken, left_out = keep_all(day.server.studies, spec, day.folder / "kept-after", ignore_progress)
    assert (set(taken) & set(NAMES), set(left_out) & set(NAMES)) == (set(NAMES), set())
    heads = [read_case(day.server.studies / name, spec) for name in ("case1", *sorted(BAD))]
    tmax = [head.volumes["tmax"] for head in heads]
    assert tmax[0].max() > 6
    # The model grid lies on the NCCT's axes: one head, one picture, whatever the pose.
    assert [np.abs(one - tmax[0]).mean() for one in tmax[1:]] == pytest.approx([0, 0, 0], abs=0.02)


# --- what is refused, on cases that are done


def test_who_comes_late_is_refused_and_told_what_to_do(day):
    before = (day.server.studies / "case0" / "case.json").read_bytes()
    stale = next(case for given in day.given.values() for case in given if case["case"] == "case0")
    answer = day.ben.submit(stale, TRUTHS["case0"] @ motion((0, 0, 0), (1, 0, 0)), "corrected")
    assert (answer.status_code, answer.json()["code"]) == (409, "registration_changed")
    assert "Load the case again" in answer.json()["hint"]
    assert (day.server.studies / "case0" / "case.json").read_bytes() == before


def test_a_chosen_case_is_looked_at_again_by_one_at_a_time(day):
    case = day.ann.call("POST", "/registration/case1/lease").json()
    assert case["lease"]["mine"]
    assert 1790 < case["lease"]["seconds_left"] <= 1800
    answer = day.ben.call("POST", "/registration/case1/lease")
    assert (answer.status_code, answer.json()["code"]) == (409, "leased")
    assert day.ben.call("GET", "/registration/case1").json()["lease"]["user"] == "ann"
    again = day.ann.submit(case, TRUTHS["case1"] @ motion((0, 0, 0), (0.5, 0, 0)), "fail", reason="moved in the scan")
    assert again.status_code == 200
    assert len(day.ann.call("GET", "/registration/case1").json()["history"]) == 2
    assert read_registration(day.server.studies / "case1").verdict == "fail"
    case = day.ben.call("POST", "/registration/case1/lease").json()
    assert case["lease"]["mine"], "released by the submission"
    assert day.ben.call("DELETE", "/registration/case1/lease").status_code == 200
    assert day.ann.call("POST", "/registration/case1/lease").status_code == 200


@pytest.mark.parametrize("content", [b"x", b"#Insight Transform File V1.0\n", b"\x1f\x8bnothing", b"x" * 100_000])
def test_what_is_no_transform_is_refused(day, content):
    path = day.folder / "bad.tfm"
    path.write_bytes(content)
    answer = day.ann.send("case2__ncct", path, {"verdict": "corrected", "from": "x"})
    assert (answer.status_code, answer.json()["code"]) == (422, "bad_transform")
    assert str(day.folder) not in answer.text


@pytest.mark.parametrize(
    ("image", "params", "status"),
    [
        ("case2__fixed", {"verdict": "accept", "from": "x"}, 404),
        ("case2__ncct", {"from": "x"}, 422),
        ("case2__ncct", {}, 422),
        ("nobody__ncct", {"verdict": "accept", "from": "x"}, 404),
    ],
)
def test_what_is_no_submission_is_refused(day, image, params, status):
    assert day.ann.send(image, tfm_of(TRUTHS["case2"], day.folder), params).status_code == status


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/registration/nobody", 404),
        ("GET", "/registration/..%2Fstudies", 404),
        ("GET", "/registration/case2/history/2", 404),
        ("GET", "/registration/case2/history/0/transform", 404),
        ("GET", "/registration/case2/history/-1", 404),
        ("GET", "/registration/case2/history/x", 422),
        ("DELETE", "/registration/nobody/lease", 404),
        ("POST", "/registration/next", 422),
    ],
)
def test_what_is_not_there_is_told(day, method, path, status):
    arguments = {"json": {"holding": "case1"}} if method == "POST" else {}
    answer = day.ann.call(method, path, **arguments)
    assert answer.status_code == status
    assert set(answer.json()) == {"code", "error", "expected", "got", "hint"}


def test_a_plain_user_takes_no_cases(day):
    for method, path in (
        ("POST", "/registration/next"),
        ("GET", "/registration/worklist"),
        ("GET", "/registration/case1"),
    ):
        assert day.server.call(method, path, "user").status_code == 403


def test_labels_under_other_tags_are_kept_as_they_come(day):
    path = "/datastore/label?image=case2__ncct&tag=registration"
    files = {"label": ("x.tfm", io.BytesIO(b"anything"))}
    assert day.ann.call("PUT", path, files=files, data={"params": json.dumps({"any": 1})}).status_code == 200
    assert day.ann.call("GET", "/datastore/label?label=case2__ncct&tag=registration").content == b"anything"
    assert read_registration(day.server.studies / "case2").verdict == "accept"


def test_the_server_tells_that_it_has_a_worklist(day):
    info = day.ann.call("GET", "/info/").json()
    assert info["perfusynth"]["api"] >= 3
    assert "registration_worst" in info["strategies"]
    assert "registration_error" in info["scoring"]
    assert "Traceback" not in (day.folder / "server.log").read_text()
