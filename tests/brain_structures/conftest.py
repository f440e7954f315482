"""A program in TotalSegmentator's place, and a folder that looks like its models."""

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from perfusynth.brain_structures.settings import BrainSettings
from perfusynth.brain_structures.weights import FILES, MODELS

HERE = Path(__file__).parent


@dataclass
class Installation:
    """Program and models; the program obeys, and says what it was given."""

    program: Path
    models: Path

    def obey(self, order: str) -> None:
        """Tell the program what to do from now on; what it was given before is forgotten."""
        (self.program.parent / "order").write_text(order)
        self.seen_file.unlink(missing_ok=True)

    @property
    def seen_file(self) -> Path:
        """There as soon as the program runs."""
        return self.program.parent / "seen"

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
        }


def write_models(folder: Path, resolution: str = "3mm") -> Path:
    """Files where the models' files should be."""
    for model in MODELS[resolution]:
        for file in FILES:
            path = folder / model / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{model} {file}")
    return folder


def install(folder: Path) -> Installation:
    """The stand-in as an executable, with models, in a new folder."""
    folder.mkdir()
    program = folder / "TotalSegmentator"
    program.write_text(f"#!{sys.executable}\n{(HERE / 'stand_in_program.py').read_text()}")
    program.chmod(0o755)
    made = Installation(program, write_models(folder / "models"))
    made.obey("good")
    return made


@pytest.fixture
def installation(tmp_path) -> Installation:
    """The stand-in."""
    return install(tmp_path / "installation")


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
