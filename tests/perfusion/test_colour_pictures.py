"""Colour pictures back to numbers: round trips, what is not told, vendor pictures, another program's answer."""

import io

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from perfusynth.errors import InputError
from perfusynth.perfusion.colour_bars import bar_at, find_bars, outside_bars, ramp_deviation
from perfusynth.perfusion.colour_pictures import InversionSettings, numbers_from_colours
from perfusynth.perfusion.colour_scale import colour_scale
from perfusynth.perfusion.colour_tables import TABLE_NAMES, colour_table, colourise

LOW, HIGH = 0.0, 12.0
STEP = (HIGH - LOW) / 255
#: Pictures of the CBV and the time-to-drain map in the vendor's screen capture: rows, columns.
CBV, TTD = np.s_[0:512, 0:513], np.s_[0:512, 517:1029]


def smooth_map(side: int = 256, seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Values of 0 to 12 that vary like a perfusion map, and the ellipse where they are shown."""
    values = ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal((side, side)), side / 64)
    values = (values - values.min()) / np.ptp(values) * (HIGH - LOW) + LOW
    y, x = np.mgrid[:side, :side] / side - 0.5
    return values, (x / 0.4) ** 2 + (y / 0.45) ** 2 < 1


def picture_of(values: np.ndarray, brain: np.ndarray, table: np.ndarray) -> np.ndarray:
    return np.where(brain[..., None], colourise(values, LOW, HIGH, table), np.uint8(0))


def as_jpeg(picture: np.ndarray, quality: int) -> np.ndarray:
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "JPEG", quality=quality)
    return np.asarray(Image.open(stream))


@pytest.mark.parametrize("name", TABLE_NAMES)
def test_what_was_coloured_comes_back_within_half_a_step(name):
    values, brain = smooth_map()
    table = colour_table(name)
    numbers = numbers_from_colours(picture_of(values, brain, table)[None], table, LOW, HIGH)
    valid = numbers.valid[0]
    assert valid.sum() > 0.97 * brain.sum()
    assert not valid[~brain].any()
    assert (numbers.values[0][~valid] == 0).all()
    # Two neighbours of viridis' entries are equal bytes: there a step is twice as wide. 1 % is for single precision.
    widest = numbers.figures["resolution"]["largest"]
    assert widest <= (2 if name == "viridis" else 1) * STEP * 1.0001
    assert np.abs(numbers.values[0] - values)[valid].max() <= 0.51 * widest
    assert numbers.figures["resolution"]["median"] == pytest.approx(STEP, rel=1e-4)
    assert numbers.figures["mean_colour_distance_rgb"] < 0.01


def test_a_range_that_runs_downwards_is_read_downwards():
    table = colour_table("viridis")
    row = np.repeat(np.repeat(table[None, None, [0, 255]], 64, axis=2), 9, axis=1)
    assert numbers_from_colours(row, table, 12.0, 0.0).values[0, 0, [0, -1]].tolist() == [12.0, 0.0]


@pytest.mark.parametrize(("name", "mean", "largest_95"), [("asist", 0.008, 0.02), ("viridis", 0.01, 0.025)])
def test_jpeg_of_quality_85_costs_a_stated_share_of_the_range(name, mean, largest_95):
    values, brain = smooth_map()
    table = colour_table(name)
    picture = as_jpeg(picture_of(values, brain, table), 85)
    inner = ndimage.binary_erosion(brain, iterations=4) & (values > 0.3)
    numbers = numbers_from_colours(picture[None], table, LOW, HIGH)
    told = numbers.valid[0] & inner
    error = np.abs(numbers.values[0] - values)[told] / (HIGH - LOW)
    assert told.sum() > 0.99 * inner.sum()
    assert error.mean() < mean
    assert np.percentile(error, 95) < largest_95
    # The estimate, which knows no truth, is of the size of the true error.
    assert 0.4 < numbers.figures["estimated_error"] / (HIGH - LOW) / np.sqrt((error**2).mean()) < 2.5


def test_the_luma_weight_makes_jpeg_pictures_more_exact_than_plain_chroma():
    values, brain = smooth_map()
    table = colour_table("viridis")
    picture = as_jpeg(picture_of(values, brain, table), 85)[None]
    inner = ndimage.binary_erosion(brain, iterations=4)
    weighted, even = (
        np.abs(
            numbers_from_colours(picture, table, LOW, HIGH, settings=InversionSettings(luma_weight=w)).values[0]
            - values
        )[inner].mean()
        for w in (2.5, 0.5)
    )
    assert weighted < 0.8 * even


def test_text_outlines_and_grey_ct_are_not_told():
    values, brain = smooth_map()
    values = np.maximum(values, 1)
    picture = picture_of(values, brain, colour_table("asist"))
    other = np.zeros(brain.shape, bool)
    other[100:110, 60:180] = True
    picture[100:110, 60:180] = (255, 255, 255)
    picture[140:160, 60:180] = np.random.default_rng(0).integers(40, 200, (20, 120, 1))
    other[140:160, 60:180] = True
    picture[180:184, 60:180] = (255, 0, 255)
    other[180:184, 60:180] = True
    numbers = numbers_from_colours(picture[None], colour_table("asist"), LOW, HIGH)
    assert not numbers.valid[0][other].any()
    assert numbers.valid[0][brain & ~other].all()


def test_specks_are_not_told_but_a_voxel_of_three_by_three_pixels_is():
    table = colour_table("viridis")
    picture = np.zeros((1, 64, 64, 3), np.uint8)
    picture[0, 10:40, 10:40] = table[100]
    picture[0, 50:53, 50:53] = table[200]
    picture[0, 5, 50:56] = table[200]
    valid = numbers_from_colours(picture, table, LOW, HIGH).valid[0]
    assert valid.sum() == 30 * 30 + 9
    assert valid[50:53, 50:53].all()


def test_black_is_said_to_stand_for_the_low_end_and_is_never_told():
    values, brain = smooth_map()
    values[120:130, 120:130] = 0
    numbers = numbers_from_colours(picture_of(values, brain, colour_table("asist"))[None], colour_table("asist"), 0, 12)
    assert not numbers.valid[0, 120:130, 120:130].any()
    assert numbers.figures["black_stands_for"] == 0
    shown = picture_of(values, brain, colour_table("viridis"))[None]
    numbers = numbers_from_colours(shown, colour_table("viridis"), 0, 12)
    assert numbers.figures["black_stands_for"] is None
    assert numbers.valid[0, 120:130, 120:130].all()


@pytest.mark.parametrize("name", ["viridis", "grey"])
def test_the_wrong_table_is_refused_with_the_share_that_matched(name):
    values, brain = smooth_map()
    picture = picture_of(values, brain, colour_table("asist"))[None]
    with pytest.raises(InputError, match=r"got [\d.]+%") as caught:
        numbers_from_colours(picture, colour_table(name), LOW, HIGH)
    assert caught.value.code == "colours_not_on_table"
    assert float(caught.value.got.split("%")[0]) < 50


def test_a_picture_without_colours_is_refused():
    grey = np.full((1, 64, 64, 3), 90, np.uint8)
    with pytest.raises(InputError) as caught:
        numbers_from_colours(grey, colour_table("asist"), LOW, HIGH)
    assert caught.value.code == "no_colours"


def test_a_table_that_returns_to_a_colour_reports_the_ambiguity():
    """Red, green, red: 0 and 10 look alike."""
    table = np.array([[255, 0, 0], [0, 255, 0], [255, 4, 0]])
    picture = np.full((1, 32, 32, 3), (128, 128, 0), np.uint8)
    figures = numbers_from_colours(picture, table, 0, 10).figures
    assert figures["largest_ambiguity"]["span"] == pytest.approx(10)
    assert figures["largest_ambiguity"]["between"] == [0, 10]


def test_equal_entries_count_once_and_at_the_ends_mean_the_end():
    scale = colour_scale(np.array([[0, 0, 99], [0, 0, 99], [0, 99, 0], [0, 99, 0], [0, 99, 0], [99, 0, 0], [99, 0, 0]]))
    assert scale.entries.tolist() == [0, 0.5, 1]
    with pytest.raises(InputError) as caught:
        colour_scale(np.zeros((40, 3)))
    assert caught.value.code == "no_colour_table"


@pytest.mark.parametrize("upright", [True, False])
@pytest.mark.parametrize("quality", [None, 85])
def test_a_drawn_bar_is_found_within_a_pixel_framed_and_with_ticks(upright, quality):
    table = colour_table("viridis")
    picture = np.zeros((300, 400, 3), np.uint8)
    picture[28:272, 318:342] = 255  # the frame, 2 pixels wide
    picture[30:270, 320:340] = table[np.linspace(255, 0, 240).astype(int)][:, None]
    picture[[80, 150, 220], 342:348] = 255
    y, x = np.mgrid[:300, :400]
    brain = ((x - 150) / 110) ** 2 + ((y - 150) / 130) ** 2 < 1
    picture[brain] = colourise(6 + 5 * np.sin(x / 30), 0, 12, table)[brain]
    if not upright:
        picture = np.ascontiguousarray(np.rot90(picture, -1))
    if quality:
        picture = as_jpeg(picture, quality)
    (bar,) = find_bars(picture)
    truth = (320, 30, 340, 270) if upright else (30, 320, 270, 340)
    ends = [1, 3] if upright else [0, 2]
    assert np.abs(np.array(bar.rectangle) - truth)[ends].max() <= 2
    assert ramp_deviation(bar, table, InversionSettings())["mean"] < 0.01


def test_a_map_and_text_are_no_bar():
    values, brain = smooth_map()
    picture = picture_of(values, brain, colour_table("asist"))
    picture[5:20, 10:120] = 255
    assert find_bars(picture) == []


@pytest.fixture(scope="module")
def capture(public_data) -> np.ndarray:
    return np.asarray(Image.open(public_data / "ctp_vendor_rgb_maps" / "input.png").convert("RGB"))


def vendor_numbers(capture: np.ndarray, window: tuple[slice, slice], high: float):
    bars = find_bars(capture[:512])
    bar = bars[0] if window == CBV else bars[1]
    excluded = ~outside_bars(capture.shape[:2], bars)[window]
    return numbers_from_colours(capture[window][None], bar.table, 0, high, excluded=excluded)


@pytest.mark.parametrize("quality", [None, 95, 85, 70])
def test_the_vendors_two_bars_are_found_where_they_were_read_by_hand(capture, quality):
    picture = as_jpeg(capture, quality) if quality else capture
    found = np.array([bar.rectangle for bar in find_bars(picture)])
    assert found.shape == (2, 4)
    assert np.abs(found - [(435, 128, 455, 384), (952, 128, 972, 383)]).max() <= 1


@pytest.mark.parametrize(("left", "bottom", "high"), [(435, 384, 100.0), (952, 383, 15.0)])
def test_a_vendor_bar_read_by_itself_is_a_monotone_ramp_between_its_labels(capture, left, bottom, high):
    bar = bar_at(capture, (left, 128, left + 20, bottom))
    shown = capture[128:bottom, left + 2 : left + 18][None]
    ramp = numbers_from_colours(shown, bar.table, 0, high).values[0, ::-1].mean(axis=1)
    lit = shown[0, ::-1].max(axis=(1, 2)) > 8
    assert (np.diff(ramp[lit]) >= -0.02 * high).all()
    assert ramp[lit][0] < 0.02 * high
    assert ramp[-1] > 0.99 * high
    # Hand-read: a quarter, half and three quarters of the way up.
    places = np.array([0.25, 0.5, 0.75]) * (len(ramp) - 1)
    assert np.interp(places, np.arange(len(ramp)), ramp) == pytest.approx(
        places / (len(ramp) - 1) * high, abs=0.01 * high
    )


def test_time_to_drain_is_longer_on_the_side_of_the_deficit(capture):
    numbers = vendor_numbers(capture, TTD, 15.0)
    values, valid = numbers.values[0], numbers.valid[0]
    middle = 245  # the falx
    screen_left, screen_right = values[:, :middle][valid[:, :middle]], values[:, middle:][valid[:, middle:]]
    assert screen_right.mean() > 1.3 * screen_left.mean()
    assert (screen_right > 12).sum() > 20 * (screen_left > 12).sum()
    assert values[300, 345] == pytest.approx(15, abs=0.1)  # the red lesion
    assert values[250, 160] < 3  # violet, the healthy side


def test_vendor_text_is_not_told(capture):
    """'Automatically calculated results. Do not use ...' and the bar's labels."""
    numbers = vendor_numbers(capture, TTD, 15.0)
    assert not numbers.valid[0, :70].any()
    assert not numbers.valid[0, 110:127, 420:465].any()
    lit = capture[TTD].max(axis=-1) > 100
    brain = np.zeros(lit.shape, bool)
    brain[110:420, 90:400] = True
    assert numbers.valid[0][brain & lit].mean() > 0.99


@pytest.mark.parametrize(("window", "high", "left", "shift"), [(CBV, 100.0, 0, (74, -20)), (TTD, 15.0, 517, (61, -18))])
def test_numbers_agree_with_another_programs(capture, window, high, left, shift):
    """Below the maps the capture shows in grey what rgb2scalar (C. Rorden) made of them, shifted by whole pixels."""
    numbers = vendor_numbers(capture, window, high)
    theirs = capture[930:1292, left : left + 490, 0].astype(float)
    rows, columns = np.indices(theirs.shape)
    y, x = rows + shift[0], columns + shift[1]
    inside = (y < 512) & (x >= 0)
    ours, told = numbers.values[0][y[inside], x[inside]], numbers.valid[0][y[inside], x[inside]]
    both = told & (theirs[inside] > 3) & (theirs[inside] < 255)
    assert both.sum() > 20_000
    assert np.corrcoef(ours[both], theirs[inside][both])[0, 1] > 0.985


def test_the_vendors_stored_table_is_refused_on_its_screen_capture(capture, public_data):
    """The capture went through a display profile: the stored table is 50 RGB units away, only the burnt-in bar fits."""
    stored = np.asarray(Image.open(public_data / "ctp_vendor_rgb_maps" / "ttd.png").convert("RGB"))
    table = bar_at(stored, (0, 0, 20, 254)).table
    with pytest.raises(InputError) as caught:
        numbers_from_colours(capture[TTD][None], table, 0, 15)
    assert caught.value.code == "colours_not_on_table"
    # Taken all the same, it tells of the same deficit.
    loose = numbers_from_colours(capture[TTD][None], table, 0, 15, settings=InversionSettings(tolerance_rgb=80))
    ours = vendor_numbers(capture, TTD, 15.0)
    both = loose.valid & ours.valid
    assert np.abs(loose.values - ours.values)[both].mean() < 1.0
