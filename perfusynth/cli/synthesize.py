"""`perfusynth synthesize`: one scan to maps, measurements and a report, without a server."""

from pathlib import Path
from typing import Annotated

import typer


def synthesize(
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="NIfTI, NRRD, DICOM folder or zip of a head CT.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="New folder for the result.")],
    model: Annotated[str, typer.Option(help="Task, or name of an installed model.")] = "ncct_perfusion",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    override: Annotated[
        list[str] | None,
        typer.Option(help="Code of a refusal that you take responsibility for; recorded in the result. Repeatable."),
    ] = None,
    brain_method: Annotated[
        str | None, typer.Option(help="builtin or totalsegmentator; default: PERFUSYNTH_BRAIN_METHOD, else builtin.")
    ] = None,
    report: Annotated[bool, typer.Option(help="Write report.html and report.png.")] = True,
) -> None:
    """Synthesise Tmax and CBF from a plain head CT.

    OUT receives tmax.nii.gz (s) and cbf.nii.gz (mL/100 g/min) on INPUT's grid, hypoperfusion_probability.nii.gz (0 to
    1) of models that tell it, brain.nii.gz, measurements.json, report.html and report.png; also ncct.nii.gz where INPUT
    was tilted or unevenly spaced and had to be resampled.
    """
    from perfusynth.cli.progress_bar import progress_bar
    from perfusynth.cli.told import tell
    from perfusynth.synthesis.options import SynthesisOptions
    from perfusynth.synthesis.result_folder import result_folder

    # The folder is made first: a wrong -o must not cost a synthesis.
    with result_folder(out) as folder:
        from perfusynth.synthesis.pipeline import Pipeline

        with progress_bar("synthesize") as progress:
            progress("load model", 0.0)
            pipeline = Pipeline.load(model, device=device, brain_method=brain_method)
            measurements = pipeline.run(
                {pipeline.bundle.spec.inputs[0].name: source},
                folder,
                options=SynthesisOptions(override=tuple(override or ())),
                on_progress=progress,
            )
            if report:
                from perfusynth.synthesis.report_of_result import report_of_result

                progress("report", 1.0)
                report_of_result(folder, source)
    tell(measurements, out)
