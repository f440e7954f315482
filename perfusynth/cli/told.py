"""What a command prints of the measurements that it wrote."""

from pathlib import Path

import typer

from perfusynth.perfusion.measurements import Measurements
from perfusynth.report.facts import interval_words


def tell(measurements: Measurements, out: Path) -> None:
    """Print banners, notes, checks, volumes, core and side, and where the result lies."""
    m = measurements
    for line in [*m.notices, *(f"note: {note}" for note in m.input.notes)]:
        typer.echo(line)
    for check in m.checks:
        overridden = " (overridden)" if check.code in m.overrides else ""
        typer.echo(f"{check.severity}: {check.message}{overridden}")
    if m.domain is not None and m.domain.verdict == "unusual":
        typer.echo(f"warn: {m.domain.text} The maps may mean nothing.")
        for figure in m.domain.unusual:
            typer.echo(f"warn: sticks out: {figure}")
    for line in _volumes(m):
        typer.echo(line)
    if m.intervals is not None and m.intervals.withheld is not None:
        typer.echo(f"intervals withheld: {m.intervals.withheld}")
    typer.echo(f"side: {m.laterality.side}" if m.laterality else "side: not measured")
    typer.echo(f"result: {out}")


def _volumes(m: Measurements) -> list[str]:
    """One line a volume, with its interval where there is one."""
    found = m.intervals
    ends = {} if found is None or found.volumes_ml is None else dict(found.volumes_ml)
    core_ends = None if found is None else found.core_ml

    def line(label: str, ml: float, interval: tuple[float, float] | None) -> str:
        if found is None or found.level is None or interval is None:
            return f"{label}: {ml:.1f} mL"
        return f"{label}: {ml:.1f} mL ({interval_words(found.level, interval)})"

    lines = [line(f"Tmax > {key} s", ml, ends.get(key)) for key, ml in (m.volumes_ml or {}).items()]
    return [*lines, line("core", m.core.ml, core_ends) if m.core else "core: not measured"]
