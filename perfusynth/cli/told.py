"""What a command prints of the measurements that it wrote."""

from pathlib import Path

import typer

from perfusynth.perfusion.measurements import Measurements


def tell(measurements: Measurements, out: Path) -> None:
    """Print banners, notes, checks, volumes, core and side, and where the result lies."""
    m = measurements
    for line in [*m.notices, *(f"note: {note}" for note in m.input.notes)]:
        typer.echo(line)
    for check in m.checks:
        overridden = " (overridden)" if check.code in m.overrides else ""
        typer.echo(f"{check.severity}: {check.message}{overridden}")
    for key, ml in (m.volumes_ml or {}).items():
        typer.echo(f"Tmax > {key} s: {ml:.1f} mL")
    typer.echo(f"core: {m.core.ml:.1f} mL" if m.core else "core: not measured")
    typer.echo(f"side: {m.laterality.side}" if m.laterality else "side: not measured")
    typer.echo(f"result: {out}")
