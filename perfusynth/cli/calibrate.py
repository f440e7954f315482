"""`perfusynth calibrate`: a model's intervals of volumes and its out-of-domain reference, and how both behave."""

from pathlib import Path
from typing import Annotated

import typer

#: Patients seen a second time: without them what a scan's slices and a found mask do to a head counts as unusual [d].
SCANNED_PATIENTS = 40


def calibrate(
    model: Annotated[Path, typer.Argument(help="Bundle folder, a candidate's for example.")],
    phantom_seeds: Annotated[str, typer.Option(help="Calibration patients A:B, A included, B not.")],
    fit_seeds: Annotated[
        str | None,
        typer.Option(help="Training patients A:B for the out-of-domain reference; without it there is none."),
    ] = None,
    test_seeds: Annotated[
        str | None, typer.Option(help="Other patients A:B, on whom coverage and out-of-domain score are tested.")
    ] = None,
    external_seeds: Annotated[
        str | None, typer.Option(help="Patients A:B on the scanner that no model was trained on; reported, not tuned.")
    ] = None,
    scanned: Annotated[
        int,
        typer.Option(
            min=0,
            help="So many patients to fit, calibrate and test on are seen again as their scanner wrote them: in its "
            "own slices, with a mask that a program found.",
        ),
    ] = SCANNED_PATIENTS,
    head: Annotated[
        list[Path] | None, typer.Option(help="A head CT whose out-of-domain score is told. Repeatable.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="New folder for the calibrated bundle; default: MODEL itself.")
    ] = None,
    rows: Annotated[
        Path, typer.Option(help="Folder of one row a patient: a run that was stopped is continued.")
    ] = Path("runs/calibration"),
    figures: Annotated[Path | None, typer.Option(help="Folder for the figures; default: that of the rows.")] = None,
    drawn: Annotated[Path | None, typer.Option(help="Folder of drawn patients, read and added to.")] = None,
    fewer: Annotated[bool, typer.Option("--fewer", help="Accept fewer patients than a sound table needs.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    processes: Annotated[int, typer.Option(min=1, help="Patients at a time.")] = 1,
) -> None:
    """Calibrate MODEL on digital patients that it has not seen.

    Writes configs/intervals.json (90 % intervals of the volumes, by predicted volume) and configs/domain.json (what
    training patients look like). Both name the weights' hash and serve no other weights. With test patients the
    figures intervals.json, intervals.png, domain.json and domain.png tell how both behave.
    """
    from perfusynth.cli.calibration_run import CalibrationRun, Patients
    from perfusynth.cli.progress_bar import progress_bar
    from perfusynth.cli.seed_range import seed_range

    others = (fit_seeds, test_seeds, external_seeds)
    fit, test, external = (None if text is None else seed_range(text) for text in others)
    wanted = Patients(seed_range(phantom_seeds), fit=fit, test=test, external=external, scanned=scanned)
    with progress_bar("calibrate") as progress:
        run = CalibrationRun(model, rows, drawn=drawn, device=device, processes=processes, fewer=fewer)
        patients = run.patients(wanted, progress)
        calibrated = run.write(patients, out)
        run.report(patients, calibrated, list(head or ()), figures or rows)
    typer.echo(f"intervals: {calibrated.table.patients} patients, level {calibrated.table.level:.0%}")
    if calibrated.reference is not None:
        typer.echo(f"out-of-domain limit: {calibrated.reference.limit:.2f} (1 is the median patient)")
    typer.echo(f"bundle: {calibrated.bundle}")
    for line in run.told:
        typer.echo(line)
