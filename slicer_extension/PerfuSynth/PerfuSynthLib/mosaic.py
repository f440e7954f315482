"""The report's picture: NCCT with outlines and the colour maps over axial slices, patient's left on screen right."""

from __future__ import annotations

import numpy as np

from . import constants
from .axial_slices import AxialView
from .canvas import (
    BANNER,
    BANNER_INK,
    CORE,
    DIM,
    GROUND,
    HYPOPERFUSION,
    TEXT,
    blank,
    blend,
    draw_text,
    outline_of,
)
from .colour_tables import MapDisplay, colourise, displays_of
from .facts import Facts
from .grid_volume import GridVolume
from .measurements import EDITED, Measurements

#: Slices in a mosaic. [d]
SLICES = 7

#: Layout, pixels: a panel's width, the gap beside it, room for labels left and colour bars right, a line of text.
PANEL, GAP, LABELS, BARS, LINE = 224, 6, 92, 120, 30
#: Height of the banner's lines, pixels, the first the largest.
BANNER_SIZES = (24, 19)

#: Opacity of the core's fill: the grey values below stay readable. [d]
CORE_FILL = 0.25
#: Steps of a colour bar's scale.
TICKS = 4


def draw_mosaic(
    ncct: GridVolume, tmax: GridVolume, cbf: GridVolume, brain: GridVolume, measured: Measurements, facts: Facts
) -> np.ndarray:
    """Draw the mosaic with its banner, fit to stand alone.

    Parameters
    ----------
    ncct, tmax, cbf, brain
        HU, s, mL/100 g/min, 0 or 1; on one grid.
    measured
        Numbers with their regions: Tmax above the free threshold or the edited region, and the core if it has one.
    facts
        Of the result: banner and model.

    Returns
    -------
    numpy.ndarray
        uint8 ``(height, width, 3)``, rows from the top.

    Raises
    ------
    ValueError
        The volumes do not lie on one grid, or ``measured`` holds no region.
    """
    shapes = {volume.array.shape for volume in (ncct, tmax, cbf, brain)}
    if len(shapes) > 1 or measured.region is None:
        raise ValueError(f"expected volumes of one grid and a region, got {shapes} and {measured.kind} numbers")
    displays = displays_of(facts.normal_cbf)
    inside = brain.array != 0
    core = np.zeros_like(inside) if measured.core is None else measured.core
    view = AxialView(tmax.affine, inside, measured.region & inside, SLICES)
    size = view.pixels(PANEL)
    columns = [LABELS + i * (PANEL + GAP) for i in range(len(view.index))]
    width = columns[-1] + PANEL + BARS
    head = _banner_height(facts.notices) + 2 * LINE
    rows = [head + i * (size[1] + GAP) for i in range(3)]
    picture = blank(width, rows[-1] + size[1] + GAP)
    _head(picture, view, facts)
    # What lies outside the brain must not dim its edge.
    masked = [np.where(inside, volume.array, 0) for volume in (tmax, cbf)]
    for number, x in enumerate(columns):
        index = view.index[number]
        deficit = view.picture(measured.region, index, size, average=False)
        panels = [
            _ct_panel(view, ncct, index, size, deficit, view.picture(core, index, size, average=False)),
            blend(_map_panel(view, masked[0], inside, index, size, displays["tmax"]), outline_of(deficit), TEXT),
            _map_panel(view, masked[1], inside, index, size, displays["cbf"]),
        ]
        for row, y in enumerate(rows):
            picture[y : y + size[1], x : x + PANEL] = panels[row]
            _mark(picture, x, y, size, view.position_mm[number])
    _label_ct(picture, rows[0], columns[-1] + PANEL, measured, view)
    _label_map(picture, rows[1], columns[-1] + PANEL, size[1], displays["tmax"])
    _label_map(picture, rows[2], columns[-1] + PANEL, size[1], displays["cbf"])
    return picture


def _ct_panel(
    view: AxialView, ncct: GridVolume, index: int, size: tuple[int, int], deficit: np.ndarray, core: np.ndarray
) -> np.ndarray:
    window, level = constants.STROKE_WINDOW
    hu = view.picture(ncct.array, index, size)
    grey = np.clip((hu - (level - window / 2)) / window, 0, 1) * 255
    panel = np.repeat(grey[..., None], 3, axis=2).astype(np.uint8)
    panel = blend(panel, CORE_FILL * (core >= 0.5), CORE)
    panel = blend(panel, outline_of(deficit), HYPOPERFUSION)
    return blend(panel, outline_of(core), CORE)


def _map_panel(
    view: AxialView, masked: np.ndarray, inside: np.ndarray, index: int, size: tuple[int, int], display: MapDisplay
) -> np.ndarray:
    """A map in colour; averages are those of the brain's voxels alone."""
    weight = view.picture(inside, index, size)
    values = view.picture(masked, index, size) / np.maximum(weight, 1e-3)
    shown = view.picture(inside, index, size, average=False) >= 0.5
    return np.where(shown[..., None], colourise(values, display), 0).astype(np.uint8)


def _banner_height(notices: tuple[str, ...]) -> int:
    return 16 + sum(_banner_size(i) + 8 for i in range(len(notices)))


def _banner_size(line: int) -> int:
    return BANNER_SIZES[min(line, len(BANNER_SIZES) - 1)]


def _head(picture: np.ndarray, view: AxialView, facts: Facts) -> None:
    """Banner, model, and how the pictures are to be read."""
    height, middle = _banner_height(facts.notices), picture.shape[1] / 2
    picture[:height] = BANNER
    y = 8.0
    for number, line in enumerate(facts.notices):
        size = _banner_size(number)
        draw_text(picture, (middle, y + size / 2 + 4), line, size, BANNER_INK, bold=True, anchor=(0.5, 0.5))
        y += size + 8
    shown = "" if len(view.index) == view.slabs else f" ({len(view.index)} of {view.slabs} shown)"
    told = f"Axial slices seen from the feet{shown}: the patient's LEFT is on the RIGHT of each picture"
    draw_text(picture, (middle, height + LINE / 2), told, 16, TEXT, anchor=(0.5, 0.5))
    made = f"{facts.made_by}, {facts.created}"
    draw_text(picture, (middle, height + LINE * 1.5), made, 14, DIM, anchor=(0.5, 0.5))


def _mark(picture: np.ndarray, x: int, y: int, size: tuple[int, int], position_mm: float) -> None:
    """R and L at the patient's sides, and the slice's height."""
    draw_text(picture, (x + 4, y + 3), "R", 18, bold=True, halo=True)
    draw_text(picture, (x + size[0] - 4, y + 3), "L", 18, bold=True, anchor=(1, 0), halo=True)
    draw_text(picture, (x + 4, y + size[1] - 3), f"z {position_mm:+.1f} mm", 13, anchor=(0, 1), halo=True)


def _label_ct(picture: np.ndarray, y: int, right: int, measured: Measurements, view: AxialView) -> None:
    window, level = constants.STROKE_WINDOW
    draw_text(picture, (8, y + 6), "NCCT", 20, bold=True)
    for line, text in enumerate((f"W {window:g} L {level:g}", "HU", f"{view.slab_mm:.3g} mm")):
        draw_text(picture, (8, y + 36 + 20 * line), text, 14, DIM)
    region = "edited region" if measured.kind == EDITED else f"Tmax > {measured.threshold_s:g} s"
    core = "not measured" if measured.core_ml is None else f"{round(measured.core_ml, 2):.1f} mL"
    legend = (
        (HYPOPERFUSION, (region, f"{round(measured.region_ml, 2):.1f} mL")),
        (CORE, ("core estimate", core)),
    )
    for number, (colour, lines) in enumerate(legend):
        top = y + 12 + number * 66
        picture[top : top + 4, right + 12 : right + 42] = colour
        draw_text(picture, (right + 10, top + 8), lines[0], 14)
        draw_text(picture, (right + 10, top + 27), lines[1], 14, DIM)


def _label_map(picture: np.ndarray, y: int, right: int, height: int, display: MapDisplay) -> None:
    draw_text(picture, (8, y + 6), display.label, 20, bold=True)
    draw_text(picture, (8, y + 36), display.unit, 14 if len(display.unit) < 8 else 11, DIM)
    x, top, bottom = right + 14, y + 26, y + height - 14
    ramp = colourise(np.linspace(display.high, display.low, bottom - top), display)
    picture[top:bottom, x : x + 18] = ramp[:, None]
    draw_text(picture, (x - 2, top - 6), display.unit, 12, DIM, anchor=(0, 1))
    span = display.high - display.low
    for value in sorted({*(display.low + span * i / TICKS for i in range(TICKS + 1)), *display.marks}):
        place = round(bottom - (bottom - top) * (value - display.low) / span)
        marked = value in display.marks
        if marked:
            picture[place - 2 : place + 2, x : x + 18] = GROUND
        start, end, colour = (x, x + 30, TEXT) if marked else (x + 18, x + 24, DIM)
        picture[place - 1 : place + 1, start:end] = colour
        told = f"{value:g} {display.unit}" if marked else f"{value:g}"
        draw_text(picture, (x + 32, place), told, 16 if marked else 13, colour, bold=marked, anchor=(0, 0.5))
