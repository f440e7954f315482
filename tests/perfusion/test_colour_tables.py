"""Colour tables: shape, ends, order of hues, and what the display clips."""

import numpy as np
import pytest

from perfusynth.perfusion.colour_tables import MAP_DISPLAYS, TABLE_NAMES, colour_table, colourise


@pytest.mark.parametrize("name", TABLE_NAMES)
def test_a_table_is_256_rgb_bytes_that_nobody_can_change(name):
    table = colour_table(name)
    assert table.shape == (256, 3)
    assert table.dtype == np.uint8
    with pytest.raises(ValueError, match="read-only"):
        table[0] = 1


def test_the_rainbow_runs_black_blue_cyan_green_yellow_red():
    table = colour_table("asist").astype(int)
    corners = [(0, 0, 0), (0, 0, 255), (0, 255, 255), (0, 255, 0), (255, 255, 0), (255, 0, 0)]
    places = [int(np.abs(table - corner).sum(axis=1).argmin()) for corner in corners]
    assert places == sorted(set(places))
    assert (places[0], places[-1]) == (0, 255)
    assert all(np.abs(table[p] - c).sum() < 16 for p, c in zip(places, corners, strict=True))


def test_viridis_grows_lighter_throughout():
    lightness = colour_table("viridis") @ np.array([0.2126, 0.7152, 0.0722])
    assert (np.diff(lightness) > -0.5).all()
    assert lightness[-1] > 3 * lightness[0]


def test_an_unknown_table_is_refused():
    with pytest.raises(ValueError, match="asist"):
        colour_table("jet")


def test_values_beyond_the_range_take_its_ends():
    table = colour_table("grey")
    grey = colourise(np.array([[-5.0, 0.0, 6.0, 12.0, 99.0]]), 0, 12, table)[..., 0]
    assert grey.tolist() == [[0, 0, 128, 255, 255]]


def test_tmax_is_shown_with_the_six_second_mark_inside_its_range():
    tmax = MAP_DISPLAYS["tmax"]
    assert (tmax.low, tmax.high, tmax.marks, tmax.unit) == (0, 12, (6.0,), "s")
