"""From case folders to a bundle of a plain UNet: the engine trains it, and what tuning chose is in its metadata."""

import json

import numpy as np
import pytest

from perfusynth.generators.bundles import read_bundle
from perfusynth.generators.loading import load_generator
from perfusynth.training.config import config_from
from perfusynth.training.engine import train
from perfusynth.training.export import export_bundle
from perfusynth.training.tuning import REGION_PROBABILITIES
from perfusynth.volumes.nifti import read_nifti
from tests.generators.unet.tiny_unets import write_tiny_unet
from tests.training.small_cases import GRID, QUICK, write_cases


@pytest.mark.parametrize("name", ["unet_segmentation", "unet_regression_head"])
def test_a_unet_goes_from_cases_to_a_bundle_that_works(name, tmp_path):
    bundle = write_tiny_unet(name, tmp_path / "tiny")
    path = bundle / "configs" / "metadata.json"
    metadata = json.loads(path.read_text())
    metadata["perfusynth"]["grid"] = GRID
    path.write_text(json.dumps(metadata))
    data = write_cases(tmp_path / "cases", 3)
    cases = sorted(case.name for case in data.iterdir())
    (tmp_path / "split.json").write_text(
        json.dumps({"kind": "cases", "names": {"train": cases[:2], "tune": cases[2:]}})
    )
    asked = {
        "bundle": bundle,
        "out": tmp_path / "run",
        "data": data,
        "split_file": tmp_path / "split.json",
        "task": {
            "family": "unet",
            "supervised": {"steps": 3, "heads_per_step": 2, "learning_rate": 1e-3},
            "crop": [24, 32],
        },
        "tuning": {"every": 3, "heads": 1, "best_by": "dice_tmax6"},
    }
    train(config_from(QUICK | asked))
    made = read_bundle(export_bundle(tmp_path / "run", tmp_path / "made"))
    figures = made.spec.training["weights"]["figures"]
    if made.spec.probability is not None:
        assert made.spec.probability.region_above == figures["region_above"]
        assert figures["region_above"] in REGION_PROBABILITIES
    else:
        assert {"mae_tmax", "mae_cbf"} <= set(figures)
    scan, brain = (read_nifti(data / cases[2] / f"{part}.nii.gz") for part in ("ncct", "brain"))
    maps = load_generator(made, device="cpu").synthesize({"ncct": scan, "brain": brain}).maps
    assert set(maps) == {output.name for output in made.spec.outputs}
    assert all(np.isfinite(volume.array).all() and volume.array.any() for volume in maps.values())
