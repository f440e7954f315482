"""`perfusynth models` as an admin uses it: install, figures of both, promote, history, rollback."""

import json
import sys

import pytest

from perfusynth.cli.main import main
from perfusynth.generators.candidates import keep_candidate
from perfusynth.generators.registry import choose, live_bundle
from perfusynth.promotion.report_file import SHOWN
from tests.generators.tiny import write_tiny_bundle
from tests.promotion.variants import variant

TASK = "ncct_perfusion"


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An installation whose live model is small, and a candidate."""
    folder = tmp_path / "home"
    monkeypatch.setenv("PERFUSYNTH_HOME", str(folder))
    write_tiny_bundle(folder / "models" / "first")
    choose(TASK, "first")
    return folder


@pytest.fixture
def candidate(home):
    return keep_candidate(lambda folder: variant(home / "models" / "first", folder, 2), "first")


@pytest.fixture
def perfusynth(monkeypatch, capsys):
    """Runs a command; exit status, what it printed, what it complained of."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["perfusynth", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return ended.value.code or 0, printed.out, printed.err

    return run


def report_of(candidate, live, path, dice: float = 0.5):
    """A report in the form that an evaluation writes, with few of its figures."""
    of_model = {"overlap": {"dice_6": {"value": dice, "n": 2}}, "skill": None}
    content = {
        "models": {b.name: {"version": b.version, "weights_sha256": b.weights_sha256()} for b in (live, candidate)},
        "patients": 2,
        "patients_are": "digital patients 3000000 to 3000001",
        "clinical_default": {"model": candidate.name, "why": "Largest ICC."},
        "methods": {live.name: of_model, candidate.name: of_model},
    }
    path.write_text(json.dumps(content))
    return path


def test_a_promotion_from_evaluation_to_rollback(home, candidate, perfusynth, monkeypatch):
    seeds = "3000000:3000002"
    code, out, err = perfusynth("models", "promote", candidate.name, "--phantom-seeds", seeds, "--yes")
    assert code == 0, err
    assert live_bundle(TASK).name == candidate.name
    assert "error of Tmax, brain [s]" in out
    assert "3000000" in out
    report = json.loads((home / "evaluations" / candidate.name / "report.json").read_text())
    for place in SHOWN.values():
        found = report["methods"]["first"]
        for key in place:
            assert key in found, place
            found = found[key]
        assert "value" in found, place

    code, out, _ = perfusynth("models", "history", "--json")
    (row,) = json.loads(out)
    assert (row["event"], row["from"]["name"], row["to"]["name"]) == ("done", "first", candidate.name)
    assert row["figures"]["live"]["error of Tmax, brain [s]"] > 0
    code, out, _ = perfusynth("models", "history")
    assert f"to   {candidate.name}" in out

    monkeypatch.setattr("typer.confirm", lambda question: False)
    assert perfusynth("models", "rollback", TASK)[0] == 1
    assert live_bundle(TASK).name == candidate.name
    assert perfusynth("models", "rollback", TASK, "--yes")[0] == 0
    assert live_bundle(TASK).name == "first"


def test_nothing_is_promoted_without_figures_or_a_yes(home, candidate, perfusynth, tmp_path, monkeypatch):
    code, _, err = perfusynth("models", "promote", candidate.name, "--yes")
    assert (code, "[no_figures]" in err) == (2, True)
    report = report_of(candidate, live_bundle(TASK), tmp_path / "report.json")
    code, _, err = perfusynth("models", "promote", candidate.name, "--report", report, "--data", tmp_path, "--yes")
    assert (code, "[no_figures]" in err) == (2, True)
    asked = []
    monkeypatch.setattr("typer.confirm", lambda question: asked.append(question))
    code, out, _ = perfusynth("models", "promote", candidate.name, "--report", report)
    assert (code, live_bundle(TASK).name) == (1, "first")
    assert f"Put {candidate.name} live for {TASK} in place of first?" in asked
    assert "Dice Tmax > 6 s" in out
    assert "Largest ICC." in out
    code, _, err = perfusynth("models", "promote", candidate.name, "--task", "ctp_dwi", "--report", report, "--yes")
    assert (code, live_bundle(TASK).name) == (2, "first")
    monkeypatch.setattr("typer.confirm", lambda question: True)
    assert perfusynth("models", "promote", candidate.name, "--report", report)[0] == 0
    assert live_bundle(TASK).name == candidate.name


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"models": {"a": 1}}', '{"models": []}', "[" * 20_000])
def test_a_report_that_is_none_is_refused(home, candidate, perfusynth, tmp_path, content):
    (tmp_path / "report.json").write_text(content)
    code, _, err = perfusynth("models", "promote", candidate.name, "--report", tmp_path / "report.json", "--yes")
    assert (code, "[bad_report]" in err, "Traceback" in err) == (2, True, False)


def test_a_report_of_other_weights_is_refused(home, candidate, perfusynth, tmp_path):
    other = variant(home / "models" / "first", tmp_path / candidate.name, 7)
    report = report_of(other, live_bundle(TASK), tmp_path / "report.json")
    code, _, err = perfusynth("models", "promote", candidate.name, "--report", report, "--yes")
    assert (code, "[other_report]" in err) == (2, True)
    assert live_bundle(TASK).name == "first"


def test_candidates_are_listed_as_such_and_installed_ones_are_not_live(home, candidate, perfusynth, tmp_path):
    bundle = variant(home / "models" / "first", tmp_path / "bought", 9).path
    assert perfusynth("models", "install", bundle)[0] == 0
    code, _, err = perfusynth("models", "install", bundle)
    assert (code, "[exists]" in err) == (2, True)
    _, out, _ = perfusynth("models", "--json")
    rows = {row["name"]: (row["live"], row["candidate"]) for row in json.loads(out)}
    assert rows["first"] == (True, False)
    assert rows["bought"] == (False, False)
    assert rows[candidate.name] == (False, True)
    _, out, _ = perfusynth("models")
    assert f"{candidate.name} {candidate.version}  (candidate)" in out
