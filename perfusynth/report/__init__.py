"""What a radiologist gets to read: ``report.png`` and a self-contained ``report.html``."""

from perfusynth.report.background import MEAN_CT, NCCT, Background, grey_map
from perfusynth.report.displays import displays_of
from perfusynth.report.input_functions import InputFunctions
from perfusynth.report.mosaic import render_mosaic
from perfusynth.report.write import write_report

__all__ = [
    "MEAN_CT",
    "NCCT",
    "Background",
    "InputFunctions",
    "displays_of",
    "grey_map",
    "render_mosaic",
    "write_report",
]
