"""The commands as a user runs them: real processes, exit codes, what lies on disk afterwards."""

import json
import os
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np

from perfusynth.perfusion.notices import NOT_VALID_FOR_PATIENTS, SYNTHETIC
from perfusynth.shared_files import shared_folders
from tests.evaluation.model_figures.drawn_by_hand import write_by_hand
from tests.generators.tiny import write_tiny_bundle

CASE = shared_folders("sample-data")[0] / "phantom-4000020"


def perfusynth(*arguments: object, **environment: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "perfusynth.cli.main", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=os.environ | environment, timeout=300)


def test_help_names_every_command():
    shown = perfusynth("--help")
    assert shown.returncode == 0
    for name in ("synthesize", "serve", "check", "models", "token", "demo", "phantom", "train", "evaluate"):
        assert name in shown.stdout
    assert "research use only" in shown.stdout


def test_check_accepts_the_phantom_and_refuses_with_a_code(tmp_path):
    accepted = perfusynth("check", CASE / "ncct.nii.gz", "--json")
    assert accepted.returncode == 0, accepted.stdout + accepted.stderr
    assert json.loads(accepted.stdout)["accepted"]
    image = nib.load(CASE / "ncct.nii.gz")
    shifted = nib.Nifti1Image((np.asarray(image.dataobj) + 1024).astype(np.int16), image.affine)
    nib.save(shifted, tmp_path / "shifted.nii.gz")
    refused = perfusynth("check", tmp_path / "shifted.nii.gz")
    assert refused.returncode == 2
    assert "hu_offset" in refused.stdout


def test_a_setting_that_cannot_be_used_ends_in_one_line():
    for name, value in (("MAX_QUEUE", "0"), ("DEVICES", "[cpu"), ("DEVICES", "[1]")):
        ended = perfusynth("serve", "--port", 0, **{f"PERFUSYNTH_{name}": value})
        assert ended.returncode == 2
        assert ended.stderr.startswith(f"perfusynth: [bad_setting] The setting PERFUSYNTH_{name} cannot")
        assert len(ended.stderr.splitlines()) == 1


def test_bad_input_ends_in_one_line_and_leaves_nothing(tmp_path):
    (tmp_path / "noise.nii.gz").write_bytes(os.urandom(4096))
    ended = perfusynth("synthesize", tmp_path / "noise.nii.gz", "-o", tmp_path / "out")
    assert ended.returncode == 2
    last = ended.stderr.strip().splitlines()[-1]
    assert last.startswith("perfusynth: [")
    assert "Traceback" not in ended.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["noise.nii.gz"]


def test_a_result_is_never_overwritten(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    ended = perfusynth("synthesize", CASE / "ncct.nii.gz", "-o", out)
    assert ended.returncode == 2
    assert "[exists]" in ended.stderr
    assert [path.name for path in out.iterdir()] == ["mine.txt"]


def test_synthesize_writes_the_whole_result(tmp_path):
    ended = perfusynth("synthesize", CASE / "ncct.nii.gz", "-o", tmp_path / "out", "--device", "cpu")
    assert ended.returncode == 0, ended.stderr
    for notice in (SYNTHETIC, NOT_VALID_FOR_PATIENTS):
        assert notice in ended.stdout
    names = {path.name for path in (tmp_path / "out").iterdir()}
    maps = {"tmax.nii.gz", "cbf.nii.gz", "hypoperfusion_probability.nii.gz", "brain.nii.gz"}
    assert names == maps | {"measurements.json", "report.html", "report.png"}
    assert [path.name for path in tmp_path.iterdir()] == ["out"], "no temporary folder is left"


def test_unknown_device_and_model_are_told(tmp_path):
    for option, code in (("--device", "bad_device"), ("--model", "unknown_model")):
        ended = perfusynth("synthesize", CASE / "ncct.nii.gz", "-o", tmp_path / "out", option, "nothing")
        assert ended.returncode == 2
        assert f"[{code}]" in ended.stderr
    assert not list(tmp_path.iterdir())


def test_models_lists_the_shipped_one_with_its_hash(tmp_path):
    shown = perfusynth("models", "--json", PERFUSYNTH_HOME=str(tmp_path))
    assert shown.returncode == 0
    (row,) = (row for row in json.loads(shown.stdout) if row["name"] == "ncct_perfusion_compact")
    assert row["live"]
    assert row["intact"]
    assert len(row["weights_sha256"]) == 64


def test_phantom_makes_the_shipped_case_again(tmp_path):
    listed = json.loads((CASE.parent / "phantoms.json").read_text())["cases"]
    made_by = next(case["made_by"] for case in listed if case["name"] == CASE.name).split()
    ended = perfusynth(*made_by[1:-1], tmp_path)
    assert ended.returncode == 0, ended.stderr
    again = json.loads((tmp_path / CASE.name / "case.json").read_text())
    shipped = json.loads((CASE / "case.json").read_text())
    assert again["sign"] == shipped["sign"]
    assert again["ncct_sha256"] == shipped["ncct_sha256"]
    assert shipped["ncct_sha256"] in {case["ncct_sha256"] for case in listed}
    unknown = perfusynth("phantom", "--scanner", "toaster", "--out", tmp_path)
    assert unknown.returncode == 2
    assert "unknown_scanner" in unknown.stderr


def test_evaluate_refuses_patients_that_the_model_has_seen(tmp_path):
    ended = perfusynth("evaluate", "ncct_perfusion", "--phantom-seeds", "1000000:1000002", "-o", tmp_path / "out")
    assert ended.returncode == 2
    assert "[seen_patients]" in ended.stderr
    ended = perfusynth("evaluate", "ncct_perfusion", "--phantom-seeds", "9:3", "-o", tmp_path / "out")
    assert "[bad_seeds]" in ended.stderr


def test_evaluate_writes_a_report_of_models_side_by_side(tmp_path):
    for name in ("one", "other"):
        write_tiny_bundle(tmp_path / name)
    seeds = range(3000000, 3000003)
    for seed in seeds:
        write_by_hand(tmp_path / "drawn", seed, 6)
    ended = perfusynth(
        "evaluate", tmp_path / "one", tmp_path / "other", "--phantom-seeds", f"{seeds.start}:{seeds.stop}",
        "--drawn", tmp_path / "drawn", "--no-baselines", "--processes", 2, "-o", tmp_path / "out",
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert "clinical default: " in ended.stdout
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert list(report["methods"]) == ["one", "other"]
    assert report["patients"] == len(seeds)
    assert len((tmp_path / "out" / "patients.csv").read_text().splitlines()) == 1 + 2 * len(seeds)
    assert (tmp_path / "out" / "report.html").is_file()


def test_the_demo_ends_in_maps_and_reports(tmp_path):
    ended = perfusynth("demo", "--once", "--out", tmp_path, PERFUSYNTH_HOME=str(tmp_path / "home"))
    assert ended.returncode == 0, ended.stdout + ended.stderr
    for notice in (SYNTHETIC, NOT_VALID_FOR_PATIENTS):
        assert notice in ended.stdout
    expected = ["phantom-4000020"]
    if os.environ.get("PERFUSYNTH_DATA"):
        expected.append("ge_ncct_tilt")
    for name in expected:
        files = {path.name for path in (tmp_path / name).iterdir()}
        assert files >= {"tmax.nii.gz", "cbf.nii.gz", "measurements.json", "report.html", "report.png"}
    assert "Traceback" not in (tmp_path / "server.log").read_text()


def test_the_demo_tells_when_a_ct_is_refused(tmp_path):
    bad = tmp_path / "bad.nii.gz"
    bad.write_bytes(b"\x00" * 1000)
    ended = perfusynth("demo", bad, "--once", "--out", tmp_path / "out", PERFUSYNTH_HOME=str(tmp_path / "home"))
    assert ended.returncode == 2
    assert "bad" in ended.stderr
    assert not (Path(tmp_path) / "out" / "bad").exists()
