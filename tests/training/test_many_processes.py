"""Two processes train together as one would with batches of twice the size."""

import json
from pathlib import Path

import pytest
import torch

from perfusynth.training.config import config_from
from tests.training.distributed_script import main
from tests.training.small_cases import QUICK, small_bundle, write_cases
from tests.training.two_processes import ROOT, together


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("together")
    small_bundle(folder / "tiny")
    write_cases(folder / "cases", 6)
    split = {"kind": "cases", "names": {"train": [f"case{n:02d}" for n in range(5)], "tune": ["case05"]}}
    (folder / "split.json").write_text(json.dumps(split))
    return folder


def settings(folder, out) -> Path:
    places = {"bundle": folder / "tiny", "data": folder / "cases", "split_file": folder / "split.json"}
    optimiser = {"warmup_steps": 0, "gradient_clip": 1e9}
    values = {name: value for name, value in QUICK.items() if name != "task"} | places
    path = folder / f"{out}.json"
    path.write_text(config_from(values | {"out": folder / out, "optimiser": optimiser}).model_dump_json())
    return path


def test_two_processes_end_with_equal_weights_that_one_with_twice_the_batch_would_have(folder):
    together(ROOT / "tests/training/distributed_script.py", settings(folder, "shared"), 2)
    ranks = [torch.load(folder / "shared" / f"rank{rank}.pt") for rank in (0, 1)]
    for name, tensor in ranks[0]["weights"].items():
        assert torch.equal(tensor, ranks[1]["weights"][name]), name
    main(settings(folder, "alone"), 4)
    alone = torch.load(folder / "alone" / "rankalone.pt")
    assert alone["gradients"]
    for name, gradient in alone["gradients"].items():
        torch.testing.assert_close(ranks[0]["gradients"][name], gradient, rtol=1e-4, atol=1e-7)
    assert (folder / "shared" / "log.jsonl").read_text().count('"kind": "train"') == 3, "the first one alone writes"
