"""``check.png``: a colour picture beside the numbers read from it, re-coloured, and what differs."""

from collections.abc import Sequence

import numpy as np
from PIL import Image
from scipy import ndimage

from perfusynth.report.canvas import DIM, WARNING, Canvas, banner, wrap

#: Slices shown at most.
SLICES = 4
#: Width of a panel and layout, pixels.
PANEL_WIDTH = 420
GAP = 8
MARGIN = 16
HEADING = 30
#: Differences are drawn this many times as bright.
DIFFERENCE_GAIN = 4
#: Share of the map's extent shown around it.
BORDER = 0.04
#: Told regions of less than this share of the map do not widen what is shown.
SPECK = 0.01
#: What is lit but not told.
NOT_TOLD = (255, 0, 200)


def draw_colour_check(
    pictures: np.ndarray,
    values: np.ndarray,
    valid: np.ndarray,
    table: np.ndarray,
    limits: tuple[float, float],
    *,
    black_level: int,
    notices: list[str],
    lines: Sequence[str],
) -> Image.Image:
    """Draw the check, only where the map lies: names burnt into a picture's corners stay out.

    Parameters
    ----------
    pictures
        uint8 (slices, rows, columns, 3).
    values, valid
        Numbers and where they were told, (slices, rows, columns).
    table, limits
        Colour table (n, 3) and the values of its first and last entry.
    black_level
        Background is what has no channel above this.
    notices, lines
        Banners, and figures as text below the heading.
    """
    chosen = _fullest(valid)
    box = _box(valid)
    width = 3 * PANEL_WIDTH + 2 * GAP + 2 * MARGIN
    height = max(1, round(PANEL_WIDTH * (box[0].stop - box[0].start) / (box[1].stop - box[1].start)))
    strip = banner(notices, width)
    text = [part for line in lines for part in wrap(line, 16, width - 2 * MARGIN)]
    top = (strip.height if strip else 0) + 14 + 22 * len(text) + HEADING
    canvas = Canvas(width, top + len(chosen) * (height + GAP) + 34)
    if strip:
        canvas.paste(strip, (0, 0))
    for k, line in enumerate(text):
        canvas.text((MARGIN, top - HEADING - 22 * (len(text) - k)), line, 16)
    titles = ("Picture", "Numbers, re-coloured", f"Difference x {DIFFERENCE_GAIN}")
    for column, title in enumerate(titles):
        canvas.text((MARGIN + column * (PANEL_WIDTH + GAP), top - 6), title, 17, bold=True, anchor="ls")
    for row, k in enumerate(chosen):
        panels = _panels(pictures[k][box], values[k][box], valid[k][box], table, limits, black_level)
        y = top + row * (height + GAP)
        for column, panel in enumerate(panels):
            place = (MARGIN + column * (PANEL_WIDTH + GAP), y)
            canvas.paste(Image.fromarray(panel).resize((PANEL_WIDTH, height), Image.Resampling.NEAREST), place)
        if len(pictures) > 1:
            canvas.text((MARGIN + 6, y + 6), f"slice {k + 1}", 15, DIM, halo=True)
    legend = "Magenta: coloured or grey in the picture, but not on the table (text, outlines, CT underlay): not told."
    canvas.text((MARGIN, canvas.image.height - 12), legend, 15, WARNING, anchor="ls")
    return canvas.image


def recolour(values: np.ndarray, table: np.ndarray, limits: tuple[float, float]) -> np.ndarray:
    """Colours of numbers, uint8 (..., 3), between the table's entries too."""
    place = (values - limits[0]) / (limits[1] - limits[0]) * (len(table) - 1)
    channels = [np.interp(place, np.arange(len(table)), table[:, c]) for c in range(3)]
    return np.rint(np.stack(channels, axis=-1)).astype(np.uint8)


def _panels(
    picture: np.ndarray,
    values: np.ndarray,
    valid: np.ndarray,
    table: np.ndarray,
    limits: tuple[float, float],
    black_level: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    again = np.where(valid[..., None], recolour(values, table, limits), np.uint8(0))
    difference = np.abs(picture.astype(int) - again) * DIFFERENCE_GAIN
    difference = np.where(valid[..., None], np.minimum(difference, 255), 0)
    difference[~valid & (picture.max(axis=-1) > black_level)] = NOT_TOLD
    return picture, again, difference.astype(np.uint8)


def _fullest(valid: np.ndarray) -> list[int]:
    """Slices with a map, evenly spread, at most `SLICES`."""
    told = np.flatnonzero(valid.any(axis=(1, 2)))
    return [int(told[i]) for i in np.unique(np.linspace(0, len(told) - 1, SLICES).round().astype(int))]


def _box(valid: np.ndarray) -> tuple[slice, slice]:
    labels, _ = ndimage.label(valid.any(axis=0), np.ones((3, 3)))
    size = np.bincount(labels.ravel())
    size[0] = 0
    shown = (size >= SPECK * size.sum())[labels] & (labels > 0)
    result = []
    for axis in (1, 0):
        told = np.flatnonzero(shown.any(axis=axis))
        first, last = int(told[0]), int(told[-1]) + 1
        border = round(BORDER * (last - first)) + 1
        result.append(slice(max(first - border, 0), min(last + border, shown.shape[1 - axis])))
    return result[0], result[1]
