"""Colour tables of perfusion maps with a transparent entry below all values, and the range each map is shown with."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

#: Names that `colour_table` knows, the first the default.
TABLE_NAMES: tuple[str, ...] = ("asist", "viridis", "grey")

#: Position (0 to 1) and RGB of the rainbow's corners. ASIST-like: the order of hues that ASIST-Japan proposes as
#: common to the vendors' perfusion tables (https://asist.umin.jp/assignment-detail03-e.htm), not its published values.
_ASIST_CORNERS = (
    (0.00, (0, 0, 0)),
    (0.16, (0, 0, 255)),
    (0.38, (0, 255, 255)),
    (0.56, (0, 255, 0)),
    (0.76, (255, 255, 0)),
    (1.00, (255, 0, 0)),
)

#: Viridis (Smith and van der Walt, CC0) as 256 x 3 bytes of RGB in base64: perceptually uniform and readable with
#: colour blindness. Slicer's Python has no library that holds it.
_VIRIDIS = (
    "RAFURAJWRQRXRQVZRgdaRghcRgpdRgteRw1gRw5hRxBjRxFkRxNlSBRnSBZoSBdpSBhqSBpsSBttSBxuSB1vSB9wSCBxSCFzSCN0SCR1"
    "SCV2SCZ3SCh4SCl5Ryp6Ryx6Ry17Ry58Ry99RjB+RjJ+RjN/RjSARTWBRTeBRTiCRDmDRDqDRDuEQz2EQz6FQj+FQkCGQkGGQUKHQUSH"
    "QEWIQEaIP0eIP0iJPkmJPkqJPkyKPU2KPU6KPE+KPFCLO1GLO1KLOlOLOlSMOVWMOVaMOFiMOFmMN1qMN1uNNlyNNl2NNV6NNV+NNGCN"
    "NGGNM2KNM2ONMmSOMmWOMWaOMWeOMWiOMGmOMGqOL2uOL2yOLm2OLm6OLm+OLXCOLXGOLHGOLHKOLHOOK3SOK3WOKnaOKneOKniOKXmO"
    "KXqOKXuOKHyOKH2OJ36OJ3+OJ4COJoGOJoKOJoKOJYOOJYSOJYWOJIaOJIeOI4iOI4mOI4qNIouNIoyNIo2NIY6NIY+NIZCNIZGMIJKM"
    "IJKMIJOMH5SMH5WLH5aLH5eLH5iLH5mKH5qKHpuKHpyJHp2JH56JH5+IH6CIH6GIH6GHH6KHIKOGIKSGIaWFIaaFIqeFIqiEI6mDJKqD"
    "JauCJayCJq2BJ62BKK6AKa9/KrB/LLF+LbJ9LrN8L7R8MbV7MrZ6NLZ5Nbd5N7h4OLl3Orp2O7t1Pbx0P7xzQL1yQr5xRL9wRsBvSMFu"
    "SsFtTMJsTsNrUMRqUsVpVMVoVsZnWMdlWshkXMhjXsliYMpgY8tfZcteZ8xcac1bbM1abs5YcM9Xc9BWddBUd9FTetFRfNJQf9NOgdNN"
    "hNRLhtVJidVIi9ZGjtZFkNdDk9dBldhAmNg+m9k8ndk7oNo5oto3pds2qNs0qtwyrdwwsN0vst0ttd4ruN4put4ovd8mwN8lwt8jxeAh"
    "yOAgyuEfzeEd0OEc0uIb1eIa2OIZ2uMZ3eMY3+MY4uQY5eQZ5+QZ6uUa7OUb7+Uc8eUd9OYe9uYg+OYh++cj/ecl"
)

#: Upper ends of the Tmax display, s, the first the default, as in the server's report: 12 s keeps the 6 s threshold
#: mid-scale; 16 s is the window (W 16, L 8) of the multi-vendor phantom comparison (Kudo et al., Radiology 2013).
TMAX_DISPLAY_MAXIMA_S: tuple[float, ...] = (12.0, 16.0)
#: Upper ends of the CBF display, mL/100 g/min.
CBF_DISPLAY_MAXIMA: tuple[float, ...] = (40.0, 60.0, 80.0, 120.0, 160.0)


class MapDisplay(NamedTuple):
    """How a map is shown: short label, unit, the values at both ends of the colour bar, table, values it points out."""

    label: str
    unit: str
    low: float
    high: float
    table: str = "asist"
    marks: tuple[float, ...] = ()

    @property
    def window_level(self) -> tuple[float, float]:
        """Window and level, in the map's unit."""
        return self.high - self.low, (self.high + self.low) / 2


#: Defaults by map. CBF, CBV and MTT follow ASIST-Japan's rule that the window is about twice the mean of the normal
#: hemisphere. Of the chance of hypoperfusion, 0.5 is pointed out.
MAP_DISPLAYS: Mapping[str, MapDisplay] = {
    "tmax": MapDisplay("Tmax", "s", 0.0, TMAX_DISPLAY_MAXIMA_S[0], marks=(6.0,)),
    "cbf": MapDisplay("CBF", "mL/100 g/min", 0.0, 80.0),
    "cbv": MapDisplay("CBV", "mL/100 g", 0.0, 6.0),
    "mtt": MapDisplay("MTT", "s", 0.0, 10.0),
    "hypoperfusion_probability": MapDisplay("P(Tmax > 6 s)", "", 0.0, 1.0, "viridis", marks=(0.5,)),
}


def displays_of(normal_cbf: float | None) -> Mapping[str, MapDisplay]:
    """How a result's maps are shown: CBF up to twice that of its normal tissue (mL/100 g/min), as in its report.

    Without normal tissue (None) the defaults stand.
    """
    if normal_cbf is None:
        return MAP_DISPLAYS
    high = next((end for end in CBF_DISPLAY_MAXIMA if end >= 2 * normal_cbf), CBF_DISPLAY_MAXIMA[-1])
    return {**MAP_DISPLAYS, "cbf": MAP_DISPLAYS["cbf"]._replace(high=high)}


def colour_table(name: str) -> np.ndarray:
    """A colour table as uint8 RGB of shape (256, 3), lowest value first.

    Parameters
    ----------
    name
        ``asist``: black, blue, cyan, green, yellow, red, as on perfusion workstations; ``viridis``; ``grey``.

    Raises
    ------
    ValueError
        The name is unknown.
    """
    if name == "asist":
        position = [corner for corner, _ in _ASIST_CORNERS]
        rgb = np.array([colour for _, colour in _ASIST_CORNERS], dtype=float)
        steps = np.linspace(0, 1, 256)
        table = np.stack([np.interp(steps, position, rgb[:, channel]) for channel in range(3)], axis=1)
        return np.round(table).astype(np.uint8)
    if name == "viridis":
        return np.frombuffer(base64.b64decode(_VIRIDIS), np.uint8).reshape(256, 3).copy()
    if name == "grey":
        return np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
    raise ValueError(f"expected a colour table among {TABLE_NAMES}, got {name!r}")


def rgba_table(name: str) -> np.ndarray:
    """A colour table as uint8 RGBA of shape (256, 4) for a lookup in the scene: its lowest entry is transparent.

    Maps are 0 outside the brain, so that the lowest entry shows what lies below there. Inside the brain it stands for
    less than 1/256 of the range.
    """
    alpha = np.full((256, 1), 255, dtype=np.uint8)
    alpha[0] = 0
    return np.concatenate([colour_table(name), alpha], axis=1)


def colourise(values: np.ndarray, display: MapDisplay) -> np.ndarray:
    """Opaque colours of ``values`` (any shape, the map's unit) as uint8 ``(..., 3)``; below the range the lowest."""
    scaled = (np.asarray(values, dtype=np.float32) - display.low) * (255.0 / (display.high - display.low))
    return colour_table(display.table)[np.clip(np.round(scaled), 0, 255).astype(np.uint8)]


def colourise_within(values: np.ndarray, inside: np.ndarray, display: MapDisplay) -> np.ndarray:
    """Colours of ``values`` as uint8 ``(..., 4)``; transparent where the mask ``inside`` is not set."""
    alpha = np.where(np.asarray(inside, dtype=bool), 255, 0).astype(np.uint8)
    return np.concatenate([colourise(values, display), alpha[..., None]], axis=-1)
