"""From a colour picture of a map back to numbers: each pixel's nearest place along the colour table."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from perfusynth.errors import InputError
from perfusynth.perfusion.colour_scale import ColourScale, colour_scale

#: RGB to luma and chroma, ITU-R BT.601 as JPEG uses it (JFIF 1.02).
_LUMA_CHROMA = np.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])
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
    min_island_px
        Told pixels that hang together (corners count) in fewer than this are not told after all: a voxel is shown as
        3 x 3 pixels or more, specks are what JPEG makes of coloured text.
    ambiguity_rgb
        Colours nearer than this (RGB units) may be taken for each other; about what JPEG does to a colour.
    """

    tolerance_rgb: float = 30.0
    black_level: int = 8
    luma_weight: float = 2.5
    coloured_chroma: int = 30
    min_told_share: float = 0.5
    min_island_px: int = 9
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
        found = np.where(counted[k], value[row[_codes(picture)]], np.nan)
        values[k] = _without_islands(found, settings.min_island_px)
    valid = np.isfinite(values)
    figures = _scale_figures(scale, low, high, settings) | _picture_figures(
        scale, nearest[told], distance[told], weight[told], abs(high - low)
    )
    figures |= {"told_pixels": int(valid.sum()), "told_share": round(float(valid.sum() / weight[lit].sum()), 4)}
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


def _without_islands(values: np.ndarray, least: int) -> np.ndarray:
    """Values (rows, columns) with NaN where fewer than ``least`` told pixels hang together."""
    labels, _ = ndimage.label(np.isfinite(values), np.ones((3, 3)))
    small = np.bincount(labels.ravel()) < least
    return np.where(small[labels], np.nan, values)


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
    scale: ColourScale, nearest: np.ndarray, distance: np.ndarray, weight: np.ndarray, span: float
) -> dict[str, Any]:
    pixels = float(weight.sum())
    # What is seen of the noise is across the line (two directions); along it, where it costs, there is one.
    along = distance / np.sqrt(2) * scale.slope[nearest] * span
    variance = float(np.average(along**2, weights=weight)) + float(np.median(scale.width) * span) ** 2 / 12
    position = scale.position[nearest]
    return {
        "mean_colour_distance_rgb": round(float(np.average(distance, weights=weight)), 2),
        "estimated_error": round(variance**0.5, 6),
        "share_at_low_colour": round(float(weight[position <= scale.entries[1] / 2].sum()) / pixels, 4),
        "share_at_high_colour": round(float(weight[position >= (1 + scale.entries[-2]) / 2].sum()) / pixels, 4),
    }
