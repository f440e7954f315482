"""The settings of a run are plain values of known names; nothing in a bundle's train.json is executed."""

import json

import pytest

from perfusynth.errors import InputError
from perfusynth.generators.bundles import read_bundle
from perfusynth.training.bundle_settings import settings_of
from perfusynth.training.config import config_from
from perfusynth.training.families import task_of
from perfusynth.training.turbo_settings import TurboSettings
from tests.generators.tiny import SHIPPED
from tests.training.small_cases import small_bundle

PLAIN = {"bundle": "somewhere", "out": "run", "phantom_seeds": (0, 100)}


def test_the_shipped_train_json_is_a_run():
    config = config_from(settings_of(SHIPPED))
    assert isinstance(config.phantom_seeds, dict)
    assert set(config.phantom_seeds) == {"train", "tune", "calibrate", "test"}


@pytest.mark.parametrize(
    "changes",
    [
        {"script": "import os"},
        {"_target_": "os.system"},
        {"task": {"family": "turbo", "_target_": "os.system"}},
        {"augmentation": {"shift": 3}},
        {"tuning": {"every": 0}},
        {"precision": "float16"},
        {"task": {"family": "unknown"}},
        {"data": "cases"},  # and digital patients
        {"phantom_seeds": None},
        {"phantom_seeds": (10, 10)},
        {"phantom_seeds": {"train": (0, 10), "tune": (5, 12)}},
        {"phantom_seeds": {"train": (0, 10), "judge": (15, 20)}},
        {"split_file": "split.json"},
        {"augmentation": {"shift_mm": 3.0}},  # more than registration leaves
    ],
)
def test_what_is_not_a_known_value_is_refused(changes):
    config_from(PLAIN)
    with pytest.raises(InputError) as caught:
        config_from(PLAIN | changes)
    assert caught.value.code == "bad_settings"


@pytest.mark.parametrize(
    "content",
    [
        {"run": {"_target_": "os.system", "command": "true"}},
        {"run": {"_target_": "perfusynth.training.run", "out": "$__import__('os').getcwd()"}},
        {"run": {"_target_": "perfusynth.training.run", "out": "@bundle"}},
        {"run": {"_target_": "perfusynth.training.run", "out": "%other.json"}},
        {"run": {"_target_": "perfusynth.training.run", "task": {"_target_": "os.system"}}},
        {"run": {"_target_": "perfusynth.training.run", "task": [{"inner": "$1"}]}},
        {"run": {"_target_": "perfusynth.training.run"}, "imports": "$import os"},
        {"initialize": "$print()"},
        [],
    ],
)
def test_a_train_json_that_monai_would_execute_is_refused(tmp_path, content):
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "train.json").write_text(json.dumps(content))
    with pytest.raises(InputError) as caught:
        settings_of(tmp_path)
    assert caught.value.code == "bad_train_json"


def test_settings_of_another_family_are_refused(tmp_path):
    spec = read_bundle(small_bundle(tmp_path / "tiny", weights=False)).spec
    with pytest.raises(InputError) as caught:
        task_of(spec.model_copy(update={"family": "cta_gan"}), TurboSettings())
    assert caught.value.code == "other_family"
