"""The methods by name: what is asked for is used, or the caller is told."""

import pytest

from perfusynth.brain_structures.methods import brain_extractor
from perfusynth.brain_structures.settings import BrainSettings
from perfusynth.brain_structures.totalsegmentator import TotalSegmentatorBrain
from perfusynth.errors import InputError
from perfusynth.volumes.builtin_brain import BuiltinBrain
from tests.brain_structures.heads import grid, head_with_ball


def test_the_built_in_method_is_the_default():
    assert isinstance(brain_extractor(), BuiltinBrain)


def test_the_installations_method_is_used_where_none_is_named(installation, monkeypatch):
    for name, value in installation.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PERFUSYNTH_BRAIN_METHOD", "totalsegmentator")
    assert isinstance(brain_extractor(), TotalSegmentatorBrain)
    assert isinstance(brain_extractor("builtin"), BuiltinBrain)


def test_nothing_takes_the_place_of_a_method_that_is_not_there(installation, tmp_path):
    for missing in ({"totalsegmentator": tmp_path / "no"}, {"totalsegmentator_weights": tmp_path / "no"}):
        with pytest.raises(InputError, match=r"not installed|not there"):
            brain_extractor("totalsegmentator", installation.settings(**missing))


@pytest.mark.parametrize(
    ("asked", "setting", "told"),
    [("auto", None, "gpu"), ("cpu", None, "cpu"), ("cuda:1", None, "gpu:1"), ("cuda:1", "cpu", "cpu")],
)
def test_the_program_computes_where_the_caller_does_unless_it_is_set(installation, asked, setting, told):
    settings = installation.settings(totalsegmentator_device=setting)
    brain_extractor("totalsegmentator", settings, device=asked).extract(head_with_ball(*grid())[0])
    assert installation.seen["arguments"]["device"] == told


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BRAIN_METHOD", "magic"),
        ("TOTALSEGMENTATOR_DEVICE", "cuda:0"),
        ("TOTALSEGMENTATOR_RESOLUTION", "6mm"),
        ("TOTALSEGMENTATOR_SHA256", "abc"),
        ("TOTALSEGMENTATOR_TIMEOUT_S", "0"),
    ],
)
def test_a_wrong_setting_is_told_by_its_name(monkeypatch, name, value):
    monkeypatch.setenv(f"PERFUSYNTH_{name}", value)
    with pytest.raises(InputError, match=f"PERFUSYNTH_{name} cannot be used") as refused:
        BrainSettings.of_environment()
    assert refused.value.code == "bad_setting"


def test_an_unknown_method_is_refused():
    with pytest.raises(InputError, match="builtin or totalsegmentator") as refused:
        brain_extractor("magic")
    assert refused.value.code == "unknown_brain_method"
