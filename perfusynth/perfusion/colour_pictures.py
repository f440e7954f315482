"""From a colour picture of a map back to numbers: each pixel's nearest place along the colour table."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from perfusynth.errors import InputError

#: RGB to luma and chroma, ITU-R BT.601 as JPEG uses it (JFIF 1.02).
_LUMA_CHROMA = np.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])
#: Distance in RGB units between neighbours on the upsampled table: below the rounding of a picture's bytes.
_SAMPLE_STEP_RGB = 0.5
#: Places along the table between which look-alikes are sought; 1 / 511 of the range is finer than any picture.
_AMBIGUITY_SAMPLES = 512
#: Fewest coloured pixels of a map; less is a logo.
MIN_COLOURED_PX = 64
#: Pixels turned at a time; bounds memory.
_BLOCK_PX = 1 << 21


@dataclass(frozen=True)
class InversionSettings:
    """How colours are read. All defaults are the project's own choice.

    Parameters
    ----------
    tolerance_rgb
        Largest distance (8-bit RGB units, Euclidean) of a pixel from the table. JPEG of quality 85 with halved chroma
        moves 99 % of a smooth map's pixels by less than 23, one of quality 70 by less than 29.
    black_level
        A pixel whose largest channel is at most this is background, never a number.
    luma_weight
        Weight of luma against chroma in the search: JPEG keeps luma better. 2.5 cuts the error of JPEG pictures by 10 %
        (asist) to 45 % (Siemens CBV) against plain RGB and costs lossless ones nothing; more gains little.
    coloured_chroma
        A pixel counts as coloured when its largest and smallest channel differ by at least this.
    min_told_share
        Least share of coloured pixels that must lie on the table; fewer, and the table is not the picture's.
    ambiguity_rgb
        Colours nearer than this (RGB units) may be taken for each other; about what JPEG does to a colour.
    """

    tolerance_rgb: float = 30.0
    black_level: int = 8
    luma_weight: float = 2.5
    coloured_chroma: int = 30
    min_told_share: float = 0.5
    ambiguity_rgb: float = 10.0

    def __post_init__(self) -> None:
        if not 0 < self.tolerance_rgb <= 255:
            raise InputError(
                "This tolerance cannot be used.",
                expected="more than 0 and up to 255 RGB units",
                got=f"{self.tolerance_rgb:g}",
                hint="Leave it out for the default.",
                code="bad_tolerance",
            )


@dataclass(frozen=True, eq=False)
class ColourScale:
    """A colour table as a dense line through RGB space.

    Parameters
    ----------
    rgb
        float64 (n, 3), neighbours at most 0.5 apart.
    position
        (n,), 0 at the low end to 1 at the high end. Equal entries that follow each other count once, at their middle;
        at the table's ends at the very end, since pictures show all that lies beyond in that colour.
    entries, width
        (m,) positions of the entries that differ, and the share of the range that each stands for.
    slope
        (n,) change of position for one RGB unit along the line.
    """

    rgb: np.ndarray
    position: np.ndarray
    entries: np.ndarray
    width: np.ndarray
    slope: np.ndarray

    @property
    def chroma(self) -> float:
        """Largest difference between the channels of one entry; small for a grey table."""
        return float(np.ptp(self.rgb, axis=1).max())


@dataclass(frozen=True, eq=False)
class Numbers:
    """What the colours said.

    Parameters
    ----------
    values
        float32, the pictures' shape without the channels, in the range's unit; 0 where not told.
    valid
        bool, the same shape: told.
    figures
        How well it worked, plain JSON values; see `docs/perfusion.md`.
    """

    values: np.ndarray
    valid: np.ndarray
    figures: dict[str, Any]


def colour_scale(table: np.ndarray) -> ColourScale:
    """Prepare a table (n, 3), lowest value first.

    Raises
    ------
    InputError
        Code ``no_colour_table``: fewer than two different colours.
    """
    table = np.asarray(table, dtype=np.float64)
    first = np.flatnonzero(np.r_[True, (np.diff(table, axis=0) != 0).any(axis=1)])
    if len(first) < 2:
        raise InputError(
            "This is no colour table.",
            expected="at least two different colours from one end to the other",
            got=f"{len(first)}",
            hint="Give the rectangle inside of the colour bar, or a picture of it.",
            code="no_colour_table",
        )
    last = np.r_[first[1:] - 1, len(table) - 1]
    entries = (first + last) / 2 / (len(table) - 1)
    entries[0], entries[-1] = 0.0, 1.0
    width = (last - first + 1) / (len(table) - 1)
    corners = table[first]
    length = np.linalg.norm(np.diff(corners, axis=0), axis=1)
    pieces = np.maximum(1, np.ceil(length / _SAMPLE_STEP_RGB)).astype(int)
    segment = np.repeat(np.arange(len(pieces)), pieces)
    within = (np.arange(pieces.sum()) - np.repeat(np.cumsum(pieces) - pieces, pieces)) / pieces[segment]
    rgb = corners[segment] + within[:, None] * np.diff(corners, axis=0)[segment]
    position = entries[segment] + within * np.diff(entries)[segment]
    slope = (np.diff(entries) / length)[segment]
    return ColourScale(
        rgb=np.vstack([rgb, corners[-1]]),
        position=np.append(position, 1.0),
        entries=entries,
        width=width,
        slope=np.append(slope, slope[-1]),
    )


def numbers_from_colours(
    pictures: np.ndarray,
    table: np.ndarray,
    low: float,
    high: float,
    *,
    settings: InversionSettings | None = None,
    excluded: np.ndarray | None = None,
) -> Numbers:
    """Read a map's numbers from its colours.

    Parameters
    ----------
    pictures
        uint8 (slices, rows, columns, 3).
    table
        uint8 or float (n, 3), the colour of ``low`` first.
    low, high
        Values at the table's ends; ``low`` may be the larger one.
    settings
        How colours are read.
    excluded
        bool, broadcasts to (slices, rows, columns): never told, and left out of all figures (the burnt-in colour bar).

    Raises
    ------
    InputError
        Codes ``no_colours`` and ``colours_not_on_table``.
    """
    settings = settings or InversionSettings()
    scale = colour_scale(table)
    counted = np.ones(pictures.shape[:3], bool)
    if excluded is not None:
        counted &= ~excluded
    codes, weight = _distinct(pictures, counted)
    colours = np.stack([codes >> 16, codes >> 8 & 255, codes & 255], axis=1).astype(np.float64)
    nearest, distance = _nearest(scale, colours, settings.luma_weight)
    lit = colours.max(axis=1) > settings.black_level
    told = lit & (distance <= settings.tolerance_rgb)
    _check_table(scale, colours, weight, told, distance, settings)
    value = np.full(len(codes), np.nan, np.float32)
    value[told] = low + scale.position[nearest[told]] * (high - low)
    # Zeros cost no memory until they are touched.
    row = np.zeros(1 << 24, np.int32)
    row[codes] = np.arange(len(codes))
    values = np.empty(pictures.shape[:3], np.float32)
    for k, picture in enumerate(pictures):
        values[k] = np.where(counted[k], value[row[_codes(picture)]], np.nan)
    valid = np.isfinite(values)
    figures = _scale_figures(scale, low, high, settings) | _picture_figures(
        scale, nearest[told], distance[told], weight[told], float(weight[lit].sum()), abs(high - low)
    )
    figures["black_pixels"] = round(float(weight[~lit].sum()))
    return Numbers(np.where(valid, values, np.float32(0)), valid, figures)


def _distinct(pictures: np.ndarray, counted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Every colour once (as one number), and how many pixels bear it."""
    parts = [
        np.unique(_codes(picture)[wanted], return_counts=True)
        for picture, wanted in zip(pictures, counted, strict=True)
    ]
    codes, place = np.unique(np.concatenate([part[0] for part in parts]), return_inverse=True)
    return codes, np.bincount(place, np.concatenate([part[1] for part in parts]), len(codes))


def _codes(picture: np.ndarray) -> np.ndarray:
    channels = picture.astype(np.int32)
    return channels[..., 0] << 16 | channels[..., 1] << 8 | channels[..., 2]


def _nearest(scale: ColourScale, colours: np.ndarray, luma_weight: float) -> tuple[np.ndarray, np.ndarray]:
    """Index of each colour's nearest sample of the table, and how far that is in RGB units."""
    space = _LUMA_CHROMA.T * [luma_weight, 1.0, 1.0]
    tree = cKDTree(scale.rgb @ space)
    nearest = np.empty(len(colours), np.int64)
    for start in range(0, len(colours), _BLOCK_PX):
        nearest[start : start + _BLOCK_PX] = tree.query(colours[start : start + _BLOCK_PX] @ space)[1]
    return nearest, np.linalg.norm(scale.rgb[nearest] - colours, axis=1)


def _check_table(
    scale: ColourScale,
    colours: np.ndarray,
    weight: np.ndarray,
    told: np.ndarray,
    distance: np.ndarray,
    settings: InversionSettings,
) -> None:
    # A grey table has no coloured pixels to be judged by: all that is lit counts.
    coloured = np.ptp(colours, axis=1) >= settings.coloured_chroma
    if scale.chroma < settings.coloured_chroma:
        coloured = colours.max(axis=1) > settings.black_level
    pixels = float(weight[coloured].sum())
    if pixels < MIN_COLOURED_PX:
        raise InputError(
            "There is no colour map in this picture.",
            expected=f"at least {MIN_COLOURED_PX} coloured pixels beside the colour bar",
            got=f"{pixels:.0f}",
            hint="Give the colour picture of the map; a grey one needs --table grey.",
            code="no_colours",
        )
    share = float(weight[coloured & told].sum()) / pixels
    if share < settings.min_told_share:
        mean = float(np.average(distance[coloured], weights=weight[coloured]))
        raise InputError(
            "The picture's colours are not those of the colour table.",
            expected=f"at least {settings.min_told_share:.0%} of the coloured pixels within "
            f"{settings.tolerance_rgb:g} RGB units of the table",
            got=f"{share:.1%} (mean distance {mean:.0f})",
            hint="Use the bar burnt into the picture (--bar), the table that the vendor drew with, or --tolerance.",
            code="colours_not_on_table",
        )


def _scale_figures(scale: ColourScale, low: float, high: float, settings: InversionSettings) -> dict[str, Any]:
    span = abs(high - low)
    steps = scale.width * span
    chosen = np.unique(np.linspace(0, len(scale.rgb) - 1, _AMBIGUITY_SAMPLES).astype(int))
    rgb, position = scale.rgb[chosen], scale.position[chosen]
    alike = np.linalg.norm(rgb[:, None] - rgb[None], axis=-1) <= settings.ambiguity_rgb
    apart = np.where(alike, np.abs(position[:, None] - position[None]), 0)
    pair = np.sort(position[list(np.unravel_index(apart.argmax(), apart.shape))])
    darkest = scale.rgb[[0, -1]].max(axis=1)
    black_end = [low, high][int(darkest.argmin())] if darkest.min() <= settings.tolerance_rgb else None
    return {
        "resolution": {"median": round(float(np.median(steps)), 6), "largest": round(float(steps.max()), 6)},
        "largest_ambiguity": {
            "span": round(float(apart.max() * span), 6),
            "between": [round(float(low + p * (high - low)), 6) for p in pair],
        },
        "black_stands_for": black_end,
    }


def _picture_figures(
    scale: ColourScale, nearest: np.ndarray, distance: np.ndarray, weight: np.ndarray, lit: float, span: float
) -> dict[str, Any]:
    pixels = float(weight.sum())
    # What is seen of the noise is across the line (two directions); along it, where it costs, there is one.
    along = distance / np.sqrt(2) * scale.slope[nearest] * span
    variance = float(np.average(along**2, weights=weight)) + float(np.median(scale.width) * span) ** 2 / 12
    position = scale.position[nearest]
    return {
        "told_pixels": round(pixels),
        "told_share": round(pixels / lit, 4),
        "mean_colour_distance_rgb": round(float(np.average(distance, weights=weight)), 2),
        "estimated_error": round(variance**0.5, 6),
        "share_at_low_colour": round(float(weight[position <= scale.entries[1] / 2].sum()) / pixels, 4),
        "share_at_high_colour": round(float(weight[position >= (1 + scale.entries[-2]) / 2].sum()) / pixels, 4),
    }
