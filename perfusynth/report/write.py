"""Writes the report's two files."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from perfusynth import atomic
from perfusynth.perfusion.colour_tables import MapDisplay
from perfusynth.perfusion.measurements import Measurements
from perfusynth.perfusion.regions import Regions
from perfusynth.report.background import Background, background_of
from perfusynth.report.displays import displays_of
from perfusynth.report.input_functions import InputFunctions, draw_input_functions
from perfusynth.report.mosaic import draw_mosaic, with_banner
from perfusynth.report.page import png_bytes, render_page
from perfusynth.report.picture import render_report, report_width
from perfusynth.volumes.volume import Volume


def write_report(
    out: Path,
    ncct: Volume,
    maps: Mapping[str, Volume],
    brain: np.ndarray,
    regions: Regions | None,
    measurements: Measurements,
    *,
    displays: Mapping[str, MapDisplay] | None = None,
    background: Background | None = None,
    input_functions: InputFunctions | None = None,
) -> None:
    """Write ``report.png`` and ``report.html`` into ``out``.

    Parameters
    ----------
    out
        Folder; made when it is missing.
    ncct
        Plain CT, or what `Background` stands for; any axis order.
    maps
        Maps by name, on the NCCT's grid.
    brain
        bool array on that grid.
    regions
        As measured on these maps; ``None`` where the family has none.
    measurements
        What is said; its notices are drawn into every picture.
    displays
        Range and colour table of each map; its order is the order of the rows; by default `displays_of` the result.
    background
        What ``ncct`` is; by default a plain CT, for deconvolved maps a mean of frames.
    input_functions
        Drawn below the maps; ``None`` where no contrast was measured.

    Raises
    ------
    ValueError
        A map, the brain or a region is not on the NCCT's grid.
    """
    masks = {} if regions is None else {"regions": regions.hypoperfusion}
    if input_functions is not None:
        masks["peak_image"] = input_functions.peak_image.array
    for name, array in {**{name: volume.array for name, volume in maps.items()}, "brain": brain, **masks}.items():
        if array.shape != ncct.shape:
            raise ValueError(f"expected {name} on the NCCT's grid {ncct.shape}, got {array.shape}")
    displays = displays or displays_of(measurements)
    background = background or background_of(measurements.origin)
    mosaic, _ = draw_mosaic(ncct, maps, brain, regions, displays=displays, background=background)
    panel, inlined = None, None
    if input_functions is not None:
        panel = draw_input_functions(input_functions, brain, measurements, report_width(mosaic))
        inlined = with_banner(panel, measurements.notices)
    atomic.write_bytes(out / "report.png", png_bytes(render_report(mosaic, measurements, panel)))
    page = render_page(with_banner(mosaic, measurements.notices), measurements, inlined)
    atomic.write_bytes(out / "report.html", page.encode())
