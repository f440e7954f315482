"""Bundles and the registry: what is installed, what is live, and what is refused."""

import json

import pytest

from perfusynth.errors import InputError
from perfusynth.generators.bundles import installed_bundles, read_bundle
from perfusynth.generators.devices import choose_device
from perfusynth.generators.loading import load_generator
from perfusynth.generators.registry import installed_tasks, live_bundle
from tests.generators.tiny import SHIPPED, write_tiny_bundle


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("PERFUSYNTH_HOME", str(tmp_path))
    return tmp_path


def test_the_shipped_bundle_is_live_and_intact(home):
    bundle = live_bundle("ncct_perfusion")
    assert bundle.path == SHIPPED
    bundle.verify()
    assert sum(file.stat().st_size for file in bundle.weight_files) <= 16e6
    assert [output.name for output in bundle.spec.outputs] == ["tmax", "cbf", "hypoperfusion_probability"]


def test_changed_weights_are_refused(home):
    bundle = read_bundle(write_tiny_bundle(home / "models" / "tiny"))
    file = bundle.weight_files[0]
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(InputError) as caught:
        load_generator(bundle)
    assert caught.value.code == "weights_changed"


def test_an_installed_bundle_goes_live_by_the_registry(home):
    write_tiny_bundle(home / "models" / "tiny")
    assert set(installed_bundles()) >= {"tiny", "ncct_perfusion_compact"}
    assert installed_tasks()["ncct_perfusion"].name == "ncct_perfusion_compact"
    (home / "registry.json").write_text(json.dumps({"ncct_perfusion": "tiny"}))
    assert live_bundle("ncct_perfusion").name == "tiny"


@pytest.mark.parametrize("content", ["{", "[]", '{"ncct_perfusion": 3}'])
def test_a_broken_registry_is_told(home, content):
    (home / "registry.json").write_text(content)
    with pytest.raises(InputError) as caught:
        live_bundle("ncct_perfusion")
    assert caught.value.code == "bad_registry"


def test_unknown_model_and_device_are_told(home):
    with pytest.raises(InputError, match="no model") as caught:
        live_bundle("nothing")
    assert "ncct_perfusion" in caught.value.expected
    for name in ("cuda:99", "abacus"):
        with pytest.raises(InputError) as caught:
            choose_device(name)
        assert caught.value.code == "bad_device"


def test_a_folder_that_is_no_bundle_is_told(tmp_path):
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "metadata.json").write_text("{}")
    with pytest.raises(InputError) as caught:
        read_bundle(tmp_path)
    assert caught.value.code == "bad_bundle"


def test_a_bundle_names_only_the_training_entry_as_target():
    train = json.loads((SHIPPED / "configs" / "train.json").read_text())
    text = json.dumps(train)
    assert text.count("_target_") == 1
    assert train["run"]["_target_"] == "perfusynth.training.run"
    assert "$" not in text
