"""What the outlines are drawn on: a grey picture with its name and window."""

from dataclasses import dataclass

from perfusynth.perfusion.colour_tables import MapDisplay
from perfusynth.perfusion.measurements import Origin


@dataclass(frozen=True)
class Background:
    """The mosaic's first row: its label, a second line on what it is, its window (width and level) and their unit.

    ``sides_known``: whether it is known which side of the picture is the patient's left.
    """

    label: str
    note: str
    window: tuple[float, float]
    unit: str = "HU"
    sides_known: bool = True


#: Stroke window, 40/40 HU.
NCCT = Background("NCCT", "", (40.0, 40.0))

#: Mean of frames before the contrast or over all of them: noisier than an NCCT (80 kV), hence the brain window, 80/40.
MEAN_CT = Background("CT", "averaged", (80.0, 40.0))


def grey_map(display: MapDisplay) -> Background:
    """Where there is no CT: a map in grey, over the range that it is shown with in colour."""
    width = display.high - display.low
    return Background(display.label, "no CT given", (width, display.low + width / 2), display.unit)


def background_of(origin: Origin) -> Background:
    """The usual background of a result."""
    return MEAN_CT if origin == "deconvolved" else NCCT
