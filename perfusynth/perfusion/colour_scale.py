"""A colour table as a dense line through RGB space, along which colours are looked up."""

from dataclasses import dataclass

import numpy as np

from perfusynth.errors import InputError

#: Distance in RGB units between neighbours on the upsampled table: below the rounding of a picture's bytes.
_SAMPLE_STEP_RGB = 0.5


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
