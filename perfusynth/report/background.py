"""What the outlines are drawn on: a grey picture with its name and window."""

from dataclasses import dataclass

from perfusynth.perfusion.measurements import Origin


@dataclass(frozen=True)
class Background:
    """The mosaic's first row: its label, a second line on what it is, its window (width and level) and their unit."""

    label: str
    note: str
    window: tuple[float, float]
    unit: str = "HU"


#: Stroke window, 40/40 HU.
NCCT = Background("NCCT", "", (40.0, 40.0))

#: Mean of frames before the contrast or over all of them: noisier than an NCCT (80 kV), hence the brain window, 80/40.
MEAN_CT = Background("CT", "averaged", (80.0, 40.0))

#: Where there is no CT: the CBF map in grey, 0 to 80 mL/100 g/min.
CBF_GREY = Background("CBF", "no CT given", (80.0, 40.0), "mL/100 g/min")

#: Where there is a Tmax map only, 0 to 12 s.
TMAX_GREY = Background("Tmax", "no CT given", (12.0, 6.0), "s")


def background_of(origin: Origin) -> Background:
    """The usual background of a result."""
    return MEAN_CT if origin == "deconvolved" else NCCT
