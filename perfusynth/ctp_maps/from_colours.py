"""A vendor's colour picture to a folder of numbers: map, valid mask, ``colours.json`` and ``check.png``."""

import hashlib
import io
import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from perfusynth import __version__, atomic
from perfusynth.ctp_maps.colour_request import ColourRequest, refusal
from perfusynth.errors import InputError
from perfusynth.perfusion.colour_bars import ColourBar, Rectangle, bar_at, find_bars, outside_bars, ramp_deviation
from perfusynth.perfusion.colour_pictures import Numbers, numbers_from_colours
from perfusynth.perfusion.colour_tables import colour_table
from perfusynth.perfusion.notices import notices_for, short_notice
from perfusynth.progress import OnProgress, ignore_progress
from perfusynth.readers.pictures import Pictures, read_pictures
from perfusynth.report.colour_check import draw_colour_check
from perfusynth.volumes.nifti import write_nifti
from perfusynth.volumes.volume import Volume

#: Version of ``colours.json``.
SCHEMA_VERSION = "1.0"
#: Deviation of the picture's own bar from an even ramp (mean, share of the range) above which a table is doubted:
#: 3 % is 0.4 s of a 12 s display. The project's own choice.
MAX_RAMP_DEVIATION = 0.03
#: Largest mean difference of the bar between two slices, RGB units: JPEG of quality 70 stays below 6.
MAX_BAR_CHANGE_RGB = 10.0


def maps_from_colours(
    source: Path, folder: Path, request: ColourRequest, *, on_progress: OnProgress = ignore_progress
) -> dict[str, Any]:
    """Read a picture (or a folder of slices) and write the result into ``folder``; returns what ``colours.json`` holds.

    Raises
    ------
    InputError
        Whatever `read_pictures`, `numbers_from_colours` and `bar_at` refuse; ``no_colour_bar``, ``bars_differ``,
        ``bad_crop``, ``bad_map``, ``bad_range``, ``bad_spacing``.
    Cancelled
        From ``on_progress``.
    """
    pictures = read_pictures(source, on_progress=lambda stage, fraction: on_progress(stage, 0.4 * fraction))
    rows, columns = pictures.rgb.shape[1:3]
    left, top, right, bottom = window = request.crop or (0, 0, columns, rows)
    if not (0 <= left < right <= columns and 0 <= top < bottom <= rows):
        got = ",".join(map(str, window))
        raise refusal("The map's rectangle does not lie in the picture.", f"within {columns} x {rows}", got, "bad_crop")
    on_progress("read colours", 0.4)
    bars = find_bars(pictures.rgb[0])
    own = (
        bar_at(pictures.rgb[0], request.bar)
        if request.bar
        else _bar_of_map(bars, window, request.settings.coloured_chroma)
    )
    table, table_facts = _table(request, pictures.rgb, bars, own)
    excluded = ~outside_bars((rows, columns), [*bars, own] if own else bars)
    shown = pictures.rgb[:, top:bottom, left:right]
    numbers = numbers_from_colours(
        shown,
        table,
        request.low,
        request.high,
        settings=request.settings,
        excluded=excluded[top:bottom, left:right],
    )
    on_progress("write", 0.8)
    affine, place_notes = _place(pictures, request, (left, top))
    notes = [*pictures.notes, *_colour_notes(numbers.figures, table_facts, pictures, request), *place_notes]
    document: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "origin": "colour_picture",
        "notices": notices_for("colour_picture"),
        "notes": notes,
        "maps": [
            {
                "name": request.map_name,
                "file": f"{request.map_name}.nii.gz",
                "unit": request.unit,
                "range": sorted((request.low, request.high)),
            }
        ],
        "valid": "valid.nii.gz",
        "colour_table": table_facts,
        "ends": [request.low, request.high],
        "crop_px": list(window),
        "left_right": "known" if request.radiological or pictures.affine is not None else "unknown",
        "position": "known" if pictures.affine is not None else "unknown",
        "settings": asdict(request.settings),
        "figures": numbers.figures,
        "input": {
            "sha256": pictures.sha256,
            "kind": pictures.kind,
            "lossy": pictures.lossy,
            "shape": [columns, rows, len(pictures.rgb)],
        },
        "software": {"name": "perfusynth", "version": __version__},
    }
    _write(folder, document, numbers, affine)
    check = draw_colour_check(
        shown,
        numbers.values,
        numbers.valid,
        table,
        (request.low, request.high),
        black_level=request.settings.black_level,
        notices=document["notices"],
        lines=_check_lines(request, numbers.figures),
    )
    png = io.BytesIO()
    check.save(png, "PNG")
    atomic.write_bytes(folder / "check.png", png.getvalue())
    on_progress("write", 1.0)
    return document


def _bar_of_map(bars: list[ColourBar], window: Rectangle, coloured_chroma: int) -> ColourBar | None:
    """The one bar there is, a coloured one before the CT's grey wedge; of several the one in the map's rectangle."""
    bars = [bar for bar in bars if np.ptp(bar.table, axis=1).max() >= coloured_chroma] or bars
    if len(bars) > 1:
        left, top, right, bottom = window
        bars = [
            bar
            for bar in bars
            if bar.rectangle[0] >= left
            and bar.rectangle[1] >= top
            and bar.rectangle[2] <= right
            and bar.rectangle[3] <= bottom
        ]
    return bars[0] if len(bars) == 1 else None


def _table(
    request: ColourRequest, rgb: np.ndarray, bars: list[ColourBar], own: ColourBar | None
) -> tuple[np.ndarray, dict[str, Any]]:
    """The colour table, and what ``colours.json`` says of it."""
    facts: dict[str, Any] = {"bar_px": list(own.rectangle) if own else None}
    if request.table is None:
        if own is None:
            places = "; ".join(",".join(map(str, bar.rectangle)) for bar in bars)
            raise InputError(
                "The colour bar of this map was not found.",
                expected="one colour bar burnt into the picture",
                got=f"{len(bars)}: {places}" if bars else "none",
                hint="Give its rectangle with --bar, the map's with --crop, or a colour table with --table.",
                code="no_colour_bar",
            )
        _check_same_bar(rgb, own)
        table = own.table
        facts |= {"source": "the bar in the picture", "bar_found": request.bar is None}
    elif isinstance(request.table, Path):
        picture = read_pictures(request.table).rgb[0]
        table = bar_at(picture, (0, 0, picture.shape[1], picture.shape[0])).table
        facts |= {"source": "a picture of a colour bar"}
    else:
        table = colour_table(request.table).astype(np.float64)
        facts |= {"source": request.table}
    if request.table is not None and own is not None:
        facts["against_the_bar"] = ramp_deviation(own, table, request.settings)
    digest = hashlib.sha256(np.rint(table).astype(np.uint8).tobytes()).hexdigest()
    return table, facts | {"entries": len(table), "sha256": digest}


def _check_same_bar(rgb: np.ndarray, bar: ColourBar) -> None:
    left, top, right, bottom = bar.rectangle
    first = rgb[0, top:bottom, left:right].astype(np.int16)
    for picture in rgb[1:]:
        change = float(np.abs(picture[top:bottom, left:right] - first).mean())
        if change > MAX_BAR_CHANGE_RGB:
            raise InputError(
                "The slices do not bear one colour bar in one place.",
                expected=f"bars that differ by at most {MAX_BAR_CHANGE_RGB:g} RGB units",
                got=f"{change:.0f}",
                hint="Turn slices of different layout one by one, or name the colours with --table.",
                code="bars_differ",
            )


def _colour_notes(
    figures: dict[str, Any], table: dict[str, Any], pictures: Pictures, request: ColourRequest
) -> list[str]:
    notes = []
    unit = request.unit
    if table.get("bar_found"):
        notes.append(f"The colour bar was found at pixels {','.join(map(str, table['bar_px']))}.")
    against = table.get("against_the_bar")
    if against and (against["mean"] > MAX_RAMP_DEVIATION or against["told_share"] < 1 - MAX_RAMP_DEVIATION):
        notes.append(
            f"The table disagrees with the picture's own bar: {against['told_share']:.0%} of it could be told, "
            f"{against['mean']:.1%} of the range off on average, {against['largest']:.0%} at most."
        )
    if figures["black_stands_for"] is not None:
        notes.append(
            f"Black stands for {figures['black_stands_for']:g} {unit} as well as for the background: black pixels "
            "are not told."
        )
    ends = figures["share_at_low_colour"], figures["share_at_high_colour"]
    notes.append(
        f"{ends[0]:.1%} of the told pixels bear the lowest and {ends[1]:.1%} the highest colour: these numbers are "
        "bounds, what lies beyond looks the same."
    )
    if pictures.lossy:
        notes.append(
            "The picture was stored with a compression that changes colours (JPEG); a larger --tolerance tells more "
            "pixels at edges, less surely."
        )
    return notes


def _place(pictures: Pictures, request: ColourRequest, corner: tuple[int, int]) -> tuple[np.ndarray, list[str]]:
    """Affine of the cropped map, (column, row, slice) to RAS+ mm, and what must be said of it."""
    if pictures.affine is not None:
        affine = pictures.affine.copy()
        affine[:3, 3] += affine[:3, 0] * corner[0] + affine[:3, 1] * corner[1]
        unused = ["--spacing was not used: the DICOM images say where they lie."] if request.spacing_mm else []
        return affine, unused
    spacing, notes = request.spacing_mm, []
    if spacing is None:
        spacing = (*(pictures.spacing_mm or (1.0, 1.0)), 1.0)
        told = "as DICOM states it" if pictures.spacing_mm else "assumed to be 1 mm"
        notes.append(f"The pixel size is {told}, the slice distance assumed to be 1 mm: volumes in mL are not known.")
    affine = np.diag([-spacing[0], -spacing[1], spacing[2], 1.0])
    notes.append("The position in the patient is unknown.")
    if request.radiological:
        notes.append("The patient's left was said to be on the picture's right.")
    else:
        notes.append(
            "Left and right are unknown: the patient's left was put on the picture's right, as is usual, which a "
            "picture cannot prove (--radiological says that it is so)."
        )
    return affine, notes


def _check_lines(request: ColourRequest, figures: dict[str, Any]) -> list[str]:
    ambiguity, step = figures["largest_ambiguity"], figures["resolution"]
    between = " and ".join(f"{value:.3g}" for value in ambiguity["between"])
    return [
        f"{request.map_name}: {request.low:g} to {request.high:g} {request.unit}; {figures['told_share']:.1%} of the "
        f"lit pixels told; mean colour distance {figures['mean_colour_distance_rgb']:.1f} RGB units",
        f"Reading error about {figures['estimated_error']:.3g} {request.unit}; step {step['median']:.3g}, "
        f"largest {step['largest']:.3g}; most alike colours far apart: {between} {request.unit}",
    ]


def _write(folder: Path, document: dict[str, Any], numbers: Numbers, affine: np.ndarray) -> None:
    description = short_notice(document["notices"])
    values = np.ascontiguousarray(numbers.values.transpose(2, 1, 0))
    valid = np.ascontiguousarray(numbers.valid.transpose(2, 1, 0))
    write_nifti(folder / document["maps"][0]["file"], Volume(values, affine), description=description)
    mask = Volume(valid.astype(np.float32), affine)
    write_nifti(folder / document["valid"], mask, dtype=np.uint8, description=description)
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    atomic.write_bytes(folder / "colours.json", text.encode())
