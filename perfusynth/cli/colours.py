"""`perfusynth colours`: a vendor's colour picture of a perfusion map back to numbers, flagged not quantitative."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from perfusynth.perfusion.colour_bars import Rectangle
    from perfusynth.perfusion.colour_tables import TableName


def colours(
    picture: Annotated[
        Path, typer.Argument(metavar="PICTURE", help="PNG, JPEG, TIFF, BMP, DICOM colour image, or a folder of slices.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="New folder for the result.")],
    limits: Annotated[
        str,
        typer.Option("--range", metavar="LOW,HIGH", help="Numbers at the bar's bottom (or left) and top (or right)."),
    ],
    map_name: Annotated[str, typer.Option("--map", help="tmax, cbf, cbv, mtt, or another short name.")] = "tmax",
    unit: Annotated[str | None, typer.Option(help="Unit of the numbers; known for tmax, cbf, cbv, mtt.")] = None,
    table: Annotated[
        str | None,
        typer.Option(help="asist, viridis, grey, or a picture of a colour bar; default: the bar in PICTURE."),
    ] = None,
    bar: Annotated[
        str | None,
        typer.Option(metavar="X0,Y0,X1,Y1", help="Pixels of the bar burnt into PICTURE; default: it is looked for."),
    ] = None,
    crop: Annotated[
        str | None, typer.Option(metavar="X0,Y0,X1,Y1", help="Pixels of PICTURE that hold the map; default: all.")
    ] = None,
    spacing: Annotated[
        str | None, typer.Option(metavar="X[,Y[,Z]]", help="Pixel size and slice distance, mm; default: DICOM's, or 1.")
    ] = None,
    radiological: Annotated[
        bool, typer.Option("--radiological", help="You know that the patient's left is on the picture's right.")
    ] = False,
    tolerance: Annotated[
        float | None, typer.Option(help="Largest distance of a pixel from the table, RGB units; default 30.")
    ] = None,
) -> None:
    """Read the numbers back from a colour PICTURE of a perfusion map. From colours, not quantitative.

    OUT receives the map as NIfTI, valid.nii.gz (where colours could be read), colours.json and check.png: look at it.
    """
    from perfusynth.cli.progress_bar import progress_bar
    from perfusynth.ctp_maps.colour_request import ColourRequest, refusal
    from perfusynth.ctp_maps.from_colours import maps_from_colours
    from perfusynth.perfusion.colour_pictures import InversionSettings
    from perfusynth.perfusion.colour_tables import MAP_DISPLAYS
    from perfusynth.synthesis.result_folder import result_folder

    settings = InversionSettings() if tolerance is None else InversionSettings(tolerance_rgb=tolerance)
    if unit is None and map_name in MAP_DISPLAYS:
        unit = MAP_DISPLAYS[map_name].unit
    elif unit is None:
        raise refusal("This map's unit is not known.", f"--unit, or one of {', '.join(MAP_DISPLAYS)}", map_name, "unit")
    low, high = _numbers("--range", limits, 2)
    request = ColourRequest(
        map_name=map_name,
        unit=unit,
        low=low,
        high=high,
        table=_table(table),
        bar=_rectangle("--bar", bar),
        crop=_rectangle("--crop", crop),
        spacing_mm=_spacing(spacing),
        radiological=radiological,
        settings=settings,
    )
    with result_folder(out) as folder, progress_bar("colours") as progress:
        document = maps_from_colours(picture, folder, request, on_progress=progress)
    figures = document["figures"]
    for notice in document["notices"]:
        typer.echo(notice)
    for note in document["notes"]:
        typer.echo(f"note: {note}")
    typer.echo(
        f"{figures['told_share']:.1%} of the lit pixels told, mean colour distance "
        f"{figures['mean_colour_distance_rgb']:.1f} RGB units"
    )
    typer.echo(f"reading error about {figures['estimated_error']:.3g} {unit}")
    typer.echo(f"result: {out}; look at check.png")


def _table(text: str | None) -> "TableName | Path | None":
    from typing import cast

    from perfusynth.perfusion.colour_tables import TABLE_NAMES

    if text is None:
        return None
    return cast("TableName", text) if text in TABLE_NAMES else Path(text)


def _numbers(option: str, text: str, *counts: int) -> list[float]:
    import math

    from perfusynth.ctp_maps.colour_request import refusal

    try:
        numbers = [float(field) for field in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) not in counts or not all(math.isfinite(number) for number in numbers):
        wanted = f"{min(counts)} to {max(counts)}" if len(counts) > 1 else f"{counts[0]}"
        raise refusal(f"{option} cannot be read.", f"{wanted} numbers with commas between them", text, "bad_option")
    return numbers


def _rectangle(option: str, text: str | None) -> "Rectangle | None":
    if text is None:
        return None
    left, top, right, bottom = (round(number) for number in _numbers(option, text, 4))
    return left, top, right, bottom


def _spacing(text: str | None) -> tuple[float, float, float] | None:
    if text is None:
        return None
    given = _numbers("--spacing", text, 1, 2, 3)
    return given[0], given[min(1, len(given) - 1)], given[2] if len(given) == 3 else 1.0
