"""What a radiologist sees: sides, outline, colours, transparency, banner and colour bars, in the rendered pixels."""

import heads
import numpy as np
import pytest
import vtk
from heads import CENTRE, STORED, head, radius_of, turned
from offscreen import Desktop
from PerfuSynthLib import reading_layout as layout
from PerfuSynthLib.reading_scene import Reading
from PerfuSynthLib.region_segments import COLOURS, CORE, HYPOPERFUSION
from vtk.util.numpy_support import vtk_to_numpy

from perfusynth.perfusion.colour_tables import colour_table

#: A view as in the four views of a small screen, pixels.
SIZE = (450, 400)
#: Colour of all text.
YELLOW = np.array([255, 235, 89])


class Shown:
    """A reading of a head on a desktop."""

    def __init__(self, shown, size=SIZE):
        self.head = shown
        self.desktop = Desktop(size)
        node = self.desktop.add_volume(shown.ncct)
        self.reading = Reading.show(self.desktop.scene, node, shown.result, shown.case.facts, self.desktop.renderer)

    def __getitem__(self, view):
        return self.desktop.views()[view]

    def close(self):
        self.reading.let_go()
        self.desktop.close()


@pytest.fixture(scope="module")
def shown():
    """A head in half-millimetre pixels, as scanners give them."""
    result = Shown(head(STORED["LPS"], (0.5, 0.5, 4.0)))
    yield result
    result.close()


@pytest.fixture
def plain(shown):
    """The same at its start: outlines, half opacity, four views."""
    shown.reading.set_fill(0.0)
    shown.reading.set_map_opacity(0.5)
    shown.reading.set_threshold(6.0)
    shown.reading.present(layout.FOUR_VIEWS)
    return shown


def near(pixels, colour, tolerance=12):
    """Where pixels have a colour, bool (rows, columns)."""
    return (np.abs(pixels.astype(int) - np.asarray(colour)) <= tolerance).all(axis=-1)


def outline(pixels, segment=HYPOPERFUSION):
    return near(pixels, 255 * np.array(COLOURS[segment]))


def outer_edge(found):
    """Largest distance (mm) of an outline from its middle in each of 36 directions: it lies inside its region."""
    angle = np.arctan2(found[:, 1], found[:, 0])
    sector = ((angle + np.pi) / (2 * np.pi) * 36).astype(int).clip(0, 35)
    return np.array([np.linalg.norm(found[sector == number, :2], axis=1).max() for number in range(36)])


def millimetres(view, mask):
    """RAS of pixels by the view's own geometry, (n, 3)."""
    rows, columns = np.nonzero(mask)
    to_ras = view.node.GetXYToRAS()
    height = view.window.GetSize()[1]
    return np.array([to_ras.MultiplyPoint((x, height - 1 - y, 0, 1))[:3] for y, x in zip(rows, columns, strict=True)])


def half_width(glyph, rows):
    """Columns that a part of a glyph takes, share of the glyph's width."""
    columns = np.flatnonzero(glyph.any(axis=0))
    part = np.flatnonzero(glyph[rows].any(axis=0))
    return (part[-1] - columns[0] + 1) / (columns[-1] - columns[0] + 1)


def is_letter_l(glyph):
    """Whether a glyph is an L: a thin stem over a wide foot; an R is wide on top."""
    rows = np.flatnonzero(glyph.any(axis=1))
    upper = slice(rows[0], rows[0] + len(rows) // 2)
    return half_width(glyph, upper) < 0.6


def letter(pixels, side):
    """Text at the middle of the screen's left or right edge."""
    middle, width = pixels.shape[0] // 2, pixels.shape[1]
    strip = slice(0, 30) if side == "left" else slice(width - 30, width)
    return near(pixels[middle - 16 : middle + 16, strip], YELLOW, 70)


@pytest.mark.parametrize("stored", [*STORED, "turned by 25 degrees"])
def test_a_deficit_on_the_patients_left_is_on_the_right_of_the_screen(stored):
    directions = STORED[stored] if stored in STORED else turned(25.0)
    shown = Shown(head(directions, (2.0, 2.0, 5.0)), (300, 300))
    for name in (layout.NCCT_VIEW, layout.OVERLAY_VIEW):
        pixels = shown[name].pixels()
        rows, columns = np.nonzero(outline(pixels))
        skull_rows, skull_columns = np.nonzero(near(pixels[40:-40], (255, 255, 255), 2))
        centre = (skull_columns.min() + skull_columns.max()) / 2
        assert columns.min() > centre + 10  # all of it, in the half where the patient's left is
        assert rows.mean() < 40 + (skull_rows.min() + skull_rows.max()) / 2  # the deficit lies in front: nose up
        assert is_letter_l(letter(pixels, "right"))
        assert not is_letter_l(letter(pixels, "left"))
    shown.close()


def test_letters_follow_a_view_that_is_turned_round(plain):
    view = plain[layout.NCCT_VIEW]
    before = vtk.vtkMatrix4x4()
    before.DeepCopy(view.node.GetSliceToRAS())
    for row in range(3):
        view.node.GetSliceToRAS().SetElement(row, 0, -before.GetElement(row, 0))
    view.node.UpdateMatrices()
    pixels = view.pixels()
    view.node.GetSliceToRAS().DeepCopy(before)
    view.node.UpdateMatrices()
    assert is_letter_l(letter(pixels, "left"))
    assert not is_letter_l(letter(pixels, "right"))


@pytest.mark.parametrize("threshold", [4.0, 6.0, 8.0])
def test_the_outline_lies_on_the_isoline_within_a_pixel(plain, threshold):
    plain.reading.set_threshold(threshold)
    view = plain[layout.TMAX_VIEW]
    pixel_mm = view.node.GetFieldOfView()[0] / SIZE[0]
    found = millimetres(view, outline(view.pixels())) - CENTRE
    radius = np.sqrt(radius_of(threshold) ** 2 - found[0, 2] ** 2)
    assert np.abs(outer_edge(found) - radius).max() <= pixel_mm
    assert np.linalg.norm(found[:, :2], axis=1).min() >= radius - 4 * pixel_mm  # a line, not a disc


def test_tmax_and_cbf_have_the_colours_of_their_values(plain):
    table = colour_table("asist").astype(int)
    for name, view, low, high in (("tmax", layout.TMAX_VIEW, 0.0, 12.0), ("cbf", layout.CBF_VIEW, 0.0, 120.0)):
        pixels, volume = plain[view].pixels(), plain.head.result.maps[name]
        height = plain[view].node.GetSliceToRAS().GetElement(2, 3)
        lines = outline(pixels) | outline(pixels, CORE)
        compared = 0
        for x in (-45, -38, -31, -24, -16, -8, 8, 24, 40):
            row, column = plain[view].at((x, 12.0, height))
            pixel = np.zeros(lines.shape, bool)
            pixel[row, column] = True
            ras = millimetres(plain[view], pixel)[0]
            index = np.round(np.linalg.inv(volume.affine) @ np.append(ras, 1)).astype(int)[:3]
            entry = 255 * (volume.array[tuple(index)] - low) / (high - low)
            expected = table[[int(np.floor(entry)), int(np.ceil(entry))]]
            if not lines[row - 2 : row + 3, column - 2 : column + 3].any():
                seen = pixels[row, column].astype(int)
                assert (seen >= expected.min(axis=0) - 4).all()
                assert (seen <= expected.max(axis=0) + 4).all()
                compared += 1
        assert compared >= 6


def test_maps_are_transparent_outside_the_brain_and_cover_the_ct_within(plain):
    plain.reading.set_map_opacity(1.0)
    overlay, ncct, tmax = (plain[view] for view in (layout.OVERLAY_VIEW, layout.NCCT_VIEW, layout.TMAX_VIEW))
    height = ncct.node.GetSliceToRAS().GetElement(2, 3)
    pixels = {view.name: view.pixels() for view in (overlay, ncct, tmax)}
    skull = ncct.at((0.0, 81.0, height))
    assert tuple(pixels[ncct.name][skull]) == tuple(pixels[overlay.name][skull]) == (255, 255, 255)
    assert tuple(pixels[tmax.name][skull]) == (0, 0, 0)
    for place in ((40.0, 0.0, height), (20.0, -40.0, height)):
        brain = overlay.at(place)
        assert tuple(pixels[overlay.name][brain]) == tuple(pixels[tmax.name][brain])
        assert tuple(pixels[ncct.name][brain]) != tuple(pixels[tmax.name][brain])


def test_the_opacity_of_tmax_mixes_it_with_the_ct(plain):
    height = plain[layout.NCCT_VIEW].node.GetSliceToRAS().GetElement(2, 3)
    place = plain[layout.OVERLAY_VIEW].at((40.0, 0.0, height))
    alone = {view: plain[view].pixels()[place].astype(float) for view in (layout.NCCT_VIEW, layout.TMAX_VIEW)}
    for opacity in (0.0, 0.3, 0.8):
        plain.reading.set_map_opacity(opacity)
        mixed = (1 - opacity) * alone[layout.NCCT_VIEW] + opacity * alone[layout.TMAX_VIEW]
        assert np.abs(plain[layout.OVERLAY_VIEW].pixels()[place] - mixed).max() <= 3


def test_regions_are_outlines_until_they_are_filled(plain):
    view = plain[layout.NCCT_VIEW]
    height = view.node.GetSliceToRAS().GetElement(2, 3)
    place = view.at((CENTRE[0] + 14, CENTRE[1], height))  # inside the hypoperfusion, outside the core
    empty = view.pixels()[place].astype(float)
    assert np.ptp(empty) <= 2  # the CT's grey
    plain.reading.set_fill(0.4)
    expected = 0.6 * empty + 0.4 * 255 * np.array(COLOURS[HYPOPERFUSION])
    assert np.abs(view.pixels()[place] - expected).max() <= 4


def test_the_core_is_outlined_where_cbf_is_low_and_can_be_hidden(plain):
    view = plain[layout.NCCT_VIEW]
    found = millimetres(view, outline(view.pixels(), CORE)) - CENTRE
    # CBF = NORMAL - (NORMAL - LOWEST) share^2 is below 30 % of NORMAL: share > sqrt(0.7 N / (N - L))
    share = np.sqrt(0.7 * heads.NORMAL_CBF / (heads.NORMAL_CBF - heads.LOWEST_CBF))
    radius = np.sqrt(-2 * np.log(share) * heads.WIDTH_MM**2 - found[0, 2] ** 2)
    assert np.abs(outer_edge(found) - radius).max() <= view.node.GetFieldOfView()[0] / SIZE[0]
    plain.reading.set_core_visible(False)
    hidden = outline(view.pixels(), CORE).any()
    plain.reading.set_core_visible(True)
    assert not hidden


def text_width(text, size):
    """Width of a text as VTK's fonts draw it, pixels."""
    letters = vtk.vtkTextProperty()
    letters.SetFontSize(size)
    letters.SetBold(1)
    drawn = vtk.vtkImageData()
    vtk.vtkTextRenderer.GetInstance().RenderString(letters, text, drawn, [0, 0], 72)
    width, height, _ = drawn.GetDimensions()
    opaque = vtk_to_numpy(drawn.GetPointData().GetScalars()).reshape(height, width, -1)[..., 3] > 128
    return int(np.ptp(np.flatnonzero(opaque.any(axis=0)))) + 1


def text_lines(pixels):
    """First and last column of each line of text in a strip of pixels."""
    text = near(pixels, YELLOW, 70)
    filled = text.any(axis=1)
    starts = np.flatnonzero(filled & ~np.r_[False, filled[:-1]])
    ends = np.flatnonzero(filled & ~np.r_[filled[1:], False])
    return [
        np.flatnonzero(text[a : b + 1].any(axis=0))[[0, -1]] for a, b in zip(starts, ends, strict=True) if b - a > 3
    ]


@pytest.mark.parametrize("number", [layout.FOUR_VIEWS, layout.MOSAIC])
def test_every_view_bears_both_lines_of_the_banner_in_full(plain, number):
    plain.desktop.size = SIZE if number == layout.FOUR_VIEWS else (300, 220)
    plain.reading.present(number)
    notices = plain.head.case.facts.notices
    assert notices == ("SYNTHETIC - research use only", "Trained on simulated patients, not valid for this patient")
    assert len(plain.desktop.views()) == (4 if number == layout.FOUR_VIEWS else 12)
    for view in plain.desktop.views().values():
        lines = text_lines(view.pixels()[:40])
        widths = [last - first + 1 for first, last in lines]
        assert len(lines) == 2
        assert widths[0] / widths[1] == pytest.approx(text_width(notices[0], 24) / text_width(notices[1], 24), abs=0.03)
        assert all(first > 1 and last < plain.desktop.size[0] - 2 for first, last in lines)


def test_reading_views_name_what_they_show_and_the_model(plain):
    for name in layout.READING_VIEWS:
        lines = text_lines(plain[name].pixels()[-45:])
        widths = [last - first + 1 for first, last in lines]
        expected = {
            layout.NCCT_VIEW: "CT",
            layout.TMAX_VIEW: "Tmax (s)",
            layout.CBF_VIEW: "CBF (mL/100 g/min)",
            layout.OVERLAY_VIEW: "CT and Tmax (s)",
        }[name]
        share = text_width(expected, 24) / text_width("ncct_perfusion_compact 0.1.0", 24)
        assert len(widths) == 2
        assert widths[0] / widths[1] == pytest.approx(share, abs=0.05)


def bar_rows(view):
    """Rows where the right edge of a view has the table's red, and its blue."""
    strip = view.pixels()[:, -26:-8]
    table = colour_table("asist")
    return [np.flatnonzero(near(strip, table[entry], 20).any(axis=1)) for entry in (250, 60)]


def test_maps_have_a_colour_bar_that_covers_no_letter(plain):
    for name in layout.READING_VIEWS:
        red, blue = bar_rows(plain[name])
        if name == layout.NCCT_VIEW:
            assert not len(red)
            continue
        assert SIZE[1] / 2 + 16 < red.min() < blue.min()  # high values on top, below the letter of the side


def test_a_colour_bar_follows_the_maps_window(plain):
    def numbers():
        return plain[layout.TMAX_VIEW].pixels()[SIZE[1] // 2 + 20 :, -60:-26]

    display = plain.reading.state.node_of("tmax").GetDisplayNode()
    before = numbers()
    display.SetWindowLevel(16, 8)
    changed = numbers()
    display.SetWindowLevel(12, 6)
    assert np.abs(changed.astype(int) - before).max() > 100
    assert np.array_equal(numbers(), before)


def test_views_without_a_reading_bear_no_text(plain):
    plain.reading.views.let_go()
    bare = plain[layout.NCCT_VIEW].pixels()
    plain.reading.views.annotate()
    assert not near(bare, YELLOW, 40).any()
    assert near(plain[layout.NCCT_VIEW].pixels(), YELLOW, 40).any()
