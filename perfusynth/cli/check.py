"""`perfusynth check`: may this image be synthesised, and if not, why and what to do."""

from pathlib import Path
from typing import Annotated

import typer


def check(
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="NIfTI, NRRD, DICOM folder or zip of a head CT.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Check that INPUT is a plain CT of a head that may be synthesised.

    Exit code 0: it may (warnings are printed); 2: it is refused, or cannot be read.
    """
    import json

    from perfusynth.errors import InputError
    from perfusynth.readers.read import read_scan
    from perfusynth.volumes.builtin_brain import BuiltinBrain
    from perfusynth.volumes.findings import Finding
    from perfusynth.volumes.head_check import check_anatomy, check_image, refusals

    scan = read_scan(source)
    findings = check_image(scan.volume, scan.acquisition)
    if not refusals(findings, ()):
        try:
            findings += check_anatomy(scan.volume, BuiltinBrain().extract(scan.volume))
        except InputError as error:
            findings.append(Finding(error.code, "refuse", f"{error.error} {error.hint}", error.expected, error.got))
    refused = refusals(findings, ())
    if as_json:
        report = {
            "accepted": not refused,
            "findings": [finding.as_dict() for finding in findings],
            "notes": list(scan.notes),
        }
        typer.echo(json.dumps(report, indent=2))
    else:
        for note in scan.notes:
            typer.echo(f"note    {note}")
        for finding in findings:
            typer.echo(
                f"{finding.severity:7} [{finding.code}] {finding.message} "
                f"(expected {finding.expected}; got {finding.got})"
            )
        typer.echo("refused" if refused else "accepted")
    if refused:
        raise typer.Exit(2)
