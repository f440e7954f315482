"""The template of the sd-turbo size: what it describes, that it is no model, and the way from it to maps, tiny."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open

from perfusynth.errors import InputError
from perfusynth.generators.bundles import installed_bundles, read_bundle
from perfusynth.generators.loading import load_generator
from perfusynth.generators.turbo.adapter import add_adapter
from perfusynth.generators.turbo.base_weights import BASE_VARIABLE
from perfusynth.generators.turbo.network import TurboConfig, TurboNetwork
from perfusynth.training.bundle_settings import settings_of
from perfusynth.training.config import config_from
from perfusynth.training.engine import train
from perfusynth.training.export import export_bundle
from perfusynth.volumes.nifti import read_nifti
from tests.generators.turbo.tiny_base import network_on, write_tiny_base
from tests.training.small_cases import QUICK, small_bundle, write_cases

TEMPLATE = Path(__file__).parents[3] / "model_templates" / "ncct_perfusion_sd_turbo"


def test_its_network_has_the_published_sizes():
    config = TurboConfig.model_validate(read_bundle(TEMPLATE).spec.network)
    with torch.device("meta"):
        network = TurboNetwork(config)
        counts = {part: sum(w.numel() for w in getattr(network, part).parameters()) for part in ("unet", "autoencoder")}
        # reference/models.md: 865.9 M, 83.7 M (here with other ends), four skips, 9.5 M to be trained.
        assert counts["unet"] == pytest.approx(865.9e6, rel=1e-4)
        assert counts["autoencoder"] == pytest.approx(83.7e6, rel=1e-3)
        assert [tuple(skip.weight.shape[:2]) for skip in network.skips] == [
            (512, 512),
            (512, 256),
            (512, 128),
            (256, 128),
        ]
        add_adapter(network, config.base)
    trained = sum(weight.numel() for weight in network.parameters() if weight.requires_grad)
    assert trained == pytest.approx(9.5e6, rel=0.02)
    assert config.one_step.gain == pytest.approx(14.6, abs=0.05)


def test_it_is_a_template_and_no_model(monkeypatch, tmp_path):
    monkeypatch.setenv("PERFUSYNTH_HOME", str(tmp_path))
    assert TEMPLATE.name not in installed_bundles()
    assert not list(TEMPLATE.rglob("*.safetensors"))
    with pytest.raises(InputError) as caught:
        load_generator(read_bundle(TEMPLATE), device="cpu")
    assert caught.value.code == "weights_changed"


def test_its_training_settings_are_ones_that_the_engine_takes():
    settings = config_from(settings_of(TEMPLATE))
    spec = read_bundle(TEMPLATE).spec
    divisor = TurboConfig.model_validate(spec.network).divisor
    assert divisor == 64
    assert all(side % divisor == 0 and side <= spec.grid.size for side in settings.task.crop)


def test_from_a_base_and_cases_to_a_bundle_that_makes_maps(tmp_path, monkeypatch):
    base = write_tiny_base(tmp_path / "tiny-turbo")
    monkeypatch.setenv(BASE_VARIABLE, str(base))
    bundle = small_bundle(tmp_path / "template", weights=False)
    path = bundle / "configs" / "metadata.json"
    metadata = json.loads(path.read_text())
    metadata["perfusynth"]["network"] = network_on("nobody/sd-turbo", prompt="brain")
    metadata["perfusynth"]["outputs"] = metadata["perfusynth"]["outputs"][:2]
    path.write_text(json.dumps(metadata))
    data = write_cases(tmp_path / "cases", 3)
    cases = sorted(case.name for case in data.iterdir())
    names = {"train": cases[:2], "tune": cases[2:]}
    (tmp_path / "split.json").write_text(json.dumps({"kind": "cases", "names": names}))
    phase = {"steps": 3, "heads_per_step": 1, "learning_rate": 1e-3}
    task = {"family": "turbo", "slabs": phase, "slabs_per_head": 1, "crop": [16, 32], "rerun_blocks": True}
    places = {"bundle": bundle, "out": tmp_path / "run", "data": data, "split_file": tmp_path / "split.json"}
    assert train(config_from(QUICK | places | {"task": task})).finished
    checkpoints = list((tmp_path / "run").rglob("*.safetensors"))
    assert checkpoints
    for file in checkpoints:
        with safe_open(file, "pt") as kept:
            assert not any("base_layer" in name for name in kept.keys()), file.name  # noqa: SIM118

    made = read_bundle(export_bundle(tmp_path / "run", tmp_path / "made"))
    with safe_open(made.weight_files[0], "pt") as kept:
        assert set(kept.metadata()) >= {"base_sha256.unet", "base_sha256.vae"}
    scan, brain = (read_nifti(data / cases[2] / f"{part}.nii.gz") for part in ("ncct", "brain"))
    maps = load_generator(made, device="cpu").synthesize({"ncct": scan, "brain": brain}).maps
    assert set(maps) == {"tmax", "cbf"}
    assert all(np.isfinite(volume.array).all() and volume.array.any() for volume in maps.values())
    monkeypatch.setenv(BASE_VARIABLE, str(write_tiny_base(tmp_path / "other", seed=1)))
    with pytest.raises(InputError) as caught:
        load_generator(made, device="cpu")
    assert caught.value.code == "wrong_base"
