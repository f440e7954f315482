"""`python -m perfusynth.evaluation.registration_effect`: trained on misregistered phantoms, then after correction."""

from pathlib import Path
from typing import Annotated

import typer

from perfusynth import atomic
from perfusynth.evaluation.command_line import run

#: File of the table, and the block of docs/studies.md that it renews.
TABLE_FILE, BLOCK = "table.md", "registration-effect"


def effect(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of cases, runs, models and evaluation.")],
    drawn: Annotated[Path, typer.Option(help="Folder that keeps digital patients once they are drawn.")],
    patients: Annotated[int, typer.Option(min=2, help="How many to train on; one sixth more to tune on.")] = 96,
    test: Annotated[int, typer.Option(min=2, help="How many to measure on.")] = 48,
    steps: Annotated[int, typer.Option(min=4, help="Of each training.")] = 800,
    first: Annotated[int, typer.Option(min=0, help="Seed of the first to train on.")] = 1_000_000,
    first_test: Annotated[int, typer.Option(min=0, help="Seed of the first to measure on.")] = 7_000_000,
    docs: Annotated[Path | None, typer.Option(help="Folder with studies.md: its table is renewed.")] = None,
) -> None:
    """Train the same model twice, and measure both on new patients; continues where it was stopped."""
    from rich.console import Console
    from rich.progress import Progress

    from perfusynth.evaluation.page_block import put_between_markers
    from perfusynth.evaluation.registration_effect.study import Study, run_study, table
    from perfusynth.phantom.version import PHANTOM_VERSION, parameter_hash

    tune = range(first + patients, first + patients + max(1, patients // 6))
    study = Study(range(first, first + patients), tune, range(first_test, first_test + test), steps)
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("", total=1.0)
        report = run_study(
            study, out, drawn, lambda stage, done: progress.update(task, description=stage, completed=done)
        )
    text = (
        f"Phantom {PHANTOM_VERSION}, parameters {parameter_hash()[:12]}; {patients} patients to train on, {steps} "
        f"steps, {test} others to measure on (seeds from {first_test}).\n\n{table(report)}"
    )
    atomic.write_bytes(out / TABLE_FILE, text.encode())
    if docs is not None:
        put_between_markers(docs / "studies.md", BLOCK, text)
    typer.echo(text)


if __name__ == "__main__":
    run(effect)
