"""The house rules that a machine can hold: arrows run one way, and quick commands stay quick."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def test_imports_follow_the_layers():
    from importlinter.cli import lint_imports

    assert lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True) == 0


@pytest.mark.parametrize("module", ["perfusynth.cli.main", "perfusynth.readers.read", "perfusynth.generators.registry"])
def test_quick_modules_load_no_heavy_library(module):
    heavy = "torch", "monai", "diffusers", "matplotlib", "SimpleITK", "nilearn", "monailabel"
    code = f"import sys, {module}; print([name for name in {heavy!r} if name in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert out.stdout.strip() == "[]"


def test_rooms_stay_small():
    long = {
        str(path.relative_to(ROOT)): lines
        for folder in ("perfusynth", "apps", "tests")
        for path in (ROOT / folder).rglob("*.py")
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > 400
    }
    assert not long


def test_every_direct_dependency_has_its_reason():
    reasons = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8").lower()
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = [
        word
        for line in makefile.replace("\\\n", " ").splitlines()
        if line.startswith(("RUNTIME :=", "DEVELOPMENT :="))
        for word in line.split(":=")[1].split()
    ]
    assert len(named) > 30
    assert [name for name in named if f"`{name.lower()}`" not in reasons] == []


def test_every_installed_version_is_exact():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert len(pins) > 100
    assert all("==" in pin for pin in pins)
