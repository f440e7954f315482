"""`perfusynth phantom`: digital stroke patients as case folders."""

from pathlib import Path
from typing import Annotated

import typer


def phantom(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder that receives one case folder a patient.")],
    patients: Annotated[int, typer.Option(min=1, help="How many patients.")] = 1,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the first; the others follow.")] = 0,
    scanner: Annotated[str, typer.Option(help="Name of the scanner model.")] = "standard_5mm",
) -> None:
    """Make digital stroke patients: NCCT and the maps that a CT perfusion of the same patient would show."""
    from perfusynth.cli.progress_bar import progress_bar
    from perfusynth.errors import InputError
    from perfusynth.phantom.case import write_case
    from perfusynth.phantom.scanners import SCANNERS

    if scanner not in SCANNERS:
        raise InputError(
            f"There is no scanner model {scanner[:32]!r}.",
            expected=f"one of {', '.join(SCANNERS)}",
            got=repr(scanner[:32]),
            hint="Choose one with --scanner.",
            code="unknown_scanner",
        )
    out.mkdir(parents=True, exist_ok=True)
    with progress_bar("phantom") as progress:
        for k in range(patients):
            progress(f"patient {k + 1} of {patients}", k / patients)
            write_case(out / f"phantom-{seed + k}", seed + k, SCANNERS[scanner])
        progress("done", 1.0)
