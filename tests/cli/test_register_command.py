"""`perfusynth register` as a user runs it: a transform that other programs read, or one line with the reason."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk

from perfusynth.cli.main import main
from perfusynth.evaluation.registration_error.pairs import SimulatedPair, simulated_pair
from perfusynth.registration.transform_file import read_transform, transform_bytes
from perfusynth.volumes.nifti import write_nifti

#: An ordinary pair of a digital patient.
SEED = 1


@dataclass(frozen=True)
class Files:
    """A simulated pair as files."""

    pair: SimulatedPair
    fixed: Path
    moving: Path
    folder: Path


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Files:
    folder = tmp_path_factory.mktemp("pair")
    pair = simulated_pair(SEED)
    write_nifti(folder / "ctp.nii.gz", pair.fixed, dtype=np.int16)
    write_nifti(folder / "ncct.nii.gz", pair.moving, dtype=np.int16)
    return Files(pair, folder / "ctp.nii.gz", folder / "ncct.nii.gz", folder)


@pytest.fixture
def run(monkeypatch, capsys) -> Callable[..., tuple[int, str, str]]:
    """Runs the command in this process: exit code, stdout and stderr."""

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["perfusynth", "register", *map(str, arguments)])
        code = 0
        try:
            main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


def test_a_transform_and_what_is_known_of_it(files, tmp_path):
    """In a process of its own, as a user starts it."""
    out = tmp_path / "new" / "t.tfm"
    command = [
        sys.executable,
        "-m",
        "perfusynth.cli.main",
        "register",
        str(files.fixed),
        str(files.moving),
        "-o",
        str(out),
    ]
    ended = subprocess.run(command, capture_output=True, text=True, env=os.environ, timeout=120)
    assert ended.returncode == 0, ended.stderr
    assert sorted(path.name for path in out.parent.iterdir()) == ["t.json", "t.tfm"]

    transform = sitk.ReadTransform(str(out))
    flip = np.array([-1.0, -1.0, 1.0])
    there = np.array([transform.TransformPoint((point * flip).tolist()) for point in files.pair.points]) * flip
    assert np.linalg.norm(there - files.pair.points_in_moving, axis=1).mean() < 0.5

    told = json.loads(out.with_suffix(".json").read_text())
    assert told["direction"] == "fixed to moving, LPS"
    assert told["method"] == "automatic"
    assert (told["author"], told["software"]) == ("perfusynth 0.1.0", "perfusynth 0.1.0")
    assert datetime.fromisoformat(told["time"]).utcoffset().total_seconds() == 0
    assert told["probability_over_2mm"] < 0.2
    assert {"nmi", "edge_agreement", "overlap", "brain_dice", "restart_spread_mm"} <= told["figures"].keys()
    np.testing.assert_allclose(told["fixed_to_moving"], read_transform(out), atol=1e-8)
    assert str(files.folder) not in out.with_suffix(".json").read_text()
    assert "degrees" in ended.stdout
    assert "warn" not in ended.stdout


def test_mask_start_and_author(files, tmp_path, run):
    """A start far off along the truth's turn is refined within the brain alone."""
    start = np.eye(4)
    start[:3, 3] = (6, -5, 4)
    (tmp_path / "t0.tfm").write_bytes(transform_bytes(start @ files.pair.fixed_to_moving, np.zeros(3)))
    inside = (files.pair.fixed.array > -100).astype(np.uint8)
    nib.save(nib.Nifti1Image(inside, files.pair.fixed.affine), tmp_path / "mask.nii.gz")
    code, out, err = run(
        files.fixed, files.moving, "-o", tmp_path / "t.tfm", "--start", tmp_path / "t0.tfm",
        "--mask", tmp_path / "mask.nii.gz", "--author", "reader 2",
    )  # fmt: skip
    assert code == 0, err
    assert files.pair.error_mm(read_transform(tmp_path / "t.tfm")) < 0.5
    told = json.loads((tmp_path / "t.json").read_text())
    assert (told["author"], told["started_from"]) == ("reader 2", "a given transform")
    assert f"result: {tmp_path / 't.tfm'}" in out


def write_series(files, path: Path, interval_s: float) -> Path:
    frames = np.repeat(files.pair.fixed.array[::2, ::2, :, None], 16, axis=3).astype(np.int16)
    image = nib.Nifti1Image(frames, files.pair.fixed.affine @ np.diag([2, 2, 1, 1.0]))
    image.header["pixdim"][4] = interval_s
    image.header.set_xyzt_units("mm", "sec")
    nib.save(image, path)
    return path


def test_a_series_in_time_is_taken_by_its_mean(files, tmp_path, run):
    source = write_series(files, tmp_path / "ctp.nii.gz", 2.0)
    code, _, err = run(source, files.moving, "-o", tmp_path / "t.tfm", "--no-motion")
    assert code == 0, err
    assert json.loads((tmp_path / "t.json").read_text())["fixed_is"] == "mean of a series"
    assert files.pair.error_mm(read_transform(tmp_path / "t.tfm")) < 0.5


def test_times_that_the_file_lacks_can_be_given(files, tmp_path, run):
    """The refusal names the options, and they help; one image has no times."""
    source = write_series(files, tmp_path / "ctp.nii.gz", 0.0)
    times = tmp_path / "times.txt"
    times.write_text(" ".join(str(2 * n) for n in range(16)))
    code, _, err = run(source, files.moving, "-o", tmp_path / "t.tfm", "--no-motion")
    assert (code, "[no_frame_times]" in err, "--interval" in err) == (2, True, True)
    for name, given in (("interval", ("--interval", "2")), ("times", ("--times", times))):
        code, _, err = run(source, files.moving, "-o", tmp_path / f"{name}.tfm", "--no-motion", *given)
        assert code == 0, err
        assert files.pair.error_mm(read_transform(tmp_path / f"{name}.tfm")) < 0.5
    assert (tmp_path / "times.tfm").read_bytes() == (tmp_path / "interval.tfm").read_bytes()
    for given, refusal in (
        (("--interval", "2", "--times", times), "bad_option"),
        (("--times", tmp_path / "none.txt"), "bad_times"),
        (("--interval", "0"), "bad_times"),
    ):
        code, _, err = run(source, files.moving, "-o", tmp_path / "no.tfm", *given)
        assert (code, f"[{refusal}]" in err) == (2, True), err
    code, _, err = run(files.fixed, files.moving, "-o", tmp_path / "no.tfm", "--interval", "2")
    assert (code, "[not_4d]" in err) == (2, True), err


def test_what_reading_an_image_did_to_it_is_told(files, tmp_path, run):
    """Padding below air, and a sheared grid, in the plain CT."""
    array = files.pair.moving.array.copy()
    array[:3] = -3024
    shear = np.eye(4)
    shear[1, 2] = 0.3
    nib.save(nib.Nifti1Image(array.astype(np.int16), files.pair.moving.affine @ shear), tmp_path / "ncct.nii.gz")
    code, out, err = run(files.fixed, tmp_path / "ncct.nii.gz", "-o", tmp_path / "t.tfm")
    assert code == 0, err
    notes = json.loads((tmp_path / "t.json").read_text())["notes"]
    assert notes["fixed"] == []
    assert [word in " ".join(notes["moving"]) for word in ("-3024 HU", "sheared")] == [True, True]
    assert [line for line in out.splitlines() if line.startswith("note: ")] == [
        f"note: MOVING: {note}" for note in notes["moving"]
    ]


def test_a_doubtful_result_is_told(files, tmp_path, run):
    """The moving image upside down, beyond what is searched."""
    turned = np.diag([1.0, -1.0, -1.0, 1.0]) @ files.pair.moving.affine
    write_nifti(tmp_path / "turned.nii.gz", type(files.pair.moving)(files.pair.moving.array, turned), dtype=np.int16)
    code, out, err = run(files.fixed, tmp_path / "turned.nii.gz", "-o", tmp_path / "t.tfm")
    assert code == 0, err
    assert json.loads((tmp_path / "t.json").read_text())["probability_over_2mm"] > 0.5
    assert "warn: " in out
    assert "no annotator has looked" in out


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("{fixed}", "{moving}", "-o", "{tmp}/t.mat"), "bad_option", "-o FILE.tfm"),
        (("{fixed}", "{moving}", "-o", "{tmp}/there.tfm"), "exists", "never overwritten"),
        (("{fixed}", "{moving}", "-o", "{tmp}/t.tfm", "--frames", "peak"), "bad_option", "mean or baseline"),
        (("{tmp}/none.nii.gz", "{moving}", "-o", "{tmp}/t.tfm"), "file_missing", "Check the path"),
        (("{fixed}", "{tmp}/text.txt", "-o", "{tmp}/t.tfm"), "unknown_format", "NIfTI"),
        (("{fixed}", "{moving}", "-o", "{tmp}/t.tfm", "--start", "{tmp}/text.txt"), "bad_transform", "another kind"),
        (("{fixed}", "{moving}", "-o", "{tmp}/t.tfm", "--mask", "{tmp}/empty.nii.gz"), "too_little_to_register", "mL"),
        (("{tmp}/empty.nii.gz", "{moving}", "-o", "{tmp}/t.tfm"), "nothing_to_register", "a CT of a head"),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_line_and_nothing_is_left(files, tmp_path, run, arguments, code, says):
    (tmp_path / "there.tfm").write_text("x")
    (tmp_path / "text.txt").write_text("no image")
    empty = np.zeros(files.pair.fixed.shape, np.uint8)
    nib.save(nib.Nifti1Image(empty, files.pair.fixed.affine), tmp_path / "empty.nii.gz")
    before = sorted(tmp_path.iterdir())
    filled = [text.format(fixed=files.fixed, moving=files.moving, tmp=tmp_path) for text in arguments]
    ended, _, err = run(*filled)
    assert ended == 2
    line = err.strip().splitlines()[-1]
    assert f"[{code}]" in line
    assert says in line
    assert "Traceback" not in err
    assert sorted(tmp_path.iterdir()) == before
