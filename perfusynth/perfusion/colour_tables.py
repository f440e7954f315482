"""Colour tables of perfusion maps, and the range and table with which each map is shown."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, get_args

import numpy as np

TableName = Literal["asist", "viridis", "grey"]

#: Names that `colour_table` knows.
TABLE_NAMES: tuple[str, ...] = get_args(TableName)

#: Position (0 to 1) and RGB of the rainbow's corners. ASIST-like: the order of hues that ASIST-Japan proposes as
#: common to the vendors' perfusion tables (https://asist.umin.jp/assignment-detail03-e.htm), not its published values.
_ASIST_CORNERS: tuple[tuple[float, tuple[int, int, int]], ...] = (
    (0.00, (0, 0, 0)),
    (0.16, (0, 0, 255)),
    (0.38, (0, 255, 255)),
    (0.56, (0, 255, 0)),
    (0.76, (255, 255, 0)),
    (1.00, (255, 0, 0)),
)


@dataclass(frozen=True)
class MapDisplay:
    """How a map is shown: short label, unit, the values at both ends of the colour bar, the table.

    ``marks`` are values that the colour bar points out.
    """

    label: str
    unit: str
    low: float
    high: float
    table: TableName = "asist"
    marks: tuple[float, ...] = ()


#: Upper ends of the Tmax display in s, the first the default: 12 s keeps the 6 s threshold mid-scale; 16 s is the
#: window (W 16, L 8) of the multi-vendor phantom comparison (Kudo et al., Radiology 2013).
TMAX_DISPLAY_MAXIMA_S = (12.0, 16.0)

#: Defaults. CBF, CBV, MTT follow ASIST-Japan's rule that the window is about twice the mean of the normal
#: hemisphere: 40 mL/100 g/min (grey 60, white 25), 3 mL/100 g, 5 s.
MAP_DISPLAYS: dict[str, MapDisplay] = {
    "tmax": MapDisplay("Tmax", "s", 0.0, TMAX_DISPLAY_MAXIMA_S[0], marks=(6.0,)),
    "cbf": MapDisplay("CBF", "mL/100 g/min", 0.0, 80.0),
    "cbv": MapDisplay("CBV", "mL/100 g", 0.0, 6.0),
    "mtt": MapDisplay("MTT", "s", 0.0, 10.0),
}


@lru_cache
def colour_table(name: TableName) -> np.ndarray:
    """A colour table as 256 x 3 uint8 RGB, lowest value first; read-only.

    Parameters
    ----------
    name
        ``asist``: black, blue, cyan, green, yellow, red, as on perfusion workstations; ``viridis``: perceptually
        uniform and readable with colour blindness; ``grey``.

    Raises
    ------
    ValueError
        The name is unknown.
    """
    if name == "asist":
        position = [p for p, _ in _ASIST_CORNERS]
        rgb = np.array([c for _, c in _ASIST_CORNERS], dtype=float)
        steps = np.linspace(0, 1, 256)
        table = np.stack([np.interp(steps, position, rgb[:, channel]) for channel in range(3)], axis=1)
    elif name == "viridis":
        from matplotlib import colormaps  # imported late: half a second that only this table costs

        table = colormaps["viridis"](np.arange(256))[:, :3] * 255
    elif name == "grey":
        table = np.repeat(np.arange(256.0)[:, None], 3, axis=1)
    else:
        raise ValueError(f"expected a colour table among {TABLE_NAMES}, got {name!r}")
    result = np.round(table).astype(np.uint8)
    result.flags.writeable = False
    return result


def colourise(values: np.ndarray, low: float, high: float, table: np.ndarray) -> np.ndarray:
    """Colours of ``values`` (any shape) as uint8 ``(..., 3)``; ``low`` and below is the table's first entry."""
    scaled = (np.asarray(values, dtype=np.float32) - low) * (255.0 / (high - low))
    return table[np.clip(np.round(scaled), 0, 255).astype(np.uint8)]
