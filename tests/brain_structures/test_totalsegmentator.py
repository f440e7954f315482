"""TotalSegmentator as a program: what it is told, and what becomes of its troubles (a stand-in has them all)."""

import subprocess
import tempfile
import time
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from perfusynth.brain_structures.totalsegmentator import TotalSegmentatorBrain
from perfusynth.errors import Cancelled, InputError
from perfusynth.volumes.volume import Volume
from tests.brain_structures.conftest import all_gone, write_models
from tests.brain_structures.heads import grid, head_with_ball


@pytest.fixture(scope="module")
def scan() -> tuple[Volume, np.ndarray]:
    return head_with_ball(*grid(0.1, -0.05, 0.2))


@pytest.fixture(autouse=True)
def temp(tmp_path, monkeypatch) -> Path:
    """Where runs have their folders."""
    folder = tmp_path / "temp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def refusal(installation, scan: Volume, **settings) -> InputError:
    with pytest.raises(InputError) as refused:
        TotalSegmentatorBrain(installation.settings(**settings)).extract(scan)
    return refused.value


def test_the_mask_is_the_programs_and_says_what_made_it(installation, scan, temp):
    volume, ball = scan
    found = TotalSegmentatorBrain(installation.settings()).extract(volume)
    assert np.array_equal(found.mask, ball)
    assert found.method.startswith("TotalSegmentator 9.9, task total, class brain, 3mm, weights ")
    assert found.details["weights_sha256"].startswith(found.method.rsplit(" ", 1)[1])
    assert (found.details["nnunetv2"], found.details["device"]) == ("8", "cpu")
    assert list(temp.iterdir()) == [], "nothing of the patient stays"


def test_the_program_is_told_the_voxels_and_nothing_else(installation, scan, temp, monkeypatch):
    monkeypatch.setenv("PERFUSYNTH_HOME", "/secret")
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    monkeypatch.setenv("nnUNet_results", "/elsewhere")
    monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
    (installation.models / "Dataset297_of_somebody_else").mkdir()
    header = nib.Nifti1Image(np.zeros(scan[0].shape, np.int16), scan[0].affine).header
    header["descrip"] = b"DOE JOHN 1950"
    TotalSegmentatorBrain(installation.settings()).extract(Volume(scan[0].array, scan[0].affine, header))
    seen = installation.seen
    given, environment = seen["arguments"], seen["environment"]
    assert (given["task"], given["roi_subset"], given["fast"], given["device"]) == ("total", "brain", True, "gpu")
    assert seen["configuration"]["send_usage_stats"] is False
    assert [path.split("_")[0] for path in seen["models"]] == ["Dataset297", "Dataset298"]
    assert seen["input"][0] > 0
    assert "DOE" not in str(seen["input"])
    assert not any(word in str(environment) for word in ("/secret", "/elsewhere", "proxy.example"))
    for folder in ("HOME", "TMPDIR", "TOTALSEG_HOME_DIR", "TOTALSEG_WEIGHTS_PATH"):
        assert environment[folder].startswith(str(temp)), folder


def test_what_is_set_is_what_is_run(installation, scan):
    write_models(installation.models, "1.5mm")
    settings = installation.settings(totalsegmentator_resolution="1.5mm", totalsegmentator_device="gpu:1")
    found = TotalSegmentatorBrain(settings).extract(scan[0])
    given = installation.seen["arguments"]
    assert (given["fast"], given["device"]) == (False, "gpu:1")
    assert found.details["resolution"] == "1.5mm"
    assert len(installation.seen["models"]) == 6


@pytest.mark.parametrize(
    ("order", "code", "got"),
    [
        ("exit 1", "totalsegmentator_failed", "exit code 1: RuntimeError: DOE_JOHN in … and … is no good"),
        ("signal 9", "totalsegmentator_failed", "signal 9 (out of memory?)"),
        ("no mask", "totalsegmentator_failed", "an end without a mask"),
        ("no report", "totalsegmentator_failed", "an end without its report"),
        ("damaged", "totalsegmentator_failed", "a mask that cannot be read (truncated_file)"),
        ("shifted", "totalsegmentator_failed", "a mask on another grid"),
        ("cropped", "totalsegmentator_failed", "a mask on another grid"),
        ("empty", "no_brain", "0 mL by TotalSegmentator"),
        ("speck", "no_brain", "0 mL by TotalSegmentator"),
    ],
)
def test_each_trouble_is_told_and_nothing_falls_back(installation, scan, temp, order, code, got):
    installation.obey(order)
    refused = refusal(installation, scan[0])
    assert (refused.code, refused.got) == (code, got)
    assert str(temp) not in str(refused)
    assert list(temp.iterdir()) == []


def test_a_program_that_is_none_is_told(installation, scan):
    installation.program.write_bytes(b"\x7fELF but not really")
    assert refusal(installation, scan[0]).got.startswith("a program that cannot be started")


def test_it_is_killed_with_all_that_it_started_when_it_takes_too_long(installation, scan, temp):
    installation.obey("sleep")
    assert refusal(installation, scan[0], totalsegmentator_timeout_s=2.5).code == "totalsegmentator_timeout"
    assert all_gone([installation.seen["pid"], installation.seen["child"]])
    assert list(temp.iterdir()) == []


def test_it_is_killed_with_all_that_it_started_when_nobody_wants_it(installation, scan, temp):
    installation.obey("sleep")
    asked_at = []

    def give_up(stage: str, fraction: float) -> None:
        if installation.seen_file.exists():
            asked_at.append(time.monotonic())
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        TotalSegmentatorBrain(installation.settings()).extract(scan[0], on_progress=give_up)
    assert time.monotonic() - asked_at[0] < 4
    assert all_gone([installation.seen["pid"], installation.seen["child"]])
    assert list(temp.iterdir()) == []


def test_progress_follows_the_programs_own(installation, scan):
    installation.obey("slowly")
    told: list[float] = []
    TotalSegmentatorBrain(installation.settings()).extract(scan[0], on_progress=lambda _, share: told.append(share))
    assert told == sorted(told)
    assert told[0] == 0.0
    assert {round(share, 2) for share in told} >= {0.25, 0.35}, "a quarter and a half of the first of two predictions"


# --- what must be there before it starts


def test_without_the_program_it_says_what_to_do(installation, tmp_path):
    with pytest.raises(InputError) as refused:
        TotalSegmentatorBrain(installation.settings(totalsegmentator=tmp_path / "nothing"))
    assert refused.value.code == "no_totalsegmentator"
    assert "make totalsegmentator" in refused.value.hint


def test_a_program_on_the_path_is_found(installation, scan, monkeypatch):
    monkeypatch.setattr("perfusynth.brain_structures.totalsegmentator.MADE_PROGRAM", installation.program / "no")
    monkeypatch.setenv("PATH", str(installation.program.parent), prepend=":")
    assert (
        TotalSegmentatorBrain(installation.settings(totalsegmentator=None)).extract(scan[0]).details["version"] == "9.9"
    )


def test_without_models_it_says_what_to_do_and_starts_nothing(installation, scan):
    ready = TotalSegmentatorBrain(installation.settings())
    [checkpoint] = installation.models.glob("Dataset298*/*/fold_0/checkpoint_final.pth")
    checkpoint.unlink()
    with pytest.raises(InputError) as refused:
        ready.extract(scan[0])
    assert refused.value.code == "no_totalsegmentator_weights"
    assert "totalseg_download_weights -t total_fast" in refused.value.hint
    assert refused.value.got == "5 of them"
    assert not installation.seen_file.exists()


def test_an_empty_checkpoint_is_none(installation):
    [checkpoint] = installation.models.glob("Dataset297*/*/fold_0/checkpoint_final.pth")
    checkpoint.write_bytes(b"")
    with pytest.raises(InputError, match="not there"):
        TotalSegmentatorBrain(installation.settings())


def test_only_the_models_that_were_agreed_on_are_let_in(installation, scan):
    listed = subprocess.run(
        "find * -type f | LC_ALL=C sort | xargs sha256sum | sha256sum",
        shell=True,
        cwd=installation.models,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()[0]
    brain = TotalSegmentatorBrain(installation.settings(totalsegmentator_sha256=listed))
    assert brain.extract(scan[0]).details["weights_sha256"] == listed
    [checkpoint] = installation.models.glob("Dataset297*/*/fold_0/checkpoint_final.pth")
    changed = checkpoint.read_text()[:-1] + "!"
    checkpoint.write_text(changed)
    installation.obey("good")
    with pytest.raises(InputError) as refused:
        brain.extract(scan[0])
    assert refused.value.code == "other_weights"
    assert not installation.seen_file.exists(), "a checkpoint can execute code"
