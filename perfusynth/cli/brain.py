"""`perfusynth brain`: where the brain is in a head CT, by a method that is told."""

from pathlib import Path
from typing import Annotated

import typer


def brain(
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="NIfTI, NRRD, DICOM folder or zip of a head CT.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The mask's file, such as brain.nii.gz.")],
    method: Annotated[
        str | None, typer.Option(help="builtin or totalsegmentator; default: PERFUSYNTH_BRAIN_METHOD, else builtin.")
    ] = None,
) -> None:
    """Find the brain in a head CT. Research use only.

    OUT receives 0 and 1 on INPUT's grid; a .json file beside it says which method, version and weights made it. What
    totalsegmentator needs, and its settings: docs/brain.md. Where it is not installed nothing takes its place.
    """
    from perfusynth.brain_structures.files import BrainFiles, write_brain
    from perfusynth.brain_structures.methods import brain_extractor
    from perfusynth.cli.progress_bar import progress_bar

    BrainFiles.beside(out)  # a wrong -o must not cost a run
    extractor = brain_extractor(method)
    with progress_bar("brain") as progress:
        told = write_brain(source, out, extractor, on_progress=progress)
    typer.echo(f"research use only\nmethod: {told['method']}")
    for note in told["input"]["notes"]:
        typer.echo(f"note: {note}")
    typer.echo(f"brain: {told['ml']:.0f} mL\nresult: {out}")
