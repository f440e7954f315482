"""The colour bar that is burnt into a picture: where it lies, its colours, and what a table makes of it."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from perfusynth.errors import InputError
from perfusynth.perfusion.colour_pictures import MIN_COLOURED_PX, InversionSettings, numbers_from_colours

#: Channels of neighbouring rows of a bar that differ by more than this (and than 4 times the median) are an edge.
_JUMP_RGB = 30.0
#: Most rows of a frame or a blurred edge at either end.
_FRAME_PX = 3
#: A bar that fades into black is followed down to this brightness, for at most this share of its length.
_FAINT_RGB = 5.0
_DARK_END_SHARE = 0.05

#: (left, top, right, bottom) in pixels from the picture's top left; right and bottom are the first pixel beyond.
Rectangle = tuple[int, int, int, int]


@dataclass(frozen=True)
class BarSettings:
    """What counts as a burnt-in colour bar. The project's own choice, checked on Siemens pictures and drawn ones.

    Parameters
    ----------
    background_rgb
        A pixel is foreground when a channel differs from the picture's most frequent colour by more than this.
    min_length_px, min_width_px
        Shortest and narrowest bar.
    min_aspect
        Least length in widths.
    min_filled
        Least share of its rectangle that the bar fills.
    max_across_rgb
        Largest median deviation of a channel across the bar.
    min_path_rgb
        Least length of the bar's way through RGB space: a grey ramp has 442, a coloured table more.
    opening_px
        Ticks and frames' corners thinner than this are cut off.
    """

    background_rgb: int = 24
    min_length_px: int = 48
    min_width_px: int = 5
    min_aspect: float = 3.0
    min_filled: float = 0.9
    max_across_rgb: float = 10.0
    min_path_rgb: float = 250.0
    opening_px: int = 3


@dataclass(frozen=True, eq=False)
class ColourBar:
    """A colour bar: where it lies, and its colours (n, 3) float from the bottom or the left end on."""

    rectangle: Rectangle
    table: np.ndarray


def bar_at(picture: np.ndarray, rectangle: Rectangle) -> ColourBar:
    """The colours of the bar in ``rectangle``: the median across it, along its longer side.

    Parameters
    ----------
    picture
        uint8 (rows, columns, 3).

    Raises
    ------
    InputError
        Code ``bad_bar``: the rectangle is empty or reaches beyond the picture.
    """
    left, top, right, bottom = rectangle
    rows, columns = picture.shape[:2]
    if not (0 <= left < right <= columns and 0 <= top < bottom <= rows):
        raise InputError(
            "The colour bar's rectangle does not lie in the picture.",
            expected=f"x0,y0,x1,y1 with 0 <= x0 < x1 <= {columns} and 0 <= y0 < y1 <= {rows}",
            got=",".join(map(str, rectangle)),
            hint="Count pixels from the picture's top left corner.",
            code="bad_bar",
        )
    return ColourBar(rectangle, np.median(_middle_of(picture, rectangle), axis=0))


def find_bars(picture: np.ndarray, settings: BarSettings | None = None) -> list[ColourBar]:
    """Every upright or lying colour bar in a picture, uint8 (rows, columns, 3), by position from left to right."""
    settings = settings or BarSettings()
    foreground = _foreground(picture, settings.background_rgb)
    bars: dict[Rectangle, ColourBar] = {}
    for structure in ((1, settings.opening_px), (settings.opening_px, 1)):
        labels, _ = ndimage.label(ndimage.binary_opening(foreground, np.ones(structure, bool)))
        for k, place in enumerate(ndimage.find_objects(labels), start=1):
            rectangle = _core_of(labels[place] == k, place[1].start, place[0].start)
            if rectangle is None or not _is_oblong(rectangle, settings):
                continue
            left, top, right, bottom = rectangle
            if (labels[top:bottom, left:right] == k).mean() < settings.min_filled:
                continue
            bar = bar_at(picture, _with_dark_end(picture, _without_frame(picture, rectangle)))
            if _is_bar(picture, bar, settings):
                bars[bar.rectangle] = bar
    return [bars[rectangle] for rectangle in sorted(bars)]


def outside_bars(shape: tuple[int, int], bars: list[ColourBar], margin_px: int = 3) -> np.ndarray:
    """Bool (rows, columns), true where no bar lies, nor its blurred edge of ``margin_px``."""
    result = np.ones(shape, bool)
    for bar in bars:
        left, top, right, bottom = bar.rectangle
        result[max(top - margin_px, 0) : bottom + margin_px, max(left - margin_px, 0) : right + margin_px] = False
    return result


def ramp_deviation(bar: ColourBar, table: np.ndarray, settings: InversionSettings) -> dict[str, float]:
    """How far a table is from the picture's own bar: read with it, the bar must be an even ramp from 0 to 1.

    Returns
    -------
    ``told_share`` of the bar's pixels, and the ``mean`` and ``largest`` deviation from the ramp as shares of the range;
    0, 1 and 1 for a bar that is not on the table at all.
    """
    length = len(bar.table)
    # High enough that no run of told pixels counts as a speck.
    height = max(settings.min_island_px, -(-MIN_COLOURED_PX // length))
    drawn = np.repeat(np.rint(bar.table).astype(np.uint8)[None, None], height, axis=1)
    try:
        numbers = numbers_from_colours(drawn, table, 0.0, 1.0, settings=settings)
    except InputError:
        return {"told_share": 0.0, "mean": 1.0, "largest": 1.0}
    apart = np.abs(numbers.values - np.linspace(0, 1, length))[numbers.valid]
    return {
        "told_share": round(float(numbers.valid.mean()), 4),
        "mean": round(float(apart.mean()), 4),
        "largest": round(float(apart.max()), 4),
    }


def _foreground(picture: np.ndarray, threshold: int) -> np.ndarray:
    codes = picture.astype(np.int32) @ np.array([65536, 256, 1], np.int32)
    colours, counts = np.unique(codes, return_counts=True)
    common = int(colours[counts.argmax()])
    background = np.array([common >> 16, common >> 8 & 255, common & 255])
    return (np.abs(picture.astype(np.int16) - background) > threshold).any(axis=-1)


def _core_of(component: np.ndarray, left: int, top: int) -> Rectangle | None:
    """The rows and columns that a component fills by half: JPEG frays a bar's edges, ticks stick out of it."""
    columns = np.flatnonzero(component.mean(axis=0) >= 0.5)
    rows = np.flatnonzero(component.mean(axis=1) >= 0.5)
    if not len(columns) or not len(rows):
        return None
    return left + int(columns[0]), top + int(rows[0]), left + int(columns[-1]) + 1, top + int(rows[-1]) + 1


def _is_oblong(rectangle: Rectangle, settings: BarSettings) -> bool:
    short, long = sorted((rectangle[2] - rectangle[0], rectangle[3] - rectangle[1]))
    return short >= settings.min_width_px and long >= max(settings.min_length_px, settings.min_aspect * short)


def _is_upright(rectangle: Rectangle) -> bool:
    return rectangle[3] - rectangle[1] >= rectangle[2] - rectangle[0]


def _without_frame(picture: np.ndarray, rectangle: Rectangle) -> Rectangle:
    """Take off end rows that jump away from their neighbours: a frame's line, a blurred edge."""
    for _ in range(_FRAME_PX):
        jump = np.abs(np.diff(bar_at(picture, rectangle).table, axis=0)).max(axis=1)
        largest = max(_JUMP_RGB, 4 * float(np.median(jump)))
        rectangle = _moved_ends(rectangle, -int(jump[0] > largest), -int(jump[-1] > largest))
    return rectangle


def _with_dark_end(picture: np.ndarray, rectangle: Rectangle) -> Rectangle:
    """Follow a bar that fades into the background as long as it still shows and darkens evenly."""
    length = len(bar_at(picture, rectangle).table)
    for ends in ((1, 0), (0, 1)):
        for _ in range(int(_DARK_END_SHARE * length)):
            longer = _moved_ends(rectangle, *ends)
            if min(longer) < 0 or longer[2] > picture.shape[1] or longer[3] > picture.shape[0]:
                break
            table = bar_at(picture, longer).table
            new, before = (table[0], table[1]) if ends[0] else (table[-1], table[-2])
            if not (new.max() >= _FAINT_RGB and before.max() - _JUMP_RGB <= new.max() <= before.max()):
                break
            rectangle = longer
    return rectangle


def _moved_ends(rectangle: Rectangle, low: int, high: int) -> Rectangle:
    """The rectangle made longer (or shorter) by pixels at its low (bottom, left) and its high end."""
    left, top, right, bottom = rectangle
    if _is_upright(rectangle):
        return left, top - high, right, bottom + low
    return left - low, top, right + high, bottom


def _middle_of(picture: np.ndarray, rectangle: Rectangle) -> np.ndarray:
    """Float (across, along, 3) from the low end on; the middle half across: edges are blurred, framed or bear ticks."""
    left, top, right, bottom = rectangle
    inside = picture[top:bottom, left:right].astype(np.float64)
    if _is_upright(rectangle):
        inside = inside[::-1].transpose(1, 0, 2)
    quarter = len(inside) // 4
    return inside[quarter : len(inside) - quarter]


def _is_bar(picture: np.ndarray, bar: ColourBar, settings: BarSettings) -> bool:
    across = np.median(np.abs(_middle_of(picture, bar.rectangle) - bar.table), axis=0).max(axis=1)
    # A smoothed path: JPEG's noise must not count as a way through the colours.
    path = ndimage.uniform_filter1d(bar.table, 5, axis=0)[::5]
    return bool(
        np.percentile(across, 90) <= settings.max_across_rgb
        and np.linalg.norm(np.diff(path, axis=0), axis=1).sum() >= settings.min_path_rgb
    )
