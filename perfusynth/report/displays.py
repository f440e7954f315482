"""The range that a result's maps are shown with: measured CBF and MTT follow method and normal tissue."""

from collections.abc import Mapping
from dataclasses import replace

from perfusynth.perfusion.colour_tables import MAP_DISPLAYS, MapDisplay
from perfusynth.perfusion.measurements import Measurements

#: Upper ends of the CBF display, mL/100 g/min.
CBF_MAXIMA = (40.0, 60.0, 80.0, 120.0, 160.0)
#: Upper end of the display of a deconvolved MTT, s: the truncation that lowers flow lengthens it, to 5-8 s in normal
#: tissue (docs/perfusion.md).
DECONVOLVED_MTT_MAX_S = 16.0


def displays_of(measurements: Measurements) -> Mapping[str, MapDisplay]:
    """Range and table of each map.

    Measured CBF depends on method and threshold, which may halve it, and a generator makes what it was trained on: the
    window is the first of `CBF_MAXIMA` that reaches twice the normal tissue's CBF (ASIST-Japan's rule, see
    `MAP_DISPLAYS`), and a deconvolved MTT is longer by as much.
    """
    if measurements.core is None:
        return MAP_DISPLAYS
    wanted = 2 * measurements.core.normal_cbf
    high = next((end for end in CBF_MAXIMA if end >= wanted), CBF_MAXIMA[-1])
    displays = {**MAP_DISPLAYS, "cbf": replace(MAP_DISPLAYS["cbf"], high=high)}
    if measurements.origin == "deconvolved":
        displays["mtt"] = replace(MAP_DISPLAYS["mtt"], high=DECONVOLVED_MTT_MAX_S)
    return displays
