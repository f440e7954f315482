"""A synthesis inside the brain of the method that it was asked for."""

import numpy as np
import pytest

from perfusynth.brain_structures.totalsegmentator import TotalSegmentatorBrain
from perfusynth.errors import Cancelled
from perfusynth.progress import ignore_progress
from perfusynth.shared_files import shared_folders
from perfusynth.synthesis.pipeline import Pipeline
from perfusynth.volumes.brain import BrainMask
from perfusynth.volumes.builtin_brain import BuiltinBrain
from perfusynth.volumes.nifti import read_nifti

NCCT = shared_folders("sample-data")[0] / "phantom-4000020" / "ncct.nii.gz"


class LeftHalf:
    """The built-in brain, slowly, without its part on the patient's right."""

    def extract(self, ncct, *, on_progress=ignore_progress):
        brain = BuiltinBrain().extract(ncct).mask
        on_progress("brain", 0.25)
        on_progress("brain", 0.75)
        x = (ncct.affine @ np.append((np.array(ncct.shape) - 1) / 2, 1))[0]
        places = ncct.affine[0, 3] + ncct.affine[0, 0] * np.arange(ncct.shape[0])
        assert np.allclose(ncct.affine[0, 1:3], 0)
        return BrainMask(brain & (places < x + 20)[:, None, None], "left half 1")


@pytest.fixture
def pipeline(installation, monkeypatch) -> Pipeline:
    for name, value in installation.environment().items():
        monkeypatch.setenv(name, value)
    return Pipeline.load("ncct_perfusion", device="cpu", brain_method="totalsegmentator")


def test_the_method_that_is_asked_for_is_the_one_that_works(pipeline, tmp_path):
    assert isinstance(pipeline.extractor, TotalSegmentatorBrain)
    pipeline.extractor = LeftHalf()  # far from the skull on one side, which is no craniotomy
    told: list[tuple[str, float]] = []
    measured = pipeline.run({"ncct": NCCT}, tmp_path, on_progress=lambda *stage: told.append(stage))
    assert measured.brain_method == "left half 1"
    tmax, brain = read_nifti(tmp_path / "tmax.nii.gz"), read_nifti(tmp_path / "brain.nii.gz")
    assert np.array_equal(brain.array > 0, LeftHalf().extract(read_nifti(NCCT)).mask)
    assert not tmax.array[brain.array == 0].any()
    assert len({share for stage, share in told if stage == "mask"}) >= 4


def test_a_synthesis_can_be_cancelled_while_the_brain_is_looked_for(pipeline, installation, tmp_path):
    installation.obey("sleep")

    def give_up(stage: str, fraction: float) -> None:
        if stage == "mask" and installation.seen_file.exists():
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        pipeline.run({"ncct": NCCT}, tmp_path, on_progress=give_up)
    assert list(tmp_path.glob("*.nii.gz")) == []
