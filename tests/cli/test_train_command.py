"""`perfusynth train` as a user runs it: cases in, a bundle out; refusals in one line and before the work."""

import json

import pytest
import typer
from typer.testing import CliRunner

from perfusynth.cli.train import train
from perfusynth.errors import InputError
from perfusynth.generators.bundles import read_bundle
from perfusynth.generators.candidates import candidates
from perfusynth.generators.loading import load_generator
from tests.training.small_cases import small_bundle, write_cases


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("train")
    small_bundle(folder / "tiny")
    write_cases(folder / "cases", 5)
    (folder / "cases" / "case03" / "cbf.nii.gz").unlink()
    split = {"kind": "cases", "names": {"train": ["case00", "case01", "case03"], "tune": ["case02"]}}
    (folder / "split.json").write_text(json.dumps(split))
    return folder


def run(folder, *arguments: object):
    """Run the command in this process; what it refuses is raised as in `main`, which turns it into one line."""
    app = typer.Typer()
    app.command()(train)
    every = ["ncct_perfusion", "--bundle", folder / "tiny", "--device", "cpu", *arguments]
    ended = CliRunner().invoke(app, [str(argument) for argument in every])
    if isinstance(ended.exception, InputError):
        raise ended.exception
    return ended


def test_fine_tuning_on_cases_of_ones_own_is_one_command(folder, tmp_path):
    ended = run(
        folder, "--data", folder / "cases", "--split", folder / "split.json", "--from", folder / "tiny",
        "--set", "task.slabs.steps=2", "--set", "seed=3", "-o", tmp_path / "run", "--export", tmp_path / "made",
    )  # fmt: skip
    assert ended.exit_code == 0, ended.output
    made = read_bundle(tmp_path / "made")
    load_generator(made, device="cpu")
    assert made.spec.training["settings"]["task"]["slabs"]["steps"] == 2
    assert made.spec.training["settings"]["seed"] == 3
    assert made.spec.training["start_from"]["name"] == "tiny"
    assert "left out: case03: missing_file" in ended.output
    assert "left out: case04: not_in_split" in ended.output


def test_a_run_in_chunks_says_where_it_stands_and_goes_on_to_a_candidate(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("PERFUSYNTH_HOME", str(tmp_path / "home"))
    arguments = ["--data", folder / "cases", "--split", folder / "split.json", "-o", tmp_path / "run"]
    stopped = run(folder, *arguments, "--minutes", "1e-6")
    assert stopped.exit_code == 0
    assert "stopped at step 1 of 6; run again to go on" in stopped.output
    ended = run(folder, *arguments)
    assert "trained:" in ended.output
    ((name, kept),) = candidates().items()
    assert f"perfusynth models promote {name}" in ended.output
    assert name.startswith("tiny-")
    kept.verify()
    steps = [json.loads(line)["step"] for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert sorted(set(steps)) == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--set", "beauty=1"], "bad_settings"),
        (["--set", "task.slabs.steps=many"], "bad_settings"),
        (["--set", "task._target_=os.system"], "bad_settings"),
        (["--set", "nothing"], "bad_option"),
        (["--set", "bundle.inner=1"], "bad_option"),
        (["--phantom-seeds", "9:3"], "bad_seeds"),
        (["--phantom-seeds", "3:9"], "no_phantom"),  # they are not drawn on this small grid
        (["--phantom-seeds", "3:9", "--data", "cases"], "bad_settings"),
        (["--data", "nowhere"], "no_cases"),
        (["--from", "nobody"], "unknown_model"),
        (["--device", "abacus"], "bad_device"),
        (["--export", "."], "exists"),
    ],
)
def test_what_cannot_be_is_refused_before_the_work(folder, tmp_path, arguments, code):
    with pytest.raises(InputError) as caught:
        run(folder, "-o", tmp_path / "run", *arguments)
    assert caught.value.code == code
    assert not (tmp_path / "run" / "checkpoint").exists()
