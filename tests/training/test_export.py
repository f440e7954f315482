"""What a run becomes: a bundle with the weights that were meant, and their origin without a name or a path."""

import json
import os

import pytest
import torch
from safetensors.torch import load_file

from perfusynth.errors import InputError
from perfusynth.generators.bundles import read_bundle
from perfusynth.generators.loading import load_generator
from perfusynth.generators.seen_patients import refuse_seen_cases
from perfusynth.generators.weights import read_weights
from perfusynth.training import export
from perfusynth.training.config import config_from
from perfusynth.training.engine import train
from perfusynth.training.export import export_bundle
from tests.training.small_cases import QUICK, small_bundle, write_cases


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A finished run of fine-tuning on cases with telling names, in a bundle that holds what is not to be passed on."""
    folder = tmp_path_factory.mktemp("export")
    bundle = small_bundle(folder / "tiny")
    for name in ("configs/intervals.json", "docs/README.md"):
        (bundle / name).parent.mkdir(exist_ok=True)
        (bundle / name).write_text("{}")
    data = write_cases(folder / "cases", 3)
    for name in ("miller", "jones", "smith"):
        os.rename(next(data.glob("case0*")), data / name)
    split = {"kind": "cases", "names": {"train": ["miller", "jones"], "tune": ["smith"]}}
    (folder / "split.json").write_text(json.dumps(split))
    values = {"bundle": bundle, "out": folder / "run", "data": data, "start_from": bundle, **QUICK}
    train(config_from(values | {"split_file": folder / "split.json"}))
    return folder / "run"


def test_the_bundle_loads_and_holds_the_best_weights(run, tmp_path):
    made = read_bundle(export_bundle(run, tmp_path / "made"))
    made.verify()
    load_generator(made, device="cpu")
    best = load_file(run / "best" / "slabs.safetensors")
    for name, tensor in read_weights(made).items():
        assert torch.equal(tensor, best[name].half().float()), name
    assert made.version.startswith("1.0.0+")
    told = json.loads((run / "best" / "slabs.json").read_text())
    assert made.spec.training["weights"] == told
    assert made.spec.training["start_from"]["name"] == "tiny"


def test_last_weights_and_those_of_an_earlier_phase_can_be_had(run, tmp_path):
    last = read_weights(read_bundle(export_bundle(run, tmp_path / "last", weights="last")))
    average = load_file(run / "checkpoint" / "average.safetensors")
    assert all(torch.equal(tensor, average[name].half().float()) for name, tensor in last.items())
    early = read_weights(read_bundle(export_bundle(run, tmp_path / "early", phase="context")))
    assert any(not torch.equal(tensor, last[name]) for name, tensor in early.items())
    with pytest.raises(InputError) as caught:
        export_bundle(run, tmp_path / "none", phase="nothing")
    assert caught.value.code == "no_run"


def test_nothing_that_was_measured_on_other_weights_is_passed_on(run, tmp_path):
    made = export_bundle(run, tmp_path / "made")
    files = sorted(str(path.relative_to(made)) for path in made.rglob("*") if path.is_file())
    assert files == ["configs/metadata.json", "configs/train.json", "models/model.safetensors"]


def test_no_name_and_no_path_is_passed_on_and_seen_cases_are_still_known(run, tmp_path):
    made = export_bundle(run, tmp_path / "made")
    text = (made / "configs" / "metadata.json").read_text()
    assert not any(word in text for word in ("miller", "jones", "smith", str(run.parent), "/cases"))
    bundle = read_bundle(made)
    refuse_seen_cases(bundle, ["somebody"])
    for name in ("miller", "smith"):
        with pytest.raises(InputError) as caught:
            refuse_seen_cases(bundle, ["somebody", name])
        assert caught.value.code == "seen_patients"
        assert name not in str(caught.value)


def test_large_weights_are_split_and_read_as_one(run, tmp_path, monkeypatch):
    whole = read_weights(read_bundle(export_bundle(run, tmp_path / "whole")))
    monkeypatch.setattr(export, "SHARD_SIZE", "20KB")
    made = read_bundle(export_bundle(run, tmp_path / "split"))
    assert len(made.weight_files) > 1
    assert all(file.stat().st_size < 40_000 for file in made.weight_files)
    again = read_weights(made)
    assert set(again) == set(whole)
    assert all(torch.equal(tensor, again[name]) for name, tensor in whole.items())
    assert not [path for path in (made.path / "models").iterdir() if path.suffix != ".safetensors"]


def test_nothing_is_overwritten_and_nothing_comes_of_nothing(run, tmp_path):
    (tmp_path / "mine").mkdir()
    for target, source, code in ((tmp_path / "mine", run, "exists"), (tmp_path / "new", tmp_path, "no_run")):
        with pytest.raises(InputError) as caught:
            export_bundle(source, target)
        assert caught.value.code == code
    assert not (tmp_path / "new").exists()
