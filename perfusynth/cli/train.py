"""`perfusynth train`: train a task's compact generator on digital patients; stop and resume at will."""

from pathlib import Path
from typing import Annotated

import typer


def train(
    task: Annotated[str, typer.Argument(help="Task, for example ncct_perfusion.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the run; an unfinished run in it is resumed.")],
    steps: Annotated[int | None, typer.Option(min=1, help="Training steps; default: the bundle's train.json.")] = None,
    bundle: Annotated[Path | None, typer.Option(help="Bundle folder; default: the task's live bundle.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    export: Annotated[Path | None, typer.Option(help="When done, write the trained bundle as this new folder.")] = None,
) -> None:
    """Train on digital patients drawn on the fly, with the settings of the bundle's train.json."""
    import json

    from rich.console import Console
    from rich.progress import Progress, TextColumn, TimeRemainingColumn

    from perfusynth.generators.bundles import read_bundle
    from perfusynth.generators.registry import live_bundle
    from perfusynth.training.config import TrainingConfig
    from perfusynth.training.engine import train as run_training
    from perfusynth.training.export import check_target, export_bundle

    if export:
        check_target(export)
    folder = read_bundle(bundle).path if bundle else live_bundle(task).path
    values = json.loads((folder / "configs" / "train.json").read_text(encoding="utf-8"))["run"]
    values.pop("_target_")
    values |= {"bundle": folder, "out": out, "device": device} | ({"steps": steps} if steps else {})
    config = TrainingConfig(**values)
    columns = (TextColumn("step {task.completed:.0f} of {task.total:.0f}"), *Progress.get_default_columns()[1:2])
    with Progress(
        *columns, TimeRemainingColumn(), TextColumn("{task.description}"), console=Console(stderr=True)
    ) as bar:
        row = bar.add_task("", total=config.steps)

        def on_step(step: int, steps: int, figures: dict[str, float]) -> None:
            bar.update(row, completed=step, description=" ".join(f"{k} {v:.3f}" for k, v in figures.items()))

        checkpoint = run_training(config, on_step)
    typer.echo(f"trained: {checkpoint}")
    if export:
        typer.echo(f"bundle: {export_bundle(checkpoint, config, export)}")
