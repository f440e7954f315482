"""`perfusynth models`: what is installed, which is live, and whether the weights are what they claim."""

from typing import Annotated, Any

import typer


def models(as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False) -> None:
    """List the installed models with version, validation and the SHA-256 of their weights.

    Exit code 2 if any model's weights are not those that its metadata names.
    """
    import json

    from perfusynth.generators.bundles import installed_bundles
    from perfusynth.generators.registry import live_names

    live = live_names()
    rows: list[dict[str, Any]] = []
    for name, bundle in installed_bundles().items():
        actual = bundle.weights_sha256()
        rows.append(
            {
                "name": name,
                "task": bundle.spec.task,
                "live": live.get(bundle.spec.task) == name,
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
            typer.echo(f"{row['name']} {row['version']}{'  (live)' if row['live'] else ''}")
            typer.echo(f"  task         {row['task']} ({row['family']}): {', '.join(row['outputs'])}")
            typer.echo(f"  validated on {row['validated_on']}")
            state = "" if row["intact"] else "  DOES NOT MATCH ITS METADATA"
            typer.echo(f"  weights      sha256 {row['weights_sha256']}{state}")
        if not rows:
            typer.echo("No model is installed.")
    if not all(row["intact"] for row in rows):
        raise typer.Exit(2)
