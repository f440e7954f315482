"""`perfusynth measure`: the numbers of any Tmax and CBF maps, ours or another program's."""

from pathlib import Path
from typing import Annotated

import typer

from perfusynth.cli.refusals import bad_option, bad_settings


def measure(
    tmax: Annotated[Path, typer.Option(help="Tmax map in s: NIfTI or NRRD.")],
    cbf: Annotated[
        Path | None, typer.Option(help="CBF map in mL/100 g/min on the same grid; without it no core is measured.")
    ] = None,
    brain: Annotated[
        Path | None, typer.Option(help="Brain mask on the same grid; default: where the maps are not 0.")
    ] = None,
    ncct: Annotated[
        Path | None, typer.Option(help="CT on the same grid: finds the midplane, and the report is drawn on it.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="New folder for the result.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print measurements.json.")] = False,
    origin: Annotated[
        str | None,
        typer.Option(help="vendor, deconvolved or colour_picture, where the maps' own folder does not tell."),
    ] = None,
    thresholds: Annotated[str, typer.Option(metavar="S,S,...", help="Tmax thresholds, s.")] = "4,6,8,10",
    hypoperfusion: Annotated[float, typer.Option(help="The threshold that stands for hypoperfusion, s.")] = 6.0,
    severe: Annotated[float, typer.Option(help="Numerator of the hypoperfusion intensity ratio, s.")] = 10.0,
    core_fraction: Annotated[float, typer.Option(help="Core below this share of CBF: 0.20, 0.30, 0.34, 0.38.")] = 0.30,
    core_reference: Annotated[str, typer.Option(help="normal_tissue or contralateral.")] = "normal_tissue",
    minimum_ml: Annotated[float, typer.Option(help="Parts of a Tmax region below this are dropped, mL.")] = 3.0,
) -> None:
    """Measure hypoperfusion, core, mismatch, HIR and side on maps of any program. Research use only.

    OUT receives measurements.json, report.html and report.png, and the maps and the brain that were measured.
    """
    from perfusynth.cli.progress_bar import progress_bar
    from perfusynth.cli.told import tell
    from perfusynth.ctp_maps.measure import measure_maps
    from perfusynth.synthesis.result_folder import result_folder

    if out is None and not as_json:
        raise bad_option(
            "measure", "There is nowhere to put the result.", "-o OUT, --json, or both", "neither", "no_output"
        )
    settings = _settings(thresholds, hypoperfusion, severe, core_fraction, core_reference, minimum_ml)
    wanted = _origin(origin)

    def measured():
        with progress_bar("measure") as progress:
            return measure_maps(
                tmax, cbf, brain_path=brain, ncct_path=ncct, origin=wanted, settings=settings, on_progress=progress
            )

    if out is None:
        typer.echo(measured().measurements.as_json(), nl=False)
        return
    with result_folder(out) as folder:
        result = measured()
        result.write(folder)
    if as_json:
        typer.echo(result.measurements.as_json(), nl=False)
        return
    tell(result.measurements, out)


def _settings(
    thresholds: str, hypoperfusion: float, severe: float, core_fraction: float, core_reference: str, minimum_ml: float
):
    from typing import cast

    from perfusynth.perfusion.regions import CoreReference, RegionSettings

    try:
        return RegionSettings(
            tmax_thresholds_s=tuple(float(field) for field in thresholds.split(",")),
            hypoperfusion_s=hypoperfusion,
            severe_s=severe,
            core_fraction=core_fraction,
            core_reference=cast(CoreReference, core_reference),
            minimum_ml=minimum_ml,
        )
    except ValueError as error:
        raise bad_settings("measure", error) from None


def _origin(origin: str | None):
    names = ("vendor", "deconvolved", "colour_picture")
    if origin is not None and origin not in names:
        raise bad_option("measure", "This origin is not known.", ", ".join(names), origin)
    return origin
