"""`perfusynth evaluate`: what models can do on patients they have never seen, beside baselines and the ceiling."""

from pathlib import Path
from typing import Annotated

import typer

from perfusynth.cli.seed_range import seed_range


def evaluate(
    models: Annotated[list[str], typer.Argument(help="Tasks, names of installed models, or bundle folders.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the report; an unfinished one is continued.")],
    data: Annotated[Path | None, typer.Option(help="Folder of case folders, instead of digital patients.")] = None,
    phantom_seeds: Annotated[str, typer.Option(help="Digital patients A:B, A included, B not.")] = "3000000:3000200",
    drawn: Annotated[Path | None, typer.Option(help="Folder of drawn patients, read and added to.")] = None,
    baselines: Annotated[bool, typer.Option(help="Measure the untrained baselines, too.")] = True,
    ceiling: Annotated[
        Path | None, typer.Option(help="Folder of `make information-ceiling`: U and skill F of these patients.")
    ] = None,
    processes: Annotated[int, typer.Option(min=1, help="Patients at once.")] = 1,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
) -> None:
    """Measure MODELS side by side on the same patients and write report.html, report.json, patients.csv, pictures.

    Refuses patients that a model was trained or tuned on. Stopped halfway, it goes on where it was; with more models
    or patients in the same folder, only what is missing is made.
    """
    seeds = seed_range(phantom_seeds)  # before anything slow is loaded
    from perfusynth.cli.progress_bar import progress_bar
    from perfusynth.evaluation.model_figures.evaluate import evaluate_cases, evaluate_seeds
    from perfusynth.evaluation.model_figures.plan import plan_of
    from perfusynth.generators.bundles import read_bundle
    from perfusynth.generators.registry import live_bundle

    bundles = [read_bundle(Path(model)) if Path(model).is_dir() else live_bundle(model) for model in models]
    plan = plan_of(bundles, baselines=baselines, data=data, drawn=drawn, device=device)
    with progress_bar("evaluate") as progress:
        if data is not None:
            report = evaluate_cases(plan, out, processes=processes, on_progress=progress)
        else:
            report = evaluate_seeds(plan, seeds, out, ceiling=ceiling, processes=processes, on_progress=progress)
    for name, figures in report["methods"].items():
        dice, icc = figures["overlap"]["dice_6"]["value"], figures["volumes"]["tmax_6"]["all"]["icc"]["value"]
        typer.echo(f"{name}: Dice {_number(dice)}, ICC {_number(icc)}")
    for text in report["leak_warnings"].values():
        typer.echo(f"warning: {text}")
    if report["clinical_default"]:
        typer.echo(f"clinical default: {report['clinical_default']['model']}")
    typer.echo(f"report: {out / 'report.html'}")


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
