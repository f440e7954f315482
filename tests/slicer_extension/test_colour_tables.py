"""Colour tables of the extension against the server's, and what is transparent in them."""

import numpy as np
import pytest
from PerfuSynthLib import colour_tables

from perfusynth.perfusion import colour_tables as servers
from perfusynth.report.displays import CBF_MAXIMA


def test_tables_are_the_servers_to_the_last_byte():
    assert set(colour_tables.TABLE_NAMES) == set(servers.TABLE_NAMES)
    for name in servers.TABLE_NAMES:
        assert (colour_tables.colour_table(name) == servers.colour_table(name)).all(), name


def test_an_unknown_table_is_refused():
    with pytest.raises(ValueError, match="rainbow"):
        colour_tables.colour_table("rainbow")


def test_displays_are_the_servers():
    for name, theirs in servers.MAP_DISPLAYS.items():
        ours = colour_tables.MAP_DISPLAYS[name]
        assert tuple(ours) == (theirs.label, theirs.unit, theirs.low, theirs.high, theirs.table, theirs.marks)
    assert colour_tables.TMAX_DISPLAY_MAXIMA_S == servers.TMAX_DISPLAY_MAXIMA_S
    assert colour_tables.CBF_DISPLAY_MAXIMA == CBF_MAXIMA


@pytest.mark.parametrize(("normal", "high"), [(None, 80.0), (10.0, 40.0), (21.1, 60.0), (45.0, 120.0), (99.0, 160.0)])
def test_flow_is_shown_up_to_twice_that_of_normal_tissue(normal, high):
    displays = colour_tables.displays_of(normal)
    assert displays["cbf"].high == high
    assert displays["tmax"] == colour_tables.MAP_DISPLAYS["tmax"]


@pytest.mark.parametrize("name", servers.MAP_DISPLAYS)
def test_values_get_the_servers_colours(name):
    display = colour_tables.MAP_DISPLAYS[name]
    values = np.linspace(display.low - 3, display.high + 3, 999).astype(np.float32).reshape(27, 37)
    expected = servers.colourise(values, display.low, display.high, servers.colour_table(display.table))
    assert (colour_tables.colourise(values, display) == expected).all()


def test_only_the_lowest_entry_of_a_lookup_is_transparent():
    for name in colour_tables.TABLE_NAMES:
        table = colour_tables.rgba_table(name)
        assert table.shape == (256, 4)
        assert table.dtype == np.uint8
        assert table[0, 3] == 0
        assert (table[1:, 3] == 255).all()
        assert (table[:, :3] == servers.colour_table(name)).all()


def test_outside_the_mask_is_transparent_and_inside_opaque_even_at_zero():
    inside = np.array([[True, False], [True, True]])
    rgba = colour_tables.colourise_within(
        np.array([[0.0, 9.0], [6.0, 99.0]]), inside, colour_tables.MAP_DISPLAYS["tmax"]
    )
    assert (rgba[..., 3] == np.where(inside, 255, 0)).all()
    assert (rgba[1, 1, :3] == servers.colour_table("asist")[255]).all()


def test_a_changed_table_changes_nothing_for_the_next_caller():
    colour_tables.colour_table("viridis")[:] = 0
    assert colour_tables.colour_table("viridis").any()
