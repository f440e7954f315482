"""How two images are laid over each other to be compared: kinds of image, ways of looking, sizes and colours."""

from __future__ import annotations

from typing import NamedTuple

#: Ways of looking at both images in one view.
FADE, CHECKERBOARD, EDGES, DIFFERENCE = "fade", "checkerboard", "edges", "difference"
LOOKS: tuple[str, ...] = (FADE, CHECKERBOARD, EDGES, DIFFERENCE)


class ImageKind(NamedTuple):
    """What an image is and how it is shown.

    Attributes
    ----------
    title
        As the user calls it.
    unit
        Of its values.
    window
        Window and level it is shown with at first.
    head_above
        Voxels above this belong to the head.
    compared
        Lowest and highest value that mutual information tells apart.
    """

    title: str
    unit: str
    window: tuple[float, float]
    head_above: float
    compared: tuple[float, float]


#: NCCT, HU: width 80 around 40 is the usual brain window; skin and fat lie above -300 HU. [d]
NCCT = ImageKind("NCCT", "HU", (80.0, 40.0), -300.0, (-200.0, 1500.0))
#: Mean or baseline of a CTP, HU: the same with room for enhanced vessels. [d]
CTP = ImageKind("CTP", "HU", (100.0, 50.0), -300.0, (-200.0, 1500.0))
#: Tmax, where a case has no CTP, s: shown from 0 to 12; 0 outside the brain.
TMAX = ImageKind("Tmax", "s", (12.0, 6.0), 0.0, (0.0, 12.0))

#: Share of the moving image that fading begins with. [d]
FADE_START = 0.5
#: Side of a square of the checkerboard, mm: a few across the brain, each with an edge of it. [d]
CHECKER_MM = 25.0

#: Colour of the moving image's edges, and of its skull's and brain's outlines, 0 to 1: none is a grey. [d]
EDGE_COLOUR = (1.0, 0.55, 0.0)
SKULL_COLOUR, BRAIN_COLOUR = (0.2, 0.85, 1.0), (1.0, 0.35, 0.75)
#: Difference: colours where the moving image is brighter, and where the fixed one is. [d]
MOVING_BRIGHTER, FIXED_BRIGHTER = (1.0, 0.6, 0.1), (0.2, 0.6, 1.0)
