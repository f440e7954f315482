"""`perfusynth brain` as a user runs it: a mask with what made it, or one line with the reason, and never half of it."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk

from perfusynth.shared_files import shared_folders
from perfusynth.volumes.fingerprint import voxel_sha256
from perfusynth.volumes.nifti import read_nifti, write_nifti
from tests.brain_structures.conftest import all_gone
from tests.brain_structures.heads import dice, grid, head_with_ball

CASE = shared_folders("sample-data")[0] / "phantom-4000020"


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "perfusynth.cli.main", "brain", *map(str, arguments)]


def run(*arguments: object, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        command(*arguments), capture_output=True, text=True, env=os.environ | environment, timeout=120
    )


@pytest.fixture(scope="module")
def result(tmp_path_factory) -> tuple[subprocess.CompletedProcess, Path]:
    out = tmp_path_factory.mktemp("result") / "brain.nii.gz"
    return run(CASE / "ncct.nii.gz", "-o", out), out


def test_the_brain_of_a_phantom_lies_where_the_simulator_put_it(result):
    ended, out = result
    assert ended.returncode == 0, ended.stderr
    found, truth, ncct = (sitk.ReadImage(path) for path in (out, CASE / "brain.nii.gz", CASE / "ncct.nii.gz"))
    for name in ("GetSize", "GetSpacing", "GetOrigin", "GetDirection"):
        assert getattr(found, name)() == pytest.approx(getattr(ncct, name)(), abs=1e-5), name
    on_grid = sitk.Resample(truth, ncct, sitk.Transform(), sitk.sitkNearestNeighbor)
    assert dice(sitk.GetArrayFromImage(found) > 0, sitk.GetArrayFromImage(on_grid) > 0) > 0.96


def test_what_made_it_lies_beside_it(result):
    ended, out = result
    told = json.loads(out.with_name("brain.json").read_text())
    assert sorted(path.name for path in out.parent.iterdir()) == ["brain.json", "brain.nii.gz"]
    assert told["method"] == "builtin_brain 2"
    assert told["input"]["sha256"] == voxel_sha256(read_nifti(CASE / "ncct.nii.gz"))
    image = nib.load(out)
    assert told["ml"] == pytest.approx(np.count_nonzero(image.dataobj) * abs(np.linalg.det(image.affine)) / 1000, 1e-6)
    assert "builtin_brain 2" in image.header["descrip"].item().decode()
    assert "research use only" in ended.stdout
    assert "builtin_brain 2" in ended.stdout


def test_totalsegmentators_mask_comes_with_its_version_and_weights(installation, tmp_path):
    volume, ball = head_with_ball(*grid(0.1, 0.2, -0.1, order=(2, 0, 1)))
    write_nifti(tmp_path / "ct.nii.gz", volume)
    out = tmp_path / "brain.nii.gz"
    ended = run(tmp_path / "ct.nii.gz", "-o", out, "--method", "totalsegmentator", **installation.environment())
    assert ended.returncode == 0, ended.stderr
    assert np.array_equal(np.asarray(nib.load(out).dataobj) > 0, ball)
    details = json.loads((tmp_path / "brain.json").read_text())["details"]
    assert details["version"] == "9.9"
    assert len(details["weights"]) == 6
    assert "TotalSegmentator 9.9" in ended.stdout


def test_a_sheared_scan_comes_back_straightened_under_its_mask(tmp_path):
    image = nib.load(CASE / "ncct.nii.gz")
    tilted = image.affine.copy()
    tilted[1, 2] += 0.2 * tilted[2, 2]
    nib.save(nib.Nifti1Image(np.asarray(image.dataobj), tilted), tmp_path / "tilted.nii.gz")
    ended = run(tmp_path / "tilted.nii.gz", "-o", tmp_path / "mask.nii.gz", "--method", "builtin")
    assert ended.returncode == 0, ended.stderr
    mask, scan = (nib.load(tmp_path / name) for name in ("mask.nii.gz", "mask_ncct.nii.gz"))
    assert np.array_equal(mask.affine, scan.affine)
    assert mask.shape == scan.shape
    inside = np.asarray(scan.dataobj)[np.asarray(mask.dataobj) > 0]
    assert 20 < inside.mean() < 45, "the mask lies on the brain of that scan"
    assert "resampled" in ended.stdout


@pytest.mark.parametrize(
    ("name", "method", "code"),
    [
        ("brain.nii.gz", "totalsegmentator", "no_totalsegmentator"),
        ("brain.nii.gz", "magic", "unknown_brain_method"),
        ("brain.mha", "builtin", "bad_target"),
        (".nii.gz", "builtin", "bad_target"),
    ],
)
def test_bad_requests_end_in_one_line_and_leave_nothing(tmp_path, name, method, code):
    missing = str(tmp_path / "no" / "TotalSegmentator")
    ended = run(CASE / "ncct.nii.gz", "-o", tmp_path / name, "--method", method, PERFUSYNTH_TOTALSEGMENTATOR=missing)
    assert ended.returncode == 2
    assert f"[{code}]" in ended.stderr.strip().splitlines()[-1]
    assert "Traceback" not in ended.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["brain.nii.gz", "brain.json", "brain_ncct.nii.gz"])
def test_nothing_is_overwritten(tmp_path, name):
    (tmp_path / name).write_text("mine")
    ended = run(CASE / "ncct.nii.gz", "-o", tmp_path / "brain.nii.gz")
    assert ended.returncode == 2
    assert "[exists]" in ended.stderr
    assert [path.read_text() for path in tmp_path.iterdir()] == ["mine"]


def test_an_image_without_a_brain_is_refused(tmp_path):
    nib.save(nib.Nifti1Image(np.full((60, 60, 20), 40, np.int16), np.diag([3, 3, 6, 1])), tmp_path / "water.nii.gz")
    ended = run(tmp_path / "water.nii.gz", "-o", tmp_path / "brain.nii.gz", "--method", "builtin")
    assert ended.returncode == 2
    assert "[no_brain]" in ended.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["water.nii.gz"]


def test_ctrl_c_ends_the_program_too(installation, tmp_path):
    write_nifti(tmp_path / "ct.nii.gz", head_with_ball(*grid())[0])
    installation.obey("sleep")
    started = subprocess.Popen(
        command(tmp_path / "ct.nii.gz", "-o", tmp_path / "brain.nii.gz", "--method", "totalsegmentator"),
        env=os.environ | installation.environment(),
        stderr=subprocess.DEVNULL,
        # A shell's background job ignores SIGINT, and so does what it starts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    end = time.monotonic() + 60
    while not installation.seen_file.exists() and time.monotonic() < end:
        time.sleep(0.05)
    started.send_signal(signal.SIGINT)  # to it alone: what it started has to be ended by it
    assert started.wait(20) == 130
    assert all_gone([installation.seen["pid"], installation.seen["child"]])
    assert not (tmp_path / "brain.nii.gz").exists()


@pytest.mark.parametrize("name", ["synthesize", "maps"])
def test_no_maps_are_made_without_the_method_that_was_asked_for(tmp_path, name):
    ended = subprocess.run(
        [*command()[:-1], *f"{name} {CASE}/ncct.nii.gz -o {tmp_path}/out --brain-method totalsegmentator".split()],
        env=os.environ | {"PERFUSYNTH_TOTALSEGMENTATOR": str(tmp_path / "no")},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ended.returncode == 2
    assert "[no_totalsegmentator]" in ended.stderr
    assert list(tmp_path.iterdir()) == []
