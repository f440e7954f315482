"""A program in TotalSegmentator's place, and a folder that looks like its models."""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from perfusynth.brain_structures.settings import BrainSettings
from perfusynth.brain_structures.weights import FILES, MODELS

HERE = Path(__file__).parent


@dataclass
class Installation:
    """Program, models, and what the program was given."""

    program: Path
    models: Path
    seen_file: Path

    @property
    def seen(self) -> dict:
        """What the program was given."""
        return json.loads(self.seen_file.read_text())

    def settings(self, **changes) -> BrainSettings:
        """Settings that name it."""
        named = {"totalsegmentator": self.program, "totalsegmentator_weights": self.models}
        return BrainSettings(**named | changes)

    def environment(self) -> dict[str, str]:
        """The same as variables."""
        return {
            "PERFUSYNTH_TOTALSEGMENTATOR": str(self.program),
            "PERFUSYNTH_TOTALSEGMENTATOR_WEIGHTS": str(self.models),
            "STAND_IN_SEEN": str(self.seen_file),
        }


def write_models(folder: Path, resolution: str = "3mm") -> Path:
    """Files where the models' files should be."""
    for model in MODELS[resolution]:
        for file in FILES:
            path = folder / model / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{model} {file}")
    return folder


def write_program(path: Path) -> Path:
    """The stand-in as an executable."""
    path.write_text(f"#!{sys.executable}\n{(HERE / 'stand_in_program.py').read_text()}")
    path.chmod(0o755)
    return path


@pytest.fixture
def installation(tmp_path, monkeypatch) -> Installation:
    """The stand-in; obeys the variable ``STAND_IN``."""
    folder = tmp_path / "installation"
    folder.mkdir()
    made = Installation(write_program(folder / "TotalSegmentator"), write_models(folder / "models"), folder / "seen")
    monkeypatch.setenv("STAND_IN_SEEN", str(made.seen_file))
    return made


@pytest.fixture
def obey(monkeypatch) -> Callable[[str], None]:
    """Gives the stand-in its order."""
    return lambda order: monkeypatch.setenv("STAND_IN", order)


def is_running(pid: int) -> bool:
    """Whether a process lives; one that nobody reaps does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def all_gone(pids: list[int], within_s: float = 5.0) -> bool:
    """Whether none of these processes lives, at the latest after that time."""
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        if not any(map(is_running, pids)):
            return True
        time.sleep(0.05)
    return False
