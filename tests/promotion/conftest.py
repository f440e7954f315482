"""An installation of its own for each test, and a small bundle that tests copy."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from tests.generators.tiny import write_tiny_bundle


@pytest.fixture(scope="session")
def tiny(tmp_path_factory) -> Path:
    return write_tiny_bundle(tmp_path_factory.mktemp("bundles") / "tiny")


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    folder = tmp_path / "home"
    monkeypatch.setenv("PERFUSYNTH_HOME", str(folder))
    return folder
