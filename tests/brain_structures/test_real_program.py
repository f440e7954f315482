"""The real TotalSegmentator with small models in its own folder format: `make totalsegmentator` first.

The threshold model makes what must be found known of any image; with the random one the program's own result, run by
hand, is the truth.
"""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import nibabel as nib
import numpy as np
import psutil
import pytest

from perfusynth.brain_structures.settings import BrainSettings
from perfusynth.brain_structures.totalsegmentator import TotalSegmentatorBrain, find_program
from perfusynth.errors import Cancelled, InputError
from perfusynth.volumes.nifti import write_nifti
from tests.brain_structures.conftest import HERE, all_gone
from tests.brain_structures.heads import CENTRE_MM, dice, grid, head_with_ball, places

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def program() -> Path:
    """The program; it fails where it is not installed: `make test-all` installs it."""
    return find_program(BrainSettings.of_environment().totalsegmentator)


@pytest.fixture(scope="module")
def models(program, tmp_path_factory):
    """Makes a folder of small models: ``random`` or ``threshold``, for a resolution."""

    def make(kind: str, resolution: str = "3mm") -> Path:
        folder = tmp_path_factory.mktemp(kind) / "models"
        made = [str(program.parent / "python"), str(HERE / "small_models.py"), str(folder), kind, resolution]
        subprocess.run(made, check=True, capture_output=True, timeout=300)
        return folder

    return make


@pytest.fixture(scope="module")
def threshold(program, models) -> BrainSettings:
    return BrainSettings(
        totalsegmentator=program, totalsegmentator_weights=models("threshold"), totalsegmentator_device="cpu"
    )


GRIDS = {
    "as scanned": grid(),
    "oblique, other order": grid(0.25, -0.2, 0.3, order=(2, 0, 1)),
    "feet first, prone": grid(flip=(1, -1, -1), order=(1, 0, 2)),
}


@pytest.mark.parametrize("lying", GRIDS)
def test_left_stays_left_through_the_whole_program(threshold, lying):
    volume, ball = head_with_ball(*GRIDS[lying])
    found = TotalSegmentatorBrain(threshold).extract(volume)
    assert dice(found.mask, ball) > 0.95
    middle = places(volume.shape, volume.affine)[found.mask].mean(0)
    assert np.linalg.norm(middle - CENTRE_MM) < 1.0
    assert found.details["device"] == "cpu"
    assert found.details["version"] == _version(threshold.totalsegmentator)


def _version(program: Path) -> str:
    asked = subprocess.run([program, "--version"], capture_output=True, text=True, check=True, timeout=120)
    return asked.stdout.strip()


def test_the_models_of_the_finer_resolution_are_those_that_it_looks_for(threshold, models):
    finer = {"totalsegmentator_resolution": "1.5mm", "totalsegmentator_weights": models("threshold", "1.5mm")}
    volume, ball = head_with_ball(*grid())
    found = TotalSegmentatorBrain(threshold.model_copy(update=finer)).extract(volume)
    assert dice(found.mask, ball) > 0.97
    assert len(found.details["weights"]) == 18


def test_a_random_models_mask_is_the_one_that_the_program_makes_by_hand(program, models, tmp_path):
    weights = models("random")
    volume, _ = head_with_ball(*grid(0.1, 0.1, 0.0))
    write_nifti(tmp_path / "ct.nii.gz", volume)
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "config.json").write_text(json.dumps({"send_usage_stats": False, "prediction_counter": 0}))
    by_hand = [program, "-i", tmp_path / "ct.nii.gz", "-o", tmp_path / "own", "--roi_subset", "brain", "--fast"]
    own = {"TOTALSEG_WEIGHTS_PATH": str(weights), "TOTALSEG_HOME_DIR": str(tmp_path / "home")}
    subprocess.run(
        [*by_hand, "-d", "cpu"], env=os.environ | own, check=True, capture_output=True, timeout=300, cwd=tmp_path
    )
    ours = [sys.executable, "-m", "perfusynth.cli.main", "brain", "--method", "totalsegmentator"]
    ended = subprocess.run(
        [*ours, tmp_path / "ct.nii.gz", "-o", tmp_path / "brain.nii.gz"],
        env=os.environ
        | {"PERFUSYNTH_TOTALSEGMENTATOR": str(program), "PERFUSYNTH_TOTALSEGMENTATOR_WEIGHTS": str(weights)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ended.returncode == 0, ended.stderr
    expected, found = (nib.load(path) for path in (tmp_path / "own" / "brain.nii.gz", tmp_path / "brain.nii.gz"))
    assert np.array_equal(np.asarray(found.dataobj), np.asarray(expected.dataobj) > 0)
    assert 0 < np.asarray(found.dataobj).mean() < 1
    checkpoint = json.loads((tmp_path / "brain.json").read_text())["details"]["weights"]
    hashed = subprocess.run(
        ["sha256sum", *weights.glob("*/*/fold_0/*.pth")], capture_output=True, text=True, check=True
    )
    assert {line.split()[0] for line in hashed.stdout.splitlines()} <= set(checkpoint.values())


def test_an_image_in_which_it_finds_nothing_is_refused(threshold):
    volume, ball = head_with_ball(*grid())
    volume.array[ball] = 40.0
    with pytest.raises(InputError) as refused:
        TotalSegmentatorBrain(threshold).extract(volume)
    assert (refused.value.code, refused.value.got) == ("no_brain", "0 mL by TotalSegmentator")


def test_a_checkpoint_that_is_none_ends_in_one_sentence(threshold, models):
    weights = models("threshold")
    [checkpoint] = weights.glob("Dataset297*/*/fold_0/checkpoint_final.pth")
    checkpoint.write_bytes(b"no checkpoint")
    with pytest.raises(InputError) as refused:
        TotalSegmentatorBrain(threshold.model_copy(update={"totalsegmentator_weights": weights})).extract(
            head_with_ball(*grid())[0]
        )
    assert refused.value.code == "totalsegmentator_failed"
    assert refused.value.got.startswith("exit code 1")
    assert str(weights) not in str(refused.value)


def test_cancelling_in_the_middle_ends_all_of_its_processes(threshold):
    before = {process.pid for process in psutil.Process().children(recursive=True)}
    family: set[int] = set()
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(0.1):
            family.update(process.pid for process in psutil.Process().children(recursive=True))

    watching = threading.Thread(target=watch)
    watching.start()

    def give_up(stage: str, fraction: float) -> None:
        if fraction > 0.5:
            raise Cancelled("enough")

    started = time.monotonic()
    with pytest.raises(Cancelled):
        TotalSegmentatorBrain(threshold).extract(head_with_ball(*grid())[0], on_progress=give_up)
    stop.set()
    watching.join()
    assert len(family - before) >= 1
    assert all_gone(sorted(family - before))
    assert time.monotonic() - started < 300
