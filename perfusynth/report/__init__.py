"""What a radiologist gets to read: ``report.png`` and a self-contained ``report.html``."""

from perfusynth.report.background import CBF_GREY, MEAN_CT, NCCT, TMAX_GREY, Background
from perfusynth.report.input_functions import InputFunctions
from perfusynth.report.mosaic import render_mosaic
from perfusynth.report.write import write_report

__all__ = [
    "CBF_GREY",
    "MEAN_CT",
    "NCCT",
    "TMAX_GREY",
    "Background",
    "InputFunctions",
    "render_mosaic",
    "write_report",
]
