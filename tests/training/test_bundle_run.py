"""A bundle's train.json is run by MONAI's own command, in two processes."""

import json

from tests.training.small_cases import small_bundle, write_cases
from tests.training.two_processes import together


def test_monai_runs_a_bundle_in_two_processes(tmp_path):
    bundle, data = small_bundle(tmp_path / "tiny"), write_cases(tmp_path / "cases", 6)
    split = {"kind": "cases", "names": {"train": [f"case{n:02d}" for n in range(5)], "tune": ["case05"]}}
    (tmp_path / "split.json").write_text(json.dumps(split))
    config = bundle / "configs" / "train.json"
    values = json.loads(config.read_text())
    places = {"data": data, "out": tmp_path / "run", "split_file": tmp_path / "split.json"}
    values["run"] |= {name: str(place) for name, place in places.items()}
    config.write_text(json.dumps(values))
    together("-m", "monai.bundle", "run", "--config_file", config)
    lines = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if line["kind"] == "train"] == [1, 2, 3, 4, 5, 6]
    standing = json.loads((tmp_path / "run" / "checkpoint" / "standing.json").read_text())
    assert standing["phase"] == 2
