"""`perfusynth models`: what is installed and live; installing, promoting and rolling back, and the history of it."""

from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(help="Installed models and candidates: list, install, promote, roll back.", no_args_is_help=False)


@app.callback(invoke_without_command=True)
def models(
    context: typer.Context, as_json: Annotated[bool, typer.Option("--json", help="Print the list as JSON.")] = False
) -> None:
    """List models and candidates with version, validation and the SHA-256 of their weights.

    Exit code 2 if any model's weights are not those that its metadata names.
    """
    if context.invoked_subcommand is not None:
        return
    import json

    from perfusynth.generators.bundles import installed_bundles
    from perfusynth.generators.candidates import candidates
    from perfusynth.generators.registry import live_names

    live = live_names()
    waiting = candidates()
    rows: list[dict[str, Any]] = []
    for name, bundle in {**waiting, **installed_bundles()}.items():
        actual = bundle.weights_sha256()
        rows.append(
            {
                "name": name,
                "task": bundle.spec.task,
                "live": live.get(bundle.spec.task) == name and name not in waiting,
                "candidate": name in waiting,
                "version": bundle.version,
                "family": bundle.spec.family,
                "validated_on": bundle.spec.validated_on,
                "weights_sha256": actual,
                "intact": actual == bundle.spec.weights_sha256,
                "outputs": [f"{output.name} [{output.unit}]" for output in bundle.spec.outputs],
            }
        )
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
    else:
        for row in rows:
            state = "  (live)" if row["live"] else "  (candidate)" if row["candidate"] else ""
            typer.echo(f"{row['name']} {row['version']}{state}")
            typer.echo(f"  task         {row['task']} ({row['family']}): {', '.join(row['outputs'])}")
            typer.echo(f"  validated on {row['validated_on']}")
            fault = "" if row["intact"] else "  DOES NOT MATCH ITS METADATA"
            typer.echo(f"  weights      sha256 {row['weights_sha256']}{fault}")
        if not rows:
            typer.echo("No model is installed.")
    if not all(row["intact"] for row in rows):
        raise typer.Exit(2)


@app.command()
def install(
    source: Annotated[Path, typer.Argument(help="Bundle folder, or a zip of one.")],
    name: Annotated[str | None, typer.Option(help="What to call it here; default: the folder's name.")] = None,
) -> None:
    """Install a bundle; it is live only when it is promoted. Known files only, nothing in it is executed."""
    from perfusynth.promotion.install import install as take_in

    bundle = take_in(source, name)
    typer.echo(f"installed: {bundle.name} {bundle.version}, weights sha256 {bundle.spec.weights_sha256}")


@app.command()
def promote(
    candidate: Annotated[str, typer.Argument(help="A candidate, or an installed model.")],
    task: Annotated[str | None, typer.Option(help="Refuse unless this is the candidate's task.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask, for scripts.")] = False,
    report: Annotated[
        Path | None, typer.Option(help="report.json of an evaluation of both models on the same cases.")
    ] = None,
    phantom_seeds: Annotated[
        str | None, typer.Option(help="Evaluate both now, on digital patients A:B, B not included.")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="Evaluate both now, on a folder of case folders.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder of the evaluation; one that was stopped is continued.")
    ] = None,
) -> None:
    """Put a model live: shows its figures beside the live model's on the same cases, asks, and writes the history."""
    from perfusynth.cli.comparison import compare, table
    from perfusynth.cli.refusals import bad_option
    from perfusynth.promotion.promote import check_promotable, find_candidate
    from perfusynth.promotion.promote import promote as put_live

    bundle = find_candidate(candidate)
    if task not in (None, bundle.spec.task):
        raise bad_option("models promote", f"{bundle.name} is for another task.", str(task), bundle.spec.task)
    live = check_promotable(bundle)
    comparison = compare(bundle, live, report=report, phantom_seeds=phantom_seeds, data=data, out=out)
    comparison.check_weights(bundle, live)
    for line in table(comparison):
        typer.echo(line)
    question = f"Put {bundle.name} live for {bundle.spec.task} in place of {live.name if live else 'nothing'}?"
    if not (yes or typer.confirm(question)):
        typer.echo("Nothing was changed.")
        raise typer.Exit(1)
    order = put_live(bundle, comparison)
    typer.echo(f"live: {bundle.name} for {order.task}, by {order.who}")
    typer.echo("A running server takes it between two jobs; `perfusynth models rollback` goes back.")


@app.command()
def rollback(
    task: Annotated[str, typer.Argument(help="Task, for example ncct_perfusion.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask, for scripts.")] = False,
) -> None:
    """Put the model live again that was live before the present one."""
    from perfusynth.promotion.promote import previous, roll_back

    earlier = previous(task)
    name = earlier.name if earlier else "no model"
    if not (yes or typer.confirm(f"Put {name} live for {task} again?")):
        typer.echo("Nothing was changed.")
        raise typer.Exit(1)
    order = roll_back(task)
    typer.echo(f"live: {name} for {task}, by {order.who}")


@app.command()
def history(
    task: Annotated[str | None, typer.Option(help="Of this task alone.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON, with figures.")] = False,
) -> None:
    """Who put which model live when, oldest first."""
    import json

    from perfusynth.promotion.history import changes, unreadable_lines

    found = changes(task)
    if as_json:
        rows = [change.order.model_dump(mode="json", by_alias=True) | {"event": change.state} for change in found]
        typer.echo(json.dumps(rows, indent=2))
        return
    for change in found:
        order = change.order
        before, after = (
            f"{model.name} {model.version} ({model.weights_sha256[:12]})" if model else "no model"
            for model in (order.before, order.after)
        )
        state = "" if change.state == "done" else f"  {change.state.upper()}"
        typer.echo(f"{order.at:%Y-%m-%d %H:%M:%S} UTC  {order.kind}  {order.task}  by {order.who}{state}")
        typer.echo(f"  from {before}")
        typer.echo(f"  to   {after}")
        if order.report_sha256:
            typer.echo(f"  on the figures of the report with sha256 {order.report_sha256}")
    lost = unreadable_lines()
    if lost:
        typer.echo(f"{lost} lines of promotions.jsonl cannot be read.", err=True)
    if not found:
        typer.echo("Nothing was promoted yet.")
