"""`perfusynth phantom` as a user runs it: folders, resuming, errors in one line, and Ctrl-C."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import nibabel as nib
import pytest

COMMAND = [sys.executable, "-m", "perfusynth.cli.main", "phantom"]
#: Modalities and grids that take a second.
SMALL = ("--modalities", "ncct,brain,adc", "--grid", "ncct=64x64x12", "--grid", "dwi=40x40x8")


def phantom(*arguments: object) -> subprocess.CompletedProcess:
    return subprocess.run([*COMMAND, *map(str, arguments)], capture_output=True, text=True, timeout=300)


def test_patients_get_a_folder_each_and_a_second_run_makes_only_what_is_missing(tmp_path: Path):
    first = phantom("--patients", 2, "--seed", 30, "--out", tmp_path, *SMALL)
    assert first.returncode == 0, first.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["phantom-30", "phantom-31"]
    for seed in (30, 31):
        folder = tmp_path / f"phantom-{seed}"
        assert {path.name for path in folder.iterdir()} == {
            "ncct.nii.gz",
            "brain.nii.gz",
            "adc.nii.gz",
            "case.json",
        }
        assert json.loads((folder / "case.json").read_text())["seed"] == seed
        assert nib.load(folder / "ncct.nii.gz").shape == nib.load(folder / "brain.nii.gz").shape == (64, 64, 12)
    kept = (tmp_path / "phantom-30" / "ncct.nii.gz").stat().st_mtime_ns
    made = (tmp_path / "phantom-31" / "case.json").read_bytes()
    for path in (tmp_path / "phantom-31").iterdir():
        path.unlink()
    again = phantom("--patients", 2, "--seed", 30, "--out", tmp_path, *SMALL)
    assert again.returncode == 0, again.stderr
    assert (tmp_path / "phantom-30" / "ncct.nii.gz").stat().st_mtime_ns == kept
    assert (tmp_path / "phantom-31" / "case.json").read_bytes() == made
    other = phantom("--seed", 30, "--out", tmp_path, *SMALL, "--misregistration", 0)
    assert other.returncode == 2
    assert "[other_case]" in other.stderr


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--scanner", "toaster"), "unknown_scanner"),
        (("--modalities", "ncct,pet"), "unknown_modality"),
        (("--grid", "ncct=toaster"), "bad_grid"),
        (("--grid", "ncct"), "bad_grid"),
        (("--protocol", "toaster"), "unknown_protocol"),
        (("--anatomy", "toaster"), "unknown_anatomy"),
        (("--lesions", "toaster"), "unknown_lesions"),
        (("--finding", "toaster"), "unknown_finding"),
        (("--misregistration", "1000"), "bad_misregistration"),
    ],
)
def test_unknown_names_end_in_one_line(tmp_path: Path, arguments: tuple[str, ...], code: str):
    ended = phantom("--out", tmp_path / "out", *arguments)
    assert ended.returncode == 2
    assert ended.stderr.strip().splitlines()[-1].startswith(f"perfusynth: [{code}]")
    assert "Traceback" not in ended.stderr
    assert not (tmp_path / "out").exists()


def test_ctrl_c_leaves_no_half_case_that_looks_whole_and_the_next_run_finishes(tmp_path: Path):
    wanted = ("--seed", "40", "--out", str(tmp_path), *SMALL)
    running = subprocess.Popen(
        [*COMMAND, *wanted],
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    folder = tmp_path / "phantom-40"
    limit = time.monotonic() + 120
    while not folder.exists() and time.monotonic() < limit:
        time.sleep(0.02)
    os.kill(running.pid, signal.SIGINT)
    _, told = running.communicate(timeout=60)
    assert running.returncode == 130, told
    assert "Traceback" not in told
    assert not (folder / "case.json").exists()
    ended = phantom(*wanted)
    assert ended.returncode == 0, ended.stderr
    assert (folder / "case.json").exists()
    assert not [path.name for path in folder.iterdir() if path.name.startswith(".")]
