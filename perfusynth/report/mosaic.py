"""The mosaic: NCCT with outlines and the colour maps over representative axial slices, patient left on screen right."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from perfusynth.perfusion.colour_tables import MAP_DISPLAYS, MapDisplay, colour_table, colourise
from perfusynth.perfusion.regions import Regions
from perfusynth.report.background import NCCT, Background
from perfusynth.report.canvas import BACKGROUND, CORE, DIM, HYPOPERFUSION, TEXT, Canvas, Colour, banner
from perfusynth.report.slices import AxialView, choose_view, outline
from perfusynth.volumes.volume import Volume

#: Slices in a mosaic.
SLICES = 7

#: Layout, pixels.
PANEL_WIDTH = 232
GAP = 6
LABELS = 96
BARS = 128
HEADING = 30

#: Columns from which there is room for the whole heading.
WIDE_HEADING = 3

#: Steps of a colour bar's scale.
TICKS = 4

#: Opacity of the core's fill on the NCCT: the grey values below stay readable.
CORE_FILL = 0.25


@dataclass(frozen=True)
class MosaicLayout:
    """Where the panels of a mosaic lie, pixels: x of each column's left, y of each row's top, a panel's size."""

    columns: tuple[int, ...]
    rows: tuple[int, ...]
    panel: tuple[int, int]
    row_names: tuple[str, ...]


def render_mosaic(
    ncct: Volume,
    maps: Mapping[str, Volume],
    brain: np.ndarray,
    regions: Regions | None,
    notices: Sequence[str],
    *,
    displays: Mapping[str, MapDisplay] = MAP_DISPLAYS,
    slices: int = SLICES,
    background: Background = NCCT,
) -> Image.Image:
    """Draw the mosaic with its banner, fit to stand alone.

    Parameters
    ----------
    ncct
        Plain CT, HU; any axis order.
    maps
        Maps on the NCCT's grid by name; rows follow ``displays``, maps without a display are left out.
    brain
        bool array on that grid.
    regions
        Outlined on the NCCT and on the Tmax map; ``None`` where the family has none.
    notices
        Banner lines, drawn into the picture.
    displays
        Range and colour table of each map.
    slices
        Axial slices, fewer where the brain has fewer slabs.
    background
        What ``ncct`` is, when it is no plain CT.
    """
    mosaic, _ = draw_mosaic(ncct, maps, brain, regions, displays=displays, slices=slices, background=background)
    return with_banner(mosaic, notices)


def with_banner(picture: Image.Image, notices: Sequence[str]) -> Image.Image:
    """The picture below the amber strip of the notices."""
    strip = banner(list(notices), picture.width)
    if strip is None:
        return picture
    canvas = Canvas(picture.width, strip.height + picture.height)
    canvas.paste(strip, (0, 0))
    canvas.paste(picture, (0, strip.height))
    return canvas.image


def draw_mosaic(
    ncct: Volume,
    maps: Mapping[str, Volume],
    brain: np.ndarray,
    regions: Regions | None,
    *,
    displays: Mapping[str, MapDisplay] = MAP_DISPLAYS,
    slices: int = SLICES,
    background: Background = NCCT,
) -> tuple[Image.Image, MosaicLayout]:
    """The mosaic without its banner, for pictures that bring their own, and where its panels lie."""
    view = choose_view(ncct, brain, regions.hypoperfusion if regions else None, slices)
    width_mm, _ = view.size_mm
    panel = view.pixels(PANEL_WIDTH / width_mm)
    names = [name for name in displays if name in maps]
    columns = tuple(LABELS + i * (panel[0] + GAP) for i in range(len(view.index)))
    width = columns[-1] + panel[0] + BARS
    rows = tuple(HEADING + i * (panel[1] + GAP) for i in range(1 + len(names)))
    canvas = Canvas(width, rows[-1] + panel[1] + GAP)
    canvas.text(
        ((columns[0] + columns[-1] + panel[0]) / 2, HEADING / 2),
        _heading(view, background),
        15,
        DIM,
        anchor="mm",
    )

    for column, index, position in zip(columns, view.index, view.position_mm, strict=True):
        inside = view.picture(brain, index, panel, average=False) >= 0.5
        weight = view.picture(brain, index, panel, average=True)
        lines: list[tuple[np.ndarray, Colour]] = []
        grey = _grey(view, ncct, index, panel, background)
        if regions is not None:
            core = view.picture(regions.core, index, panel, average=False)
            grey = _blend(grey, CORE_FILL * (core >= 0.5), CORE)
            lines.append((outline(view.picture(regions.hypoperfusion, index, panel, average=False)), HYPOPERFUSION))
            lines.append((outline(core), CORE))
        pictures = [_draw_lines(grey, lines)]
        for name in names:
            display = displays[name]
            values = view.picture(maps[name].array, index, panel, average=True, within=brain)
            rgb = colourise(values / np.maximum(weight, 1e-3), display.low, display.high, colour_table(display.table))
            rgb = np.where(inside[..., None], rgb, 0).astype(np.float32)
            pictures.append(_draw_lines(rgb, [(lines[0][0], TEXT)] if name == "tmax" and lines else []))
        for row, picture in zip(rows, pictures, strict=True):
            canvas.paste(Image.fromarray(picture), (column, row))
            _mark(canvas, column, row, panel, position, sides=background.sides_known)

    _label_background(canvas, rows[0], columns[-1] + panel[0], regions, view, background)
    for name, row in zip(names, rows[1:], strict=True):
        _label_map(
            canvas, row, panel[1], columns[-1] + panel[0], displays[name], outlined=name == "tmax" and bool(regions)
        )
    return canvas.image, MosaicLayout(columns, rows, panel, ("ncct", *names))


def _grey(view: AxialView, ncct: Volume, index: int, panel: tuple[int, int], background: Background) -> np.ndarray:
    width, level = background.window
    hu = view.picture(ncct.array, index, panel, average=True)
    grey = np.clip((hu - (level - width / 2)) / width, 0, 1) * 255
    return np.repeat(grey[..., None], 3, axis=2).astype(np.float32)


def _blend(rgb: np.ndarray, opacity: np.ndarray, colour: Colour) -> np.ndarray:
    alpha = opacity[..., None].astype(np.float32)
    return rgb * (1 - alpha) + np.array(colour, dtype=np.float32) * alpha


def _draw_lines(rgb: np.ndarray, lines: list[tuple[np.ndarray, Colour]]) -> np.ndarray:
    for opacity, colour in lines:
        rgb = _blend(rgb, opacity, colour)
    return np.round(rgb).astype(np.uint8)


def _heading(view: AxialView, background: Background) -> str:
    """How the pictures are to be read, as far as there is room for it, and how many there are not."""
    shown = "" if len(view.index) == view.slabs else f" ({len(view.index)} of {view.slabs} shown)"
    if not background.sides_known:
        return f"As in the picture{shown}: left and right are not known"
    if len(view.index) < WIDE_HEADING:
        return "Patient's LEFT on the RIGHT"
    return f"Axial slices seen from the feet{shown}: the patient's LEFT is on the RIGHT of each picture"


def _mark(canvas: Canvas, x: int, y: int, panel: tuple[int, int], position_mm: float, *, sides: bool) -> None:
    """R and L at the sides where they are (``?`` where nobody knows), and the slice's position."""
    width, height = panel
    right, left = ("R", "L") if sides else ("?", "?")
    canvas.text((x + 6, y + 5), right, 18, TEXT, bold=True, anchor="la", halo=True)
    canvas.text((x + width - 6, y + 5), left, 18, TEXT, bold=True, anchor="ra", halo=True)
    canvas.text((x + 5, y + height - 4), f"z {position_mm:+.1f} mm", 13, DIM, anchor="ld", halo=True)


def _label_background(
    canvas: Canvas, y: int, right: int, regions: Regions | None, view: AxialView, background: Background
) -> None:
    canvas.text((10, y + 8), background.label, 20, bold=True)
    width, level = background.window
    thickness = view.slab * float(np.linalg.norm(view.affine[:3, 2]))
    said_below = [(f"W {width:g} L {level:g}", 14), (f"{thickness:.3g} mm", 14)]
    if background.unit != "HU":
        said_below.insert(1, (background.unit, 14 if len(background.unit) < 8 else 11))
    if background.note:
        said_below.append((background.note, 11))
    for i, (said, size) in enumerate(said_below):
        canvas.text((10, y + 36 + 20 * i), said, size, DIM)
    if regions is None:
        return
    x = right + 12
    for i, (colour, lines) in enumerate(
        (
            (HYPOPERFUSION, (f"Tmax > {regions.settings.hypoperfusion_s:g} s", _ml(regions.hypoperfusion_ml))),
            (CORE, ("core estimate", _ml(regions.core_ml))),
        )
    ):
        top = y + 12 + i * 66
        canvas.line((x, top + 2, x + 30, top + 2), colour, 4)
        for j, line in enumerate(lines):
            canvas.text((x, top + 10 + j * 19), line, 14, TEXT if j == 0 else DIM)


def _label_map(canvas: Canvas, y: int, height: int, right: int, display: MapDisplay, *, outlined: bool) -> None:
    canvas.text((10, y + 8), display.label, 20, bold=True)
    canvas.text((10, y + 36), display.unit, 14 if len(display.unit) < 8 else 11, DIM)
    x, top, bottom = right + 14, y + 26, y + height - 18
    ramp = np.linspace(display.high, display.low, bottom - top)
    rgb = colourise(ramp, display.low, display.high, colour_table(display.table))
    canvas.paste(Image.fromarray(np.repeat(rgb[:, None], 18, axis=1)), (x, top))
    canvas.text((x, top - 8), display.unit, 12, DIM, anchor="lb")
    span = display.high - display.low
    for value in sorted({*(display.low + span * i / TICKS for i in range(TICKS + 1)), *display.marks}):
        place = bottom - (bottom - top) * (value - display.low) / span
        marked = value in display.marks
        if marked:
            canvas.line((x, place, x + 18, place), BACKGROUND, 4)
        canvas.line((x if marked else x + 18, place, x + (30 if marked else 24), place), TEXT if marked else DIM, 2)
        text = f"{value:g}" + (f" {display.unit}" if marked else "")
        canvas.text((x + 34, place), text, 16 if marked else 13, TEXT if marked else DIM, bold=marked, anchor="lm")
    if outlined:
        canvas.line((10, y + 62, 40, y + 62), TEXT, 3)
        canvas.text((10, y + 68), "outline", 12, DIM)


def _ml(value: float | None) -> str:
    # As `Measurements` rounds it: two numbers on one page must not differ.
    return "not measured" if value is None else f"{round(value, 2):.1f} mL"
