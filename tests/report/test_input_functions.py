"""The panel of arterial input and venous output: rings where the voxels are, curves that say what was measured."""

import re

import nibabel as nib
import numpy as np
import pytest

from perfusynth.perfusion.measurements import Measurements
from perfusynth.perfusion.notices import DECONVOLVED
from perfusynth.perfusion.region_blocks import region_blocks
from perfusynth.perfusion.regions import measure_regions
from perfusynth.report import InputFunctions, displays_of, write_report
from perfusynth.report import canvas as ink
from perfusynth.report.curves_plot import ARTERY, TISSUE, VEIN, draw_curves
from perfusynth.report.input_functions import PANEL_WIDTH, draw_input_functions
from perfusynth.report.vessel_crops import draw_vessel_crops
from perfusynth.volumes.brain import Midplane
from perfusynth.volumes.volume import Volume

MIDPLANE = Midplane(np.zeros(3), np.array([1.0, 0, 0]))
TIMES = np.arange(30) * 1.5
SHAPE, SPACING = (90, 100, 20), np.array([2.0, 2.0, 6.0])


def grid() -> np.ndarray:
    affine = np.diag([*SPACING, 1.0])
    affine[:3, 3] = -(np.array(SHAPE) - 1) * SPACING / 2
    return affine


def places() -> np.ndarray:
    return np.stack(np.meshgrid(*(np.arange(n) for n in SHAPE), indexing="ij"), axis=-1) * SPACING + grid()[:3, 3]


def brain() -> np.ndarray:
    return ((places() / [65, 85, 50]) ** 2).sum(axis=-1) < 1


def voxels_at(*positions_mm) -> np.ndarray:
    return np.rint(nib.affines.apply_affine(np.linalg.inv(grid()), np.array(positions_mm))).astype(int)


def bump(peak: float, at_s: float, width_s: float = 4.0) -> np.ndarray:
    return peak * np.exp(-0.5 * ((TIMES - at_s) / width_s) ** 2)


def functions(aif_mm=(-40, 20, 3), vof_mm=(1, -75, 15), **changes) -> InputFunctions:
    peak = Volume(np.where(brain(), 60.0, -1000.0), grid())
    aif, vof = voxels_at(aif_mm, np.add(aif_mm, [2, 0, 0])), voxels_at(vof_mm)
    fields = {
        "times_s": TIMES,
        "aif_hu": bump(180, 15),
        "aif_scaled_hu": bump(260, 15),
        "vof_hu": bump(330, 24),
        "tissue_hu": bump(6, 20),
        "aif_voxels": aif,
        "vof_voxels": vof,
        "baseline": slice(0, 4),
        "peak_image": peak,
    }
    return InputFunctions(**(fields | changes))


def document(given: InputFunctions, **changes) -> Measurements:
    def curve(voxels, hu, selection):
        positions = given.positions_mm(voxels).tolist()
        return {
            "voxels": voxels.tolist(), "positions_ras_mm": positions, "peak_hu": hu.max(), "selection": selection,
        }  # fmt: skip

    fields = {
        "origin": "deconvolved",
        "notices": [DECONVOLVED],
        "midplane": {"point": (0, 0, 0), "normal": (1, 0, 0)},
        "deconvolution": {
            "method": "osvd",
            "oscillation": 0.035,
            "frames": 30,
            "aif": curve(given.aif_voxels, given.aif_hu, "manual"),
            "vof": curve(given.vof_voxels, given.vof_hu, "automatic"),
            "motion": {"largest_mm": 6.0, "largest_deg": 2.0, "corrected_frames": 5, "interpolated_frames": [11]},
            "notes": ["The bolus was cut off."],
        },
        "software": {"version": "0.1.0"},
        "input": {
            "sha256": "0f" * 32, "kind": "NIfTI", "shape": SHAPE, "spacing_mm": tuple(SPACING), "resampled": False,
            "is_phantom": True,
        },
    }  # fmt: skip
    return Measurements(**(fields | changes))


def ring_centre(pixels: np.ndarray, colour) -> tuple[float, float]:
    """Middle of what has a colour, as fractions of the picture."""
    y, x = np.nonzero(np.abs(pixels.astype(float) - colour).sum(axis=2) < 40)
    assert x.size > 20, "no ring"
    return (x.min() + x.max() + 1) / 2 / pixels.shape[1], (y.min() + y.max() + 1) / 2 / pixels.shape[0]


def stored(volume: Volume, mask: np.ndarray, voxels: np.ndarray, order, flips):
    """The same head stored with permuted and flipped axes."""
    matrix = np.zeros((4, 4))
    matrix[3, 3] = 1
    for new, old in enumerate(order):
        matrix[old, new] = -1 if flips[new] else 1
        matrix[old, 3] = volume.shape[old] - 1 if flips[new] else 0

    def move(array):
        return np.transpose(array, order)[tuple(slice(None, None, -1 if f else 1) for f in flips)]

    there = np.rint(nib.affines.apply_affine(np.linalg.inv(matrix), voxels)).astype(int)
    return Volume(move(volume.array), volume.affine @ matrix), move(mask), there


@pytest.mark.parametrize(("order", "flips"), [((0, 1, 2), (0, 0, 0)), ((0, 1, 2), (1, 1, 0)), ((2, 0, 1), (1, 0, 1))])
@pytest.mark.parametrize(
    ("position", "screen"), [((-40, 20, 3), "right"), ((40, -30, 3), "left"), ((0, -75, 15), None)]
)
def test_a_ring_lies_where_the_voxel_is(order, flips, position, screen):
    voxel = voxels_at(position)
    bright = np.where(brain(), 60.0, -1000.0)
    bright[tuple(voxel.T)] = 349.0
    peak, mask, there = stored(Volume(bright, grid()), brain(), voxel, order, flips)
    crops = draw_vessel_crops(peak, mask, there, ARTERY, PANEL_WIDTH, 6)
    pixels = np.asarray(crops.picture)
    whole, close = pixels[:, :PANEL_WIDTH], pixels[:, PANEL_WIDTH + 6 :]
    x, y = ring_centre(whole, ARTERY)
    # The head's panel is the brain's box with 14 mm around it.
    mm = nib.affines.apply_affine(grid(), voxel)[0]
    assert x == pytest.approx(0.5 - mm[0] / (2 * (65 + 14)), abs=0.02)
    assert y == pytest.approx(0.5 - mm[1] / (2 * (85 + 14)), abs=0.02)
    assert screen is None or (x > 0.6) == (screen == "right")
    assert crops.position_mm == pytest.approx(mm[2], abs=0.01)
    x, y = ring_centre(close, ARTERY)
    height, width = close.shape[:2]
    inside = close[round(y * height) - 1 : round(y * height) + 1, round(x * width) - 1 : round(x * width) + 1]
    assert inside.mean() > 200, "the bright voxel is not inside its own ring"


def test_the_slice_with_most_voxels_is_shown_and_the_others_are_counted(written):
    given = functions(aif_voxels=voxels_at((-40, 20, 3), (-38, 20, 3), (-40, 20, 15)))
    crops = draw_vessel_crops(given.peak_image, brain(), given.aif_voxels, ARTERY, PANEL_WIDTH, 6)
    assert (crops.shown, crops.position_mm) == (2, pytest.approx(3))
    draw_input_functions(given, brain(), document(given), 1884)
    text = " ".join(t for t, _ in written)
    assert "3 voxels (2 on this slice), chosen by hand." in text


@pytest.mark.parametrize("width", [1320, 1884])
def test_the_panel_says_where_and_how(written, width):
    given = functions()
    picture = draw_input_functions(given, brain(), document(given), width)
    assert picture.width == width
    text = " ".join(t for t, _ in written)
    for wanted in (
        "Arterial input (AIF)",
        "Venous output (VOF)",
        "patient's LEFT is on the RIGHT",
        "chosen automatically",
    ):
        assert wanted in text
    at = given.positions_mm(given.aif_voxels).mean(axis=0)
    assert f"RAS {at[0]:+.1f}, {at[1]:+.1f}, {at[2]:+.1f} mm, {-at[0]:.0f} mm to the patient's left" in text
    assert "at the midline" in text
    rows = np.asarray(picture).astype(int)
    for colour in (ARTERY, VEIN, TISSUE):
        assert (np.abs(rows - colour).sum(axis=2) < 30).sum() > 100


def curve_place(pixels: np.ndarray, colour) -> tuple[int, int]:
    """Column and row of the highest point of a curve below the legend."""
    y, x = np.nonzero(np.abs(pixels[60:].astype(float) - colour).sum(axis=2) < 60)
    return int(x[np.argmin(y)]), int(y.min())


def test_curves_stand_at_their_times_and_heights():
    none = (None, None, None)
    early = np.asarray(draw_curves(TIMES, bump(200, 10), None, bump(100, 30), None, slice(0, 3), (900, 400)))
    (x_artery, y_artery), (x_vein, y_vein) = curve_place(early, ARTERY), curve_place(early, VEIN)
    assert x_artery < x_vein
    assert y_artery < y_vein
    assert 0.4 < (x_vein - x_artery) / 900 < 0.5  # 20 of 44.5 s
    late = np.asarray(draw_curves(TIMES, bump(200, 30), *none, slice(0, 3), (900, 400)))
    assert curve_place(late, ARTERY)[0] > x_artery + 300
    assert not (np.abs(late.astype(int) - VEIN).sum(axis=2) < 30).any()


def test_the_baseline_is_shaded():
    def brightness(baseline: slice) -> float:
        pixels = np.asarray(draw_curves(TIMES, bump(200, 30), None, None, None, baseline, (900, 400)))
        return float(pixels[200:220, 70:110].mean())

    assert brightness(slice(0, 6)) > brightness(slice(20, 22)) + 5


def test_a_missing_vein_and_tissue_are_left_out(written):
    given = functions(vof_hu=None, tissue_hu=None, aif_scaled_hu=None, vof_voxels=np.empty((0, 3), int))
    draw_input_functions(given, brain(), document(functions(), deconvolution={}), 1884)
    text = " ".join(t for t, _ in written)
    assert "Venous output (VOF)" not in text
    assert "chosen" not in text


@pytest.mark.parametrize("wrong", [{"vof_hu": np.zeros(7)}, {"aif_voxels": [(90, 0, 0)]}, {"aif_voxels": []}])
def test_what_does_not_fit_is_refused(wrong):
    with pytest.raises(ValueError, match="expected"):
        functions(**wrong)


def contrast(colour) -> float:
    def luminance(rgb):
        channels = [c / 255 for c in rgb]
        linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))

    return (luminance(colour) + 0.05) / (luminance(ink.PANEL) + 0.05)


def test_curves_keep_the_pages_contrast():
    assert min(contrast(colour) for colour in (ARTERY, VEIN, TISSUE)) >= 7


def test_the_report_of_a_ctp_holds_maps_vessels_and_method(tmp_path):
    x, y, z = np.moveaxis(places(), -1, 0)
    sick = ((x + 35) ** 2 + y**2 + z**2 < 25**2) & brain()
    values = {"tmax": (9.0, 2.5), "cbf": (6.0, 20.0), "cbv": (1.0, 2.5), "mtt": (9.0, 5.0)}
    maps = {name: Volume(np.where(sick, a, b) * brain(), grid()) for name, (a, b) in values.items()}
    regions = measure_regions(maps["tmax"], maps["cbf"], brain(), MIDPLANE)
    given = functions()
    measurements = document(given, **region_blocks(regions, MIDPLANE))
    assert displays_of(measurements)["cbf"].high == 40
    baseline = Volume(np.where(brain(), 35.0, -1000.0), grid())
    write_report(tmp_path, baseline, maps, brain(), regions, measurements, input_functions=given)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    without_pictures = re.sub(r"base64,[A-Za-z0-9+/=]+", "", page)
    for wanted in (
        DECONVOLVED,
        "Arterial input and venous output",
        "oscillation-limited (osvd), oscillation index 0.035",
        "by hand",
        "The bolus was cut off.",
        "frame 12",
        "The series was simulated",
    ):
        assert wanted in without_pictures, wanted
    assert without_pictures.count("<img") == 2
    assert "SYNTHETIC" not in without_pictures
    assert not re.search(r"<script|https?:|url\(", without_pictures)
    other = functions(peak_image=Volume(np.zeros((91, 100, 20)), grid()))
    with pytest.raises(ValueError, match="peak_image"):
        write_report(tmp_path, baseline, maps, brain(), regions, measurements, input_functions=other)
