"""`perfusynth prepare` as a user runs it: cases, reasons, or one line with what is wrong."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from perfusynth.cli.main import main
from perfusynth.shared_files import shared_folders


@pytest.fixture
def source(tmp_path) -> Path:
    """A folder with the sample patient's case, and one without maps."""
    sample = shared_folders("sample-data")[0] / "phantom-4000020"
    shutil.copytree(sample, tmp_path / "in" / "phantom-4000020")
    (tmp_path / "in" / "half").mkdir()
    shutil.copy(sample / "ncct.nii.gz", tmp_path / "in" / "half")
    return tmp_path / "in"


@pytest.fixture
def refusal(monkeypatch, capsys, tmp_path):
    """Runs the command in this process, which must refuse; returns its one line."""
    monkeypatch.setenv("PERFUSYNTH_HOME", str(tmp_path / "home"))

    def call(*arguments: object) -> str:
        monkeypatch.setattr(sys, "argv", ["perfusynth", "prepare", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 2
        last = capsys.readouterr().err.strip().splitlines()[-1]
        assert last.startswith("perfusynth: [")
        return last

    return call


def test_cases_and_reasons_are_told_and_a_second_run_goes_on(source, tmp_path):
    command = [sys.executable, "-m", "perfusynth.cli.main", "prepare", source, "-o", tmp_path / "out"]
    environment = os.environ | {"PERFUSYNTH_HOME": str(tmp_path / "home")}
    first, second = (subprocess.run(command, capture_output=True, text=True, env=environment) for _ in range(2))
    assert first.returncode == second.returncode == 0, first.stderr
    assert "cases: 1, 1 of them new" in first.stdout
    assert "left out, no_perfusion: 1" in first.stdout
    assert "cases: 1, 0 of them new" in second.stdout
    (case,) = (path for path in (tmp_path / "out").iterdir() if path.is_dir())
    assert json.loads((case / "case.json").read_text())["kind"] == "phantom"
    assert (tmp_path / "out" / "summary.html").exists()
    assert (tmp_path / "home" / "studies.salt").stat().st_mode & 0o077 == 0


def test_what_cannot_be_used_is_refused_in_one_line(source, refusal, tmp_path):
    assert "[file_missing]" in refusal(tmp_path / "nowhere", "-o", tmp_path / "out")
    assert "[bad_option]" in refusal(source, "-o", tmp_path / "out", "--layout", "zip")
    assert "[bad_option]" in refusal(source, "-o", tmp_path / "out", "--minutes", "0")
    assert "[bad_option]" in refusal(source, "-o", tmp_path / "out", "--maps", "best")
    assert "[unknown_brain_method]" in refusal(source, "-o", tmp_path / "out", "--brain-method", "magic")
    assert "[salt_in_output]" in refusal(source, "-o", tmp_path / "out", "--salt", tmp_path / "out" / "salt")
    assert "[exists]" in refusal(source, "-o", source)
    (tmp_path / "empty").mkdir()
    assert "[no_images]" in refusal(tmp_path / "empty", "-o", tmp_path / "out")
    assert not (tmp_path / "out").exists()
