"""The parameter hash: the same in every process, changed by any constant that makes a case, and by nothing else."""

import os
import subprocess
import sys

import pytest

from perfusynth.perfusion.deconvolution import inverse
from perfusynth.phantom import version
from perfusynth.phantom.case import truth
from perfusynth.phantom.ct import scanners
from perfusynth.phantom.ctp import kinetics, maps
from perfusynth.phantom.stroke import ischaemia, traits
from perfusynth.phantom.version import parameter_hash


def test_another_process_finds_the_same_hash():
    """Python orders its sets by a seed of the process, and gives objects other addresses: neither may enter."""
    code = "from perfusynth.phantom.version import parameter_hash; print(parameter_hash())"
    for seed in ("1", "2"):
        ran = subprocess.run(
            [sys.executable, "-c", code], env=os.environ | {"PYTHONHASHSEED": seed}, capture_output=True, check=True
        )
        assert ran.stdout.decode().strip() == parameter_hash()


@pytest.mark.parametrize(
    ("module", "name", "value"),
    [
        (ischaemia, "MTT_MAX_S", ischaemia.MTT_MAX_S + 0.001),
        (ischaemia, "PENUMBRA_RCBF", ((0.35, 0.40), (0.80, 0.36))),  # one number within a tuple
        (traits, "HIR", traits.HIR | {"poor": 0.76}),  # within a dict
        (kinetics, "DELAY_NODES_S", kinetics.DELAY_NODES_S[:-1]),  # an array
        (scanners, "SCANNERS", dict(list(scanners.SCANNERS.items())[1:])),  # settings in a dict
        (inverse, "LAG_STEP_S", inverse.LAG_STEP_S / 2),
        (maps, "DECONVOLUTION", kinetics.STANDARD_DECONVOLUTION),
        (version, "PHANTOM_VERSION", "1.0.1"),
    ],
    ids=lambda value: value if isinstance(value, str) and value.isupper() else "",
)
def test_a_constant_that_makes_a_case_changes_it(monkeypatch: pytest.MonkeyPatch, module, name: str, value):
    before = parameter_hash()
    monkeypatch.setattr(module, name, value)
    assert parameter_hash() != before


def test_a_name_that_is_only_imported_does_not_count(monkeypatch: pytest.MonkeyPatch):
    before = parameter_hash()
    monkeypatch.setattr(ischaemia, "AIF_PEAK_HU", (300.0, 80.0), raising=False)  # as `from ... import` would leave it
    assert parameter_hash() == before
    # ... nor where it is imported already, while it counts where it is defined.
    monkeypatch.setattr(kinetics, "AIF_PEAK_HU", (1.0, 2.0))
    assert parameter_hash() == before


def test_what_only_writes_a_case_down_does_not_count(monkeypatch: pytest.MonkeyPatch):
    before = parameter_hash()
    monkeypatch.setattr(truth, "CORE_SHARE", 0.9)
    assert parameter_hash() == before


def test_the_rooms_that_make_a_case_are_all_read():
    rooms = {name.rsplit(".", 1)[0] for name in (module.__name__ for module in version._modules())}
    made = {f"perfusynth.phantom.{room}" for room in ("arteries", "ct", "ctp", "head", "mr", "stroke")}
    assert made | {"perfusynth.phantom", "perfusynth.perfusion.deconvolution"} <= rooms
    assert "perfusynth.phantom.case" not in rooms
