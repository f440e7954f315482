"""A stand-in pipeline: does what the text after its input's first bytes says; and an application that uses it."""

import json
import os
import signal
import subprocess
import tempfile
import time
import zipfile
from pathlib import Path

from perfusynth.errors import InputError
from perfusynth.server.jobs.protocol import WorkerSpec
from perfusynth.server.tasks import TaskInfo

#: What makes an upload look like a .nii.gz to the server.
MAGIC = b"\x1f\x8b"
TASKS = {
    "ncct_perfusion": TaskInfo("ncct_perfusion", "stand-in", ("ncct",)),
    "two_inputs": TaskInfo("two_inputs", "stand-in", ("dwi", "flair")),
}
SPEC = WorkerSpec(tuple(TASKS), factory="stand_ins:StandIn.load", search_path=(str(Path(__file__).parent),))


def order(text: str) -> bytes:
    """An image that is an order to the stand-in."""
    return MAGIC + text.encode()


class StandIn:
    """Obeys its input.

    ``sleep S`` and ``until FILE`` (is there) cooperate with cancelling, ``busy S`` does not (nor ``unpack S``, which
    has temporary files and a process of its own by then), ``crash`` kills its process, ``crash-once FILE`` only while
    FILE is missing, ``refuse`` and ``fault`` raise; anything else succeeds at once.
    """

    def __init__(self, model: str):
        self._model = model

    @classmethod
    def load(cls, task: str, *, device: str = "auto") -> "StandIn":
        if task == "broken":
            raise InputError("No model.", expected="a model", got="none", hint="Install one.", code="unknown_model")
        return cls(task)

    def warm_up(self) -> None:
        pass

    def run(self, inputs, out, *, options, on_progress):
        word, _, argument = next(iter(inputs.values())).read_bytes().removeprefix(MAGIC).decode().partition(" ")
        if word == "sleep":
            end = time.monotonic() + float(argument)
            while time.monotonic() < end:
                on_progress("generate", 0.5)
                time.sleep(0.02)
        elif word == "until":
            while not Path(argument).exists():
                on_progress("generate", 0.5)
                time.sleep(0.02)
        elif word in ("busy", "unpack"):
            if word == "unpack":
                child = subprocess.Popen(["sleep", argument])
                (Path(tempfile.mkdtemp()) / "child.dcm").write_text(str(child.pid))
            on_progress("generate", 0.5)
            time.sleep(float(argument))
        elif word == "crash" or (word == "crash-once" and not Path(argument).exists()):
            if argument:
                Path(argument).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        elif word == "refuse":
            raise InputError("Not a head.", expected="a head", got="another", hint="Send a head.", code="not_a_head")
        elif word == "fault":
            raise KeyError("/secret/patient-name")
        on_progress("package", 0.9)
        (out / "tmax.nii.gz").write_bytes(MAGIC + bytes(1000))
        said = {"model": self._model, "options": options.model_dump(mode="json"), "inputs": sorted(inputs)}
        measurements = {"origin": "synthetic", **said}
        (out / "measurements.json").write_text(json.dumps(measurements))


class NeverLoads:
    """A pipeline whose model is missing."""

    @classmethod
    def load(cls, task: str, *, device: str = "auto"):
        raise InputError("No model.", expected="a model", got="none", hint="Install one.", code="unknown_model")


def names_in(archive: Path) -> list[str]:
    """Names in a zip, which must not be compressed again."""
    with zipfile.ZipFile(archive) as opened:
        assert all(info.compress_type == zipfile.ZIP_STORED for info in opened.infolist())
        return sorted(opened.namelist())
