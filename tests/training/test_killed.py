"""A run whose process is killed outright, or told to end, goes on to the same curve."""

import json
import os
import signal
import subprocess
import sys

import pytest

from perfusynth.errors import Cancelled
from perfusynth.training.config import TrainingConfig, config_from
from perfusynth.training.engine import train
from tests.training.small_cases import QUICK, small_bundle, write_cases

#: Names that depend on the machine's pace.
TIMES = ("s", "data_wait_s")
#: Trains with the settings in a file and waits after its fifth step to be killed there.
SCRIPT = """
import sys, time
from perfusynth.training.config import TrainingConfig
from perfusynth.training.engine import train

def on_step(told):
    print(told.step, flush=True)
    while told.step == 5:
        time.sleep(0.1)

train(TrainingConfig.model_validate_json(open(sys.argv[1]).read()), on_step)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("killed")
    small_bundle(folder / "tiny")
    write_cases(folder / "cases", 3)
    split = {"kind": "cases", "names": {"train": ["case00", "case01"], "tune": ["case02"]}}
    (folder / "split.json").write_text(json.dumps(split))
    train(config(folder, "whole"))
    return folder


def config(folder, out, **changes) -> TrainingConfig:
    places = {"bundle": folder / "tiny", "data": folder / "cases", "split_file": folder / "split.json"}
    return config_from(QUICK | places | {"out": folder / out, "workers": 1} | changes)


def curve(out) -> list[dict]:
    lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if name not in TIMES} for line in lines]


def weights(out) -> bytes:
    return (out / "checkpoint" / "average.safetensors").read_bytes()


def test_a_killed_run_goes_on_to_the_same_loss_curve(folder):
    settings = folder / "settings.json"
    settings.write_text(config(folder, "killed").model_dump_json())
    run = subprocess.Popen([sys.executable, "-c", SCRIPT, settings], stdout=subprocess.PIPE, text=True)
    while (step := run.stdout.readline().strip()) != "5":
        assert step, "the run ended by itself"
    run.send_signal(signal.SIGKILL)
    run.wait()
    told = []
    train(config(folder, "killed"), told.append)
    assert told[0].step == 5, "goes on after the checkpoint of step 4"
    assert curve(folder / "killed") == curve(folder / "whole")
    assert weights(folder / "killed") == weights(folder / "whole")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_run_that_is_told_to_end_writes_its_checkpoint_first(folder, number):
    before = signal.getsignal(number)

    def tell(told):
        if told.step == 3:
            os.kill(os.getpid(), number)

    settings = config(folder, f"told{number}", checkpoint_every=1000)
    with pytest.raises(Cancelled):
        train(settings, tell)
    assert signal.getsignal(number) == before
    standing = json.loads((settings.out / "checkpoint" / "standing.json").read_text())
    assert (standing["phase"], standing["step"]) == (1, 1)
    train(settings)
    assert curve(settings.out) == curve(folder / "whole")
