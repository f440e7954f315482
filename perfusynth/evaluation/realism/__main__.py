"""`python -m perfusynth.evaluation.realism`: measure many digital patients, and write table, pictures and page."""

from pathlib import Path
from typing import Annotated

import typer

from perfusynth import atomic
from perfusynth.evaluation.command_line import run


def realism(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for rows.jsonl, table.json, table.md, pictures.")],
    patients: Annotated[int, typer.Option(min=1, help="How many patients.")] = 500,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the first; the others follow.")] = 6_000_000,
    processes: Annotated[int, typer.Option(min=1, help="Patients measured at once.")] = 1,
    docs: Annotated[
        Path | None, typer.Option(help="Folder with phantom.md: its tables and pictures are renewed.")
    ] = None,
) -> None:
    """Measure digital patients against published ones; continues where an earlier run of the same folder stopped."""
    from rich.console import Console
    from rich.progress import Progress

    from perfusynth.evaluation.page_block import put_between_markers
    from perfusynth.evaluation.realism import distributions, table
    from perfusynth.evaluation.realism.patients import measure_patients
    from perfusynth.evaluation.realism.pictures import draw_all
    from perfusynth.phantom.version import PHANTOM_VERSION, parameter_hash

    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("patients", total=patients)
        rows = measure_patients(
            out / "rows.jsonl",
            range(seed, seed + patients),
            processes,
            lambda done: progress.update(task, completed=done),
        )
    parameters = parameter_hash()
    about = {"phantom_version": PHANTOM_VERSION, "parameter_hash": parameters, "seed": seed, "patients": patients}
    results = table.measure_all(rows)
    heading = (
        f"Phantom {PHANTOM_VERSION}, parameters {parameters[:12]}, {len(rows)} patients, "
        f"seeds {seed} to {seed + patients - 1}.\n\n"
    )
    found, drawn = heading + table.markdown(results), heading + distributions.markdown(rows)
    atomic.write_bytes(out / "table.json", table.as_json(results, about))
    atomic.write_bytes(out / "table.md", found.encode())
    atomic.write_bytes(out / "distributions.md", drawn.encode())
    draw_all(rows, out)
    if docs is not None:
        put_between_markers(docs / "phantom.md", "realism", found)
        put_between_markers(docs / "phantom.md", "distributions", drawn)
        draw_all(rows, docs / "pictures")
    typer.echo(found)


if __name__ == "__main__":
    run(realism)
