"""What a radiologist gets to read: ``report.png`` and a self-contained ``report.html``."""

from perfusynth.report.mosaic import render_mosaic
from perfusynth.report.write import write_report

__all__ = ["render_mosaic", "write_report"]
