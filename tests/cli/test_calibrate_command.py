"""`perfusynth calibrate` on a tiny model: tables that fit the bundle, figures, refusals, a run that is continued."""

import json
import shutil

import pytest
from typer.testing import CliRunner

from perfusynth.cli.main import app
from perfusynth.errors import InputError
from perfusynth.evaluation.intervals import rows
from perfusynth.generators.bundles import read_bundle
from perfusynth.generators.domain import read_domain
from perfusynth.perfusion.volume_intervals import read_intervals
from tests.generators.tiny import write_tiny_bundle

SEEDS = ("--phantom-seeds", "2600000:2600003", "--fit-seeds", "2400000:2400002", "--scanned", "1")
TESTED = ("--test-seeds", "2500000:2500001", "--external-seeds", "2500001:2500002")


def calibrate(*arguments: object):
    return CliRunner().invoke(app, ["calibrate", *map(str, arguments)], catch_exceptions=True)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    place = tmp_path_factory.mktemp("calibrate")
    write_tiny_bundle(place / "tiny")
    ended = calibrate(
        place / "tiny", *SEEDS, *TESTED, "--fewer", "-o", place / "made", "--rows", place / "rows",
        "--drawn", place / "drawn", "--figures", place / "figures",
    )  # fmt: skip
    assert ended.exit_code == 0, ended.output
    return place


def test_the_copy_has_both_tables_and_the_model_has_none(place):
    bundle = read_bundle(place / "made")
    bundle.verify()
    table, reference = read_intervals(place / "made"), read_domain(place / "made")
    assert table.weights_sha256 == reference.weights_sha256 == bundle.spec.weights_sha256
    assert (table.patients, table.seeds, table.groups.keys()) == (3, "2600000:2600003", {"4", "6", "8", "10", "core"})
    assert (reference.patients, reference.held_out, reference.fit_seeds) == (3, 4, "2400000:2400002")
    assert read_intervals(place / "tiny") is None


def test_figures_tell_of_both_scanners(place):
    figures = json.loads((place / "figures" / "intervals.json").read_text())
    assert {name: block["6"]["all"]["n"] for name, block in figures["coverage"].items()} == {
        "test": 1, "external": 1, "test_scanned": 1,
    }  # fmt: skip
    assert list(figures["coverage"]["external"]["6"]["scanner"]) == ["external_2_5mm"]
    assert json.loads((place / "figures" / "domain.json").read_text())["sets"].keys() == {
        "calibrate", "fit", "test", "external", "calibrate_scanned", "fit_scanned", "test_scanned",
    }  # fmt: skip
    for name in ("intervals-test.png", "intervals-external.png", "domain.png"):
        assert (place / "figures" / name).read_bytes().startswith(b"\x89PNG")


def test_a_run_that_was_stopped_is_continued_and_may_write_into_the_candidate_itself(place, tmp_path, monkeypatch):
    candidate = shutil.copytree(place / "tiny", tmp_path / "candidate")
    made = []
    plain = rows.PatientRow.__call__
    monkeypatch.setattr(rows.PatientRow, "__call__", lambda self, seed: made.append(seed) or plain(self, seed))
    kept = shutil.copytree(place / "rows", tmp_path / "rows")
    path = next(kept.glob("calibrate-*.jsonl"))
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:2]) + lines[2][:20])
    ended = calibrate(candidate, *SEEDS, "--fewer", "--rows", kept, "--drawn", place / "drawn")
    assert ended.exit_code == 0, ended.output
    assert made == [json.loads(lines[2])["seed"]]
    assert read_intervals(candidate) == read_intervals(place / "made")


def test_too_few_patients_are_refused_and_leave_no_bundle(place, tmp_path):
    ended = calibrate(
        place / "tiny", *SEEDS, "-o", tmp_path / "out", "--rows", place / "rows", "--drawn", place / "drawn"
    )
    assert isinstance(ended.exception, InputError)
    assert ended.exception.code == "few_patients"
    assert not (tmp_path / "out").exists()


def test_patients_serve_one_end_alone(place, tmp_path):
    shared = calibrate(place / "tiny", *SEEDS, "--test-seeds", "2600002:2600009", "--rows", tmp_path)
    assert shared.exception.code == "shared_patients"
    bundle = shutil.copytree(place / "tiny", tmp_path / "trained")
    path = bundle / "configs" / "metadata.json"
    metadata = json.loads(path.read_text())
    metadata["perfusynth"]["training"] = {"settings": {"tune_seeds": [2600000, 2600100]}}
    path.write_text(json.dumps(metadata))
    seen = calibrate(bundle, *SEEDS, "--rows", tmp_path)
    assert seen.exception.code == "seen_patients"
