"""Contact sheet of twelve digital patients: a row each, every modality at one level (`make phantom-atlas`)."""

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from PIL import Image, ImageColor

from perfusynth import atomic
from perfusynth.perfusion.colour_tables import MAP_DISPLAYS, MapDisplay, colour_table
from perfusynth.phantom.case.truth import on_grid
from perfusynth.phantom.ct.cta import render_cta
from perfusynth.phantom.ct.ncct import render_ncct
from perfusynth.phantom.ct.scanners import CTA_PROTOCOL, SCANNERS
from perfusynth.phantom.ctp.frames import render_series
from perfusynth.phantom.ctp.maps import MeasuredMaps, measured_maps
from perfusynth.phantom.ctp.protocols import PROTOCOLS, native_ctp_grid
from perfusynth.phantom.grid import Grid, brain_extent
from perfusynth.phantom.mr.dwi import render_adc, render_dwi
from perfusynth.phantom.mr.flair import render_flair
from perfusynth.phantom.mr.images import native_mr_grid
from perfusynth.phantom.patient import Patient, draw_patient
from perfusynth.phantom.scene import Scene, scene_of
from perfusynth.phantom.stroke.traits import Stroke
from perfusynth.phantom.version import PHANTOM_VERSION

#: Scanner and perfusion protocol of the sheet; nobody moves, so that all columns show one level.
SCANNER, PROTOCOL = SCANNERS["standard_5mm"], PROTOCOLS["still_160mm"]
#: Template point whose level is shown where there is no deficit: the basal ganglia, MNI mm.
BASAL_GANGLIA = (0.0, -18.0, 6.0)
#: Tmax of a deficit, s; the volume (mL) from which its own level may be shown, and the share of its largest section
#: that the basal ganglia's level must hold to be shown instead.
DEFICIT_S, DEFICIT_ML, SECTION_SHARE = 6.0, 5.0, 0.45
#: CTA slab below and above the level, mm (down to the circle of Willis), and the distance of its planes.
CTA_SLAB_MM, CTA_STEP_MM = (26.0, 6.0), 2.0
#: CTA pixel and matrix, mm.
CTA_PIXEL_MM, CTA_MATRIX = 0.6, 384
#: What is shown around the brain, mm; width of a panel and of the captions, inches; dots per inch.
MARGIN_MM, PANEL_INCH, CAPTION_INCH, DPI = 8.0, 1.12, 1.75, 110
#: Upper ends of the display by ASIST's rule (twice the normal mean): plain deconvolution halves flow, doubles transit.
MEASURED_TOP = {"cbf": 40.0, "mtt": 15.0}
#: Grey windows: lowest and highest value, unit.
GREY_WINDOWS = {
    "NCCT": (20.0, 60.0, "HU"),
    "CTA MIP": (0.0, 500.0, "HU"),
    "CTP peak": (0.0, 35.0, "HU"),
    "ADC": (0.0, 2000.0, "1e-6 mm2/s"),
}
#: Images in arbitrary units are shown up to this multiple of the brain's median.
ARBITRARY_TOP = {"DWI": 1.75, "FLAIR": 1.7}
COLUMNS = ("NCCT", "core", "CTA MIP", "CTP peak", "Tmax", "CBF", "CBV", "MTT", "DWI", "ADC", "FLAIR")
HEADINGS = {"core": "core, Tmax > 6 s", "CTP peak": "CTP peak - base"}
#: Levels of grey and of the maps' colour table in the written picture, whose palette holds 256 colours.
GREY_LEVELS, MAP_LEVELS = 160, 90
CORE_COLOUR, DEFICIT_COLOUR, TEXT_COLOUR = "#ff4fd8", "#4ae880", "#ffc233"


def _late(stroke: Stroke, low: float, high: float) -> bool:
    return low <= stroke.onset_to_imaging_h <= high


#: What each row shows; the first patient (seeds from 0) of whom it is true.
WANTED: tuple[Callable[[Stroke], bool], ...] = (
    lambda s: s.site == "M1" and s.side == "left" and _late(s, 0, 3) and s.core_target_ml > 10,
    lambda s: s.site == "M1" and s.side == "right" and _late(s, 3, 6) and s.collaterals == "good",
    lambda s: s.site == "M1" and s.side == "left" and _late(s, 12, 24) and s.core_target_ml > 60,
    lambda s: s.site == "ICA" and s.side == "right" and _late(s, 4, 12) and s.core_target_ml > 30,
    lambda s: s.site == "M2-sup" and s.side == "right" and _late(s, 6, 48) and s.core_target_ml > 10,
    lambda s: s.site == "M2-inf" and s.side == "left" and s.core_target_ml > 10,
    lambda s: s.site == "A2" and s.core_target_ml > 4,
    lambda s: s.site == "P2" and s.core_target_ml > 8,
    lambda s: s.site == "basilar" and s.core_target_ml > 8,
    lambda s: s.mimic == "chronic ICA",
    lambda s: s.mimic == "seizure",
    lambda s: s.site == "none" and s.mimic == "none",
)


@dataclass(frozen=True, eq=False)
class Panel:
    """One image, ``(x, y)``, with the RAS position of its edges: left, right (x), posterior, anterior (y), mm."""

    image: np.ndarray
    extent: tuple[float, float, float, float]


def choose_patients() -> list[Patient]:
    """The patients of the sheet, one for each of `WANTED`."""
    found: dict[int, Patient] = {}
    seed = 0
    while len(found) < len(WANTED):
        patient = draw_patient(seed)
        for row, wanted in enumerate(WANTED):
            if row not in found and wanted(patient.stroke):
                found[row] = patient
                break
        seed += 1
    return [found[row] for row in range(len(WANTED))]


def _panel(image: np.ndarray, grid: Grid) -> Panel:
    left, posterior = grid.affine[:2, 3] - grid.spacing[:2] / 2
    right, anterior = np.array([left, posterior]) + grid.spacing[:2] * grid.shape[:2]
    return Panel(image, (float(left), float(right), float(posterior), float(anterior)))


def _at_level(grid: Grid, z_mm: float) -> Grid:
    """The one slice of a grid at a height of the head's frame."""
    affine = grid.affine.copy()
    affine[2, 3] = z_mm
    return Grid((*grid.shape[:2], 1), affine, grid.slab_mm)


def level_of(scene: Scene, maps: MeasuredMaps, grid: Grid) -> int:
    """Slice of the CTP grid that is shown: the basal ganglia, or the deficit's largest section where they miss it."""
    ganglia = float(scene.placement.to_head(np.array(BASAL_GANGLIA)[:, None])[2, 0])
    usual = int(np.clip(round((ganglia - grid.affine[2, 3]) / grid.affine[2, 2]), 0, grid.shape[2] - 1))
    area = (maps.tmax > DEFICIT_S).sum(axis=(0, 1)) * grid.voxel_ml
    if area.sum() < DEFICIT_ML or area[usual] >= SECTION_SHARE * area.max():
        return usual
    return int(np.argmax(area))


def _peak_minus_base(scene: Scene, seed: int, index: int) -> np.ndarray:
    """One slice of the CTP: the frame of strongest enhancement less the mean of those before the bolus, HU."""
    series = render_series(scene, PROTOCOL, seed)
    curves = series.hu[:, :, index].astype(np.float32)
    before = max(1, int((series.times_s < scene.patient.circulation.arrival_s).sum()))
    base = curves[..., :before].mean(axis=2)
    rise = np.clip(curves - base[..., None], -50, 100).mean(axis=(0, 1))
    return curves[..., int(np.argmax(rise))] - base


def _cta_mip(scene: Scene, seed: int, level: float) -> Panel:
    below, above = CTA_SLAB_MM
    affine = np.diag([CTA_PIXEL_MM, CTA_PIXEL_MM, CTA_STEP_MM, 1.0])
    low, high = brain_extent(scene.patient)
    affine[:2, 3] = (low + high)[:2] / 2 - CTA_PIXEL_MM * (CTA_MATRIX - 1) / 2
    affine[2, 3] = level - below + CTA_STEP_MM / 2
    grid = Grid((CTA_MATRIX, CTA_MATRIX, round((below + above) / CTA_STEP_MM)), affine, CTA_STEP_MM)
    return _panel(render_cta(scene, grid, CTA_PROTOCOL, seed)[0].max(axis=2), grid)


def panels_of(patient: Patient) -> tuple[dict[str, Panel], str]:
    """The images of one patient by column, ``core`` and ``deficit`` masks among them, and the caption."""
    scene, seed = scene_of(patient), patient.seed
    ctp = native_ctp_grid(patient, PROTOCOL)
    maps = measured_maps(scene, ctp, PROTOCOL, seed)
    index = level_of(scene, maps, ctp)
    level = float(ctp.affine[2, 3] + ctp.affine[2, 2] * index)
    low, high = brain_extent(patient)
    native = np.diag([SCANNER.pixel_mm, SCANNER.pixel_mm, SCANNER.spacing_mm, 1.0])
    native[:2, 3] = (low + high)[:2] / 2 - SCANNER.pixel_mm * (SCANNER.matrix - 1) / 2
    plain = _at_level(Grid((SCANNER.matrix, SCANNER.matrix, 1), native, SCANNER.slice_mm), level)
    dwi, flair = (_at_level(native_mr_grid(patient, sequence), level) for sequence in ("dwi", "flair"))
    core = on_grid(scene, ctp, {"core": scene.infarct})["core"]
    found = {
        "NCCT": _panel(render_ncct(scene, plain, SCANNER, seed)[0][:, :, 0], plain),
        "CTA MIP": _cta_mip(scene, seed, level),
        "CTP peak": _panel(_peak_minus_base(scene, seed, index), ctp),
        "DWI": _panel(render_dwi(scene, dwi, seed)[:, :, 0], dwi),
        "ADC": _panel(render_adc(scene, dwi, seed)[:, :, 0], dwi),
        "FLAIR": _panel(render_flair(scene, flair, seed)[:, :, 0], flair),
        "core mask": _panel(core[:, :, index], ctp),
        "deficit mask": _panel((maps.tmax[:, :, index] > DEFICIT_S).astype(float), ctp),
    }
    found["core"] = found["NCCT"]
    for name in ("tmax", "cbf", "cbv", "mtt"):
        found[MAP_DISPLAYS[name].label] = _panel(getattr(maps, name)[:, :, index], ctp)
    deficit_ml = float((maps.tmax > DEFICIT_S).sum()) * ctp.voxel_ml
    return found, caption(patient, deficit_ml, float(core.sum()) * ctp.voxel_ml)


def caption(patient: Patient, tmax6_ml: float, core_ml: float) -> str:
    """What a row shows, in lines."""
    stroke = patient.stroke
    head = f"seed {patient.seed}, {patient.age:.0f} years"
    volumes = f"Tmax > 6 s: {tmax6_ml:.0f} mL\ncore: {core_ml:.0f} mL"
    if stroke.site == "none":
        what = "no deficit" if stroke.mimic == "none" else f"mimic: {stroke.mimic}"
        side = f", {stroke.side}" if stroke.side != "none" else ""
        return f"{what}{side}\n{volumes}\n{head}"
    side = "" if stroke.side == "both" else f", {stroke.side}"
    return (
        f"{stroke.site}{side}\n{stroke.onset_to_imaging_h:.1f} h, collaterals {stroke.collaterals}\n{volumes}\n{head}"
    )


def _display(column: str) -> MapDisplay | None:
    """How a perfusion map of this sheet is shown; None for what is no such map."""
    name = column.lower()
    display = MAP_DISPLAYS.get(name)
    return replace(display, high=MEASURED_TOP[name]) if display and name in MEASURED_TOP else display


def _window(column: str, panel: Panel) -> tuple[float, float]:
    if column in ("NCCT", "core"):
        return GREY_WINDOWS["NCCT"][:2]
    if column in GREY_WINDOWS:
        return GREY_WINDOWS[column][:2]
    if display := _display(column):
        return display.low, display.high
    bright = panel.image[panel.image > 0.3 * np.percentile(panel.image, 97)]
    return 0.0, ARBITRARY_TOP[column] * float(np.median(bright))


def draw_sheet(patients: list[Patient], on_row: Callable[[int], None] = lambda row: None) -> Figure:
    """The sheet as a matplotlib figure; patients' left is on the right of the screen."""
    rows = []
    for patient in patients:
        on_row(patient.seed)
        rows.append(panels_of(patient))
    height = PANEL_INCH * 1.2
    top, bottom = 0.62, 0.62
    size = (CAPTION_INCH + PANEL_INCH * len(COLUMNS), top + height * len(rows) + bottom)
    figure = Figure(figsize=size, dpi=DPI, facecolor="black")
    title = f"DIGITAL PHANTOM {PHANTOM_VERSION} - simulated patients, not for diagnosis"
    figure.text(0.5, 1 - 0.2 / size[1], title, color=TEXT_COLOUR, ha="center", va="center", fontsize=11, weight="bold")
    for row, (patient, (panels, text)) in enumerate(zip(patients, rows, strict=True)):
        y = 1 - (top + (row + 1) * height) / size[1]
        figure.text(0.08 / size[0], y + height / 2 / size[1], text, color="white", fontsize=7, va="center")
        for column, name in enumerate(COLUMNS):
            x = (CAPTION_INCH + column * PANEL_INCH) / size[0]
            axes = figure.add_axes((x, y, 0.985 * PANEL_INCH / size[0], 0.985 * height / size[1]))
            _draw(axes, name, panels, patient)
            if row == 0:
                heading = HEADINGS.get(name, name)
                at = (x + PANEL_INCH / 2 / size[0], 1 - 0.48 / size[1])
                figure.text(*at, heading, color="white", ha="center", fontsize=8)
    for column, name in enumerate(COLUMNS):
        _bar(figure, name, (CAPTION_INCH + (column + 0.1) * PANEL_INCH) / size[0], size)
    return figure


def _draw(axes, column: str, panels: Mapping[str, Panel], patient: Patient) -> None:
    panel = panels[column]
    low, high = _window(column, panel)
    colours = ListedColormap(colour_table("asist") / 255) if column.lower() in MAP_DISPLAYS else "gray"
    axes.imshow(panel.image.T, origin="lower", extent=panel.extent, cmap=colours, vmin=low, vmax=high)
    if column == "core":
        for name, colour in (("deficit mask", DEFICIT_COLOUR), ("core mask", CORE_COLOUR)):
            mask = panels[name]
            if mask.image.max() > 0.5:
                axes.contour(mask.image.T, [0.5], origin="lower", extent=mask.extent, colors=colour, linewidths=0.8)
    corner, far = brain_extent(patient)
    centre = (corner + far)[:2] / 2
    half = max((far - corner)[0] / 2, (far - corner)[1] / 2 / 1.2) + MARGIN_MM
    axes.set_xlim(centre[0] + half, centre[0] - half)  # the patient's right (+x) on the left of the screen
    axes.set_ylim(centre[1] - 1.2 * half, centre[1] + 1.2 * half)
    axes.set_aspect("auto")
    axes.set_axis_off()
    for text, place in (("R", 0.05), ("L", 0.95)):
        axes.text(place, 0.95, text, color=TEXT_COLOUR, fontsize=6, transform=axes.transAxes, ha="center", va="center")


def _bar(figure: Figure, column: str, x: float, size: tuple[float, float]) -> None:
    """The colour bar of a column, with its unit."""
    shown = _display(column)
    if shown is not None:
        low, high, unit, table = shown.low, shown.high, shown.unit, ListedColormap(colour_table(shown.table) / 255)
    elif column in GREY_WINDOWS:
        (low, high, unit), table = GREY_WINDOWS[column], ListedColormap(colour_table("grey") / 255)
    else:
        text = "magenta: core\ngreen: Tmax > 6 s" if column == "core" else "arbitrary units"
        place = (x + 0.4 * PANEL_INCH / size[0], 0.32 / size[1])
        figure.text(*place, text, color="white", fontsize=6, ha="center", va="center")
        return
    axes = figure.add_axes((x, 0.4 / size[1], 0.8 * PANEL_INCH / size[0], 0.1 / size[1]))
    axes.imshow(np.linspace(0, 1, 256)[None], aspect="auto", cmap=table, extent=(low, high, 0, 1))
    axes.set_yticks([])
    axes.set_xticks([low, (low + high) / 2, high])
    axes.tick_params(colors="white", labelsize=5.5, length=2, pad=1)
    axes.set_xlabel(unit, color="white", fontsize=6, labelpad=1)


def _palette() -> Image.Image:
    colours: list[tuple[int, ...]] = [
        (level, level, level) for level in np.linspace(0, 255, GREY_LEVELS).round().astype(int).tolist()
    ]
    colours += [tuple(colour_table("asist")[at]) for at in np.linspace(0, 255, MAP_LEVELS).round().astype(int)]
    colours += [ImageColor.getrgb(colour) for colour in (CORE_COLOUR, DEFICIT_COLOUR, TEXT_COLOUR)]
    palette = Image.new("P", (1, 1))
    palette.putpalette([int(value) for colour in colours for value in colour])
    return palette


def write_picture(figure: Figure, path: Path) -> None:
    """Write a figure as PNG with a palette: a third of the bytes, and no difference to the eye."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    picture = Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3])
    content = BytesIO()
    picture.quantize(palette=_palette(), dither=Image.Dither.NONE).save(content, "png", optimize=True)
    atomic.write_bytes(path, content.getvalue())


def main() -> None:
    """Draw the sheet and write it as ``digital_patients.png``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("docs/pictures"), help="Folder of the picture.")
    parser.add_argument("--rows", type=int, default=len(WANTED), help="So many patients.")
    arguments = parser.parse_args()
    patients = choose_patients()[: arguments.rows]
    figure = draw_sheet(patients, lambda seed: print(f"patient {seed} ...", flush=True))
    path = arguments.out / "digital_patients.png"
    write_picture(figure, path)
    print(f"{path}: {path.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
