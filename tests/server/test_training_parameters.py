"""What a request may ask of a training, and how steps and learning rates reach the bundle's phases."""

import pytest

from perfusynth.server.problems import Problem
from perfusynth.server.training.parameters import TrainingParameters, offered, parse_parameters
from perfusynth.server.training.trainer import shared_out

TASK = {
    "family": "turbo",
    "context": {"steps": 300, "learning_rate": 2e-3, "heads_per_step": 4},
    "slabs": {"steps": 100, "learning_rate": 8e-4},
    "adversarial": {"steps": 0, "learning_rate": 1e-4},
    "crop": [32, 48],
}

ATTACKS = {
    "nothing": {},
    "a path as data": {"data": "/etc"},
    "a climbing path": {"data": "../../studies"},
    "a bundle": {"data": "phantom", "bundle": "/tmp/evil"},
    "a folder to write to": {"data": "phantom", "out": "/etc/cron.d"},
    "a target": {"data": "phantom", "_target_": "os.system"},
    "a script": {"data": "phantom", "script": "import os"},
    "an expression": {"data": "$__import__('os').system('id')"},
    "an expression in a number": {"data": "phantom", "steps": "$1"},
    "weights by path": {"data": "phantom", "start_from": "/tmp/evil.pt"},
    "another bundle's weights": {"data": "phantom", "start_from": "other"},
    "nested": {"data": "phantom", "task": {"perceptual": {"weights": "/etc"}}},
    "MONAI's own parameters": {"data": "phantom", "max_epochs": 1, "gpus": "all", "bundle_path": "/tmp"},
    "a device": {"data": "phantom", "device": "cuda:0"},
    "endless steps": {"data": "phantom", "steps": 10**9},
    "no steps": {"data": "phantom", "steps": 0},
    "not a number": {"data": "phantom", "learning_rate_factor": float("nan")},
    "infinite": {"data": "phantom", "minutes": float("inf")},
    "no seeds": {"data": "phantom", "phantom_seeds": "5:5"},
    "seeds that are no range": {"data": "phantom", "phantom_seeds": "1:2:3"},
    "seeds with a line more": {"data": "phantom", "phantom_seeds": "1:2\n"},
    "seeds in other digits": {"data": "phantom", "phantom_seeds": "١:٢"},
    "resumed with others": {"resume": True, "data": "studies"},
    "a list": [],
    "text": "phantom",
    "null": None,
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_is_not_in_the_schema_is_refused(attack):
    with pytest.raises(Problem) as caught:
        parse_parameters(ATTACKS[attack])
    assert (caught.value.status, caught.value.fields["code"]) == (422, "bad_training_parameters")
    assert "/tmp" not in str(caught.value.fields)


def test_no_parameter_is_a_path_or_free_text():
    schema = TrainingParameters.model_json_schema()["properties"]
    for name, field in schema.items():
        for option in field.get("anyOf", [field]):
            free = option.get("type") == "string" and not ({"enum", "const", "pattern"} & set(option))
            assert not free, name
            assert option.get("type") in ("string", "integer", "number", "boolean", "null"), name


def test_what_is_offered_to_clients_is_taken_back_from_them():
    chosen = {name: value[0] if isinstance(value, list) else value for name, value in offered().items()}
    del chosen["resume"]
    assert parse_parameters(chosen | {"client_id": "Slicer", "model": "ncct_perfusion"}).data == "studies"
    assert set(offered()) <= set(TrainingParameters.model_fields)


def test_steps_are_shared_out_as_the_bundle_does():
    asked = TrainingParameters(data="phantom", steps=40, learning_rate_factor=0.1)
    made = shared_out(TASK, asked)
    assert [made[name]["steps"] for name in ("context", "slabs", "adversarial")] == [30, 10, 0]
    assert made["context"]["learning_rate"] == pytest.approx(2e-4)
    assert made["slabs"]["learning_rate"] == pytest.approx(8e-5)
    assert (made["crop"], made["context"]["heads_per_step"]) == ([32, 48], 4)
    least = shared_out(TASK, TrainingParameters(data="phantom", steps=1))
    assert [least[name]["steps"] for name in ("context", "slabs", "adversarial")] == [1, 1, 0]
    as_is = shared_out(TASK, TrainingParameters(data="phantom"))
    assert as_is == TASK
