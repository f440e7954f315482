"""The report page of what is read at this moment: numbers as the panel shows them, mosaic with the same regions."""

from __future__ import annotations

from .canvas import png_bytes
from .measurements import Measurements
from .mosaic import draw_mosaic
from .node_geometry import volume_of
from .reading_scene import Reading
from .report_page import ReportPicture, report_page


def report_html(reading: Reading, measured: Measurements) -> str:
    """The page's HTML; nothing in it names the patient.

    Parameters
    ----------
    reading
        Maps and facts.
    measured
        Numbers and regions of the moment; with an edited region the page shows the model's own beside it.
    """
    facts = reading.facts
    mosaic = draw_mosaic(volume_of(reading.ncct_node), reading.tmax, reading.cbf, reading.brain, measured, facts)
    picture = ReportPicture(
        png_bytes(mosaic),
        "Axial slices in rows: plain CT with outlines, Tmax and CBF in colour",
        "Green: the region whose volume is reported. Pink: core estimate. z: height in the scanner's coordinates.",
    )
    return report_page(facts, measured, [picture], as_made=facts.measured)
