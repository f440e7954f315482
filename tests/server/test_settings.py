"""What the server takes out of environment variables."""

import pytest

from perfusynth.errors import InputError
from perfusynth.server.settings import Settings


@pytest.mark.parametrize(
    ("given", "devices"),
    [("cpu", ("cpu",)), ("cuda:0, cuda:1", ("cuda:0", "cuda:1")), ('["auto", "cpu"]', ("auto", "cpu"))],
)
def test_devices_are_a_name_or_a_list(monkeypatch, given, devices):
    monkeypatch.setenv("PERFUSYNTH_DEVICES", given)
    assert Settings.of_environment().devices == devices


@pytest.mark.parametrize("given", ["[cpu", "[]", "[1]", "", "cpu,"])
def test_what_names_no_device_is_refused(monkeypatch, given):
    monkeypatch.setenv("PERFUSYNTH_DEVICES", given)
    with pytest.raises(InputError) as refused:
        Settings.of_environment()
    assert refused.value.code == "bad_setting"
