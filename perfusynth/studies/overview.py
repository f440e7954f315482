"""The picture of a prepared case: how the perfusion study lies on the NCCT, and where it finds a deficit."""

import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from perfusynth import atomic
from perfusynth.perfusion.colour_tables import MAP_DISPLAYS, colour_table, colourise
from perfusynth.report.canvas import DIM, HYPOPERFUSION, Canvas
from perfusynth.report.slices import AxialView, choose_view, outline
from perfusynth.volumes.laid_over import laid_over
from perfusynth.volumes.volume import Volume

#: File in the case folder.
OVERVIEW_FILE = "overview.jpg"
#: Slices that are shown, and pixels to the mm.
SLICES, SCALE = 5, 1.0
#: Windows, width and level: NCCT as in stroke reading, CT perfusion (which may be enhanced) as for the brain. HU.
NCCT_WINDOW, CTP_WINDOW = (40.0, 40.0), (80.0, 40.0)
#: HU above which the NCCT's bone is drawn on the other image.
BONE_HU = 300.0
#: Colour of the NCCT's bone and brain drawn on the other image.
NCCT_LINE = (255, 72, 72)
#: Tmax that is outlined, s, and how strongly Tmax is laid over the NCCT.
LATE_S, OPACITY = 6.0, 0.45
#: Heights of a title and space between pictures, pixels; quality of the JPEG.
TITLE, GAP, QUALITY = 18, 4, 82


def draw_overview(
    ncct: Volume,
    brain: np.ndarray,
    maps: Mapping[str, Volume],
    fixed: Volume | None,
    fixed_to_moving: np.ndarray,
) -> Image.Image:
    """Two rows of axial slices in radiological orientation (patient's left on the right).

    Above, the perfusion study's CT (or its CBF where there is none) on the NCCT's grid, with the NCCT's bone and brain
    as lines: they must lie on its own. Below, the NCCT with Tmax over it, outlined above 6 s.

    Parameters
    ----------
    ncct, brain
        HU, and bool on its grid.
    maps
        ``tmax`` among them, in the fixed frame.
    fixed
        CT of the perfusion study, HU; None: there is none.
    """
    tmax = laid_over(ncct, maps["tmax"], fixed_to_moving)
    shown = brain & (laid_over(ncct, _reach(maps), fixed_to_moving) > 0.5)
    view = choose_view(ncct, shown if shown.any() else brain, (tmax > LATE_S) & brain, SLICES)
    width, height = view.pixels(SCALE)
    across = len(view.index) * (width + GAP) - GAP
    canvas = Canvas(across, 2 * (height + TITLE) + GAP)
    below = height + TITLE + GAP
    canvas.text((0, 2), "Perfusion study; lines: bone and brain of the NCCT", 12, DIM)
    canvas.text((0, below + 2), "NCCT; colour: Tmax, line: above 6 s", 12, DIM)
    other, window = _other(ncct, maps, fixed, fixed_to_moving)
    for column, index in enumerate(view.index):
        left = column * (width + GAP)
        canvas.paste(_registered(view, index, other, window, ncct, brain), (left, TITLE))
        canvas.paste(_perfused(view, index, ncct, tmax, brain), (left, below + TITLE))
    return canvas.image


def _reach(maps: Mapping[str, Volume]) -> Volume:
    """1 all over the grid of the maps."""
    return maps["tmax"].with_array(np.ones(maps["tmax"].shape))


def write_overview(folder: Path, picture: Image.Image) -> None:
    """Write the picture into a case folder."""
    content = io.BytesIO()
    picture.save(content, "JPEG", quality=QUALITY)
    atomic.write_bytes(folder / OVERVIEW_FILE, content.getvalue())


def _other(
    ncct: Volume, maps: Mapping[str, Volume], fixed: Volume | None, fixed_to_moving: np.ndarray
) -> tuple[np.ndarray, tuple[float, float]]:
    """What the NCCT's lines are drawn on, and its window."""
    if fixed is not None:
        return laid_over(ncct, fixed, fixed_to_moving, outside=-1024.0), CTP_WINDOW
    flow = maps.get("cbf", maps["tmax"])
    top = float(np.quantile(flow.array[flow.array > 0], 0.98))
    return laid_over(ncct, flow, fixed_to_moving), (top, top / 2)


def _grey(plane: np.ndarray, window: tuple[float, float]) -> np.ndarray:
    width, level = window
    shown = np.clip((plane - level + width / 2) / width, 0, 1) * 255
    return np.repeat(shown[..., None], 3, axis=2)


def _drawn(picture: np.ndarray, line: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    return picture * (1 - line[..., None]) + np.array(colour) * line[..., None]


def _registered(
    view: AxialView, index: int, other: np.ndarray, window: tuple[float, float], ncct: Volume, brain: np.ndarray
) -> Image.Image:
    size = view.pixels(SCALE)
    picture = _grey(view.picture(other, index, size, average=True), window)
    for mask in (ncct.array > BONE_HU, brain):
        line = outline(view.picture(mask, index, size, average=False), width=1.0)
        picture = _drawn(picture, line, NCCT_LINE)
    return Image.fromarray(np.rint(picture).astype(np.uint8))


def _perfused(view: AxialView, index: int, ncct: Volume, tmax: np.ndarray, brain: np.ndarray) -> Image.Image:
    size = view.pixels(SCALE)
    picture = _grey(view.picture(ncct.array, index, size, average=True), NCCT_WINDOW)
    inside = view.picture(brain, index, size, average=False) * (view.picture(tmax, index, size, average=False) > 0)
    plane = view.picture(tmax * brain, index, size, average=True)
    display = MAP_DISPLAYS["tmax"]
    colours = colourise(plane, display.low, display.high, colour_table(display.table))
    picture = picture * (1 - OPACITY * inside[..., None]) + colours * (OPACITY * inside[..., None])
    line = outline(view.picture((tmax > LATE_S) & brain, index, size, average=False), width=1.5)
    return Image.fromarray(np.rint(_drawn(picture, line, HYPOPERFUSION)).astype(np.uint8))
