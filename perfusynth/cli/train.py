"""`perfusynth train`: train a task's generator on digital patients or on cases of one's own; stop and go on at will."""

from pathlib import Path
from typing import Annotated, Any

import typer


def train(
    task: Annotated[str, typer.Argument(help="Task or installed model, for example ncct_perfusion.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the run; an unfinished run in it goes on.")],
    data: Annotated[Path | None, typer.Option(help="Folder of case folders to train on.")] = None,
    phantom_seeds: Annotated[str | None, typer.Option(help="Digital patients A:B to train on.")] = None,
    start_from: Annotated[
        str | None, typer.Option("--from", help="Begin with the weights of this model or bundle folder (fine-tuning).")
    ] = None,
    split: Annotated[Path | None, typer.Option(help="split.json that says which case is in which part.")] = None,
    drawn: Annotated[Path | None, typer.Option(help="Folder that keeps digital patients once they are drawn.")] = None,
    minutes: Annotated[float | None, typer.Option(help="Stop after so long; run again to go on.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Any setting, NAME=VALUE, for example task.learning_rate=1e-4.")
    ] = None,
    bundle: Annotated[Path | None, typer.Option(help="Bundle folder that names the network; default: TASK's.")] = None,
    export: Annotated[
        Path | None, typer.Option(help="Write the trained bundle as this folder, instead of keeping it as a candidate.")
    ] = None,
) -> None:
    """Train with the settings of the bundle's train.json; what comes out is kept as a candidate.

    Without --data or --phantom-seeds, on the patients that it names. Fine-tuning on a hospital's own cases:
    perfusynth train ncct_perfusion --from ncct_perfusion --data CASES -o RUN --export BUNDLE
    """
    from perfusynth.cli.seed_range import seed_range
    from perfusynth.generators.bundles import read_bundle
    from perfusynth.generators.candidates import keep_candidate
    from perfusynth.generators.registry import live_bundle
    from perfusynth.training.bundle_settings import settings_of
    from perfusynth.training.config import config_from
    from perfusynth.training.engine import train as run_training
    from perfusynth.training.export import check_target, export_bundle

    if export:
        check_target(export)
    folder = read_bundle(bundle).path if bundle else live_bundle(task).path
    values = settings_of(folder) | {"bundle": folder, "out": out, "device": device}
    if data is not None or phantom_seeds is not None:  # in place of the patients that train.json names
        values = {name: value for name, value in values.items() if name not in ("data", "phantom_seeds", "split_file")}
    if data is not None:
        values["data"] = data
    if phantom_seeds is not None:
        seeds = seed_range(phantom_seeds)
        values["phantom_seeds"] = (seeds.start, seeds.stop)
    if start_from is not None:
        named = Path(start_from)
        values["start_from"] = read_bundle(named).path if named.is_dir() else live_bundle(start_from).path
    given = {"split_file": split, "drawn": drawn, "minutes": minutes}
    values |= {name: value for name, value in given.items() if value is not None}
    for setting in set_ or []:
        _put(values, setting)
    config = config_from(values)
    with _shown() as (on_step, on_progress):
        ended = run_training(config, on_step, on_progress)
    _tell_left_out(ended.folder)
    if not ended.finished:
        typer.echo(f"stopped at step {ended.step} of {ended.of}; run again to go on: {ended.folder}")
        return
    typer.echo(f"trained: {ended.folder}")
    if export:
        typer.echo(f"bundle: {export_bundle(ended.folder, export)}")
    else:
        kept = keep_candidate(lambda fresh: export_bundle(ended.folder, fresh), folder.name)
        typer.echo(f"candidate: {kept.name} (`perfusynth models promote {kept.name}` makes it live)")


def _put(values: dict[str, Any], setting: str) -> None:
    """Put ``a.b=value`` into nested settings; the value is JSON, or else text. Its type is checked with all others."""
    import json

    from perfusynth.cli.refusals import bad_option

    name, equals, text = setting.partition("=")
    if not equals or not all(name.split(".")):
        raise bad_option("train", "This setting cannot be read.", "NAME=VALUE", repr(setting[:64]))
    try:
        value = json.loads(text)
    except ValueError:
        value = text
    *outer, last = name.split(".")
    for part in outer:
        inner = values.setdefault(part, {})
        if not isinstance(inner, dict):
            raise bad_option("train", "This setting cannot be read.", f"{part} with settings in it", repr(setting[:64]))
        values = inner
    values[last] = value


def _tell_left_out(folder: Path) -> None:
    """Name the cases that were left out, with the reason of each."""
    import json

    from perfusynth.training.data.patients import LEFT_OUT_FILE

    path = folder / LEFT_OUT_FILE
    left_out = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    for name, reason in left_out.items():
        typer.echo(f"left out: {name}: {reason}", err=True)


def _shown():
    """Progress on standard error: steps, time left, newest figures."""
    from contextlib import contextmanager
    from datetime import timedelta

    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    from perfusynth.training.phase_run import Told

    columns = (TextColumn("{task.fields[stage]}"), BarColumn(), TextColumn("{task.fields[told]}"))

    @contextmanager
    def shown():
        with Progress(*columns, console=Console(stderr=True)) as bar:
            row = bar.add_task("", total=1.0, stage="", told="")

            def on_step(told: Told) -> None:
                left = timedelta(seconds=round(told.seconds_left))
                figures = " ".join(f"{name} {value:.3g}" for name, value in told.figures.items())
                line = f"{told.step} of {told.of}, {left} left, {figures}"
                bar.update(row, completed=told.step / told.of, stage=told.phase, told=line)

            def on_progress(stage: str, fraction: float) -> None:
                bar.update(row, completed=fraction, stage=stage)

            yield on_step, on_progress

    return shown()
