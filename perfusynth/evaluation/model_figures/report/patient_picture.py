"""One patient as a picture: NCCT with both outlines, true and made Tmax; patient left on screen right, with banner."""

from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image

from perfusynth.evaluation.model_figures.case import EvaluationCase
from perfusynth.evaluation.model_figures.methods import Made
from perfusynth.perfusion.colour_tables import MAP_DISPLAYS, colour_table, colourise
from perfusynth.report.background import NCCT
from perfusynth.report.canvas import CORE, DIM, HYPOPERFUSION, TEXT, Canvas, Colour
from perfusynth.report.mosaic import with_banner
from perfusynth.report.slices import AxialView, choose_view, outline
from perfusynth.volumes.volume import Volume

#: Slices of a patient, and the layout, pixels.
SLICES, PANEL_WIDTH, GAP, LABELS, HEADING = 6, 170, 5, 112, 46
#: Outline of the true region.
TRUE: Colour = TEXT


def draw_patient(
    case: EvaluationCase, made: Made, made_region: np.ndarray, heading: Sequence[str], notices: Sequence[str]
) -> Image.Image:
    """Draw the picture.

    Parameters
    ----------
    made_region
        bool, Tmax > 6 s after clean-up, as it was measured.
    heading
        Two lines above the slices.
    notices
        Banner lines, drawn into the picture.
    """
    true_region = case.true_regions.hypoperfusion
    ncct = Volume(case.inputs["ncct"], case.affine)
    view = choose_view(ncct, case.brain, true_region | made_region, SLICES)
    panel = view.pixels(PANEL_WIDTH / view.size_mm[0])
    shown = {"NCCT": None, "true Tmax": case.truth["tmax"]}
    if made.maps is not None:
        shown["made Tmax"] = made.maps["tmax"] * case.measured
    regions = {"true": (true_region, TRUE), "made": (made_region, HYPOPERFUSION)}
    width = LABELS + len(view.index) * (panel[0] + GAP)
    canvas = Canvas(width, HEADING + len(shown) * (panel[1] + GAP))
    canvas.text((8, 5), heading[0], 15, bold=True)
    canvas.text((8, 25), heading[1], 13, DIM)
    for row, (name, array) in enumerate(shown.items()):
        y = HEADING + row * (panel[1] + GAP)
        _label(canvas, y, name, has_region=made.maps is None)
        for column, index in enumerate(view.index):
            x = LABELS + column * (panel[0] + GAP)
            drawn = list(regions.values()) if array is None else [regions[name.split()[0]]]
            picture = _grey(view, ncct, index, panel) if array is None else _tmax(view, case, array, index, panel)
            canvas.paste(Image.fromarray(_outlined(picture, view, index, panel, drawn)), (x, y))
            if row == 0:
                canvas.text((x + 4, y + 3), "R", 14, bold=True, halo=True)
                canvas.text((x + panel[0] - 4, y + 3), "L", 14, bold=True, anchor="ra", halo=True)
                canvas.text(
                    (x + 4, y + panel[1] - 3), f"z {view.position_mm[column]:+.0f}", 11, DIM, anchor="ld", halo=True
                )
    return with_banner(canvas.image, notices)


def _label(canvas: Canvas, y: int, name: str, *, has_region: bool) -> None:
    canvas.text((8, y + 6), name, 15, bold=True)
    if name == "NCCT":
        for line, (text, colour) in enumerate((("true", TRUE), ("made", HYPOPERFUSION))):
            canvas.line((8, y + 40 + 20 * line, 30, y + 40 + 20 * line), colour, 3)
            canvas.text((36, y + 32 + 20 * line), text, 13, DIM)
        canvas.text((8, y + 78), "Tmax > 6 s", 12, DIM)
        if has_region:
            canvas.text((8, y + 96), "region only", 12, CORE)
    else:
        display = MAP_DISPLAYS["tmax"]
        canvas.text((8, y + 28), f"{display.low:g}–{display.high:g} {display.unit}", 12, DIM)


def _grey(view: AxialView, ncct: Volume, index: int, panel: tuple[int, int]) -> np.ndarray:
    width, level = NCCT.window
    hu = view.picture(ncct.array, index, panel, average=True)
    grey = np.clip((hu - (level - width / 2)) / width, 0, 1) * 255
    return np.repeat(grey[..., None], 3, axis=2).astype(np.float32)


def _tmax(view: AxialView, case: EvaluationCase, array: np.ndarray, index: int, panel: tuple[int, int]) -> np.ndarray:
    display = MAP_DISPLAYS["tmax"]
    weight = view.picture(case.measured, index, panel, average=True)
    values = view.picture(array, index, panel, average=True, within=case.measured) / np.maximum(weight, 1e-3)
    rgb = colourise(values, display.low, display.high, colour_table(display.table))
    return np.where(weight[..., None] >= 0.5, rgb, 0).astype(np.float32)


def _outlined(
    rgb: np.ndarray, view: AxialView, index: int, panel: tuple[int, int], drawn: Sequence[tuple[np.ndarray, Colour]]
) -> np.ndarray:
    for region, colour in drawn:
        opacity = outline(view.picture(region, index, panel, average=False))[..., None]
        rgb = rgb * (1 - opacity) + np.array(colour, dtype=np.float32) * opacity
    return np.round(rgb).astype(np.uint8)


def heading_of(row: Mapping[str, object], method: str) -> tuple[str, str]:
    """Who it is, and what was made of him."""
    number = {key: _number(row.get(key)) for key in ("truth_ml_6", "made_ml_6", "dice_6", "onset_h")}
    seen = [name for name, key in (("clot", "sign_clot"), ("core", "sign_core")) if row.get(key)]
    who = f"{row['case']}: {row.get('site') or 'site not known'} {row.get('side') or ''}"
    return (
        f"{who}, {number['onset_h']} h after onset, visible: {' and '.join(seen) or 'no sign'}",
        f"{method}: true {number['truth_ml_6']} mL, made {number['made_ml_6']} mL, Dice {number['dice_6']}, "
        f"side called: {row.get('made_side', '–')}",
    )


def _number(value: object) -> str:
    if not isinstance(value, int | float):
        return "–"
    return f"{value:.2f}" if abs(value) < 1 and value else f"{value:.0f}"
