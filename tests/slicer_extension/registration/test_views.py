"""How the views of a registration stand: sides, orientations, side by side, zoomed together."""

import numpy as np
import pytest
from desk import bright_spot, grey, pixel_of, shade
from known_pair import BALL, known_pair
from PerfuSynthRegistrationLib import look_settings as looks
from PerfuSynthRegistrationLib import registration_layout as layout
from PerfuSynthRegistrationLib.rigid import shift_by, turn_about

AXIAL, CORONAL, SAGITTAL = layout.BOTH_VIEWS
TRUTH = shift_by(np.array([6.0, -5.0, 4.0])) @ turn_about(np.array([0.2, 0.5, 0.8]), 5.0, np.zeros(3))
#: How the moving image may be stored: columns are the directions (RAS) of the array's axes.
STORED = {
    "RAS": np.eye(3),
    "LPS": np.diag([-1.0, -1.0, 1.0]),
    "feet first": np.diag([1.0, 1.0, -1.0]),
    "prone": np.diag([-1.0, 1.0, -1.0]),
    "sagittal": np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]]),
}
#: Brain without ball or cyst.
PLAIN = np.array([30.0, 30.0, 10.0])


@pytest.fixture(scope="module")
def pair():
    return known_pair(TRUTH, spacing=((2.0, 2.0, 5.0), (2.0, 2.0, 5.0)))


@pytest.fixture
def scene(desk, pair):
    made = desk.show(pair, title="case-7")
    desk.look_at(BALL)
    yield made
    made.remove()


@pytest.mark.parametrize("stored", STORED)
def test_the_patients_left_is_on_the_screens_right_in_every_look(desk, stored):
    scene = desk.show(known_pair(TRUTH, STORED[stored], ((2.0, 2.0, 5.0), (2.0, 2.0, 5.0))))
    scene.set_fade(1.0)
    desk.look_at(BALL)
    for name, tolerance in ((AXIAL, 2.0), (CORONAL, 5.0)):  # in coronal views a slice of 5 mm is 7 pixels high
        view = desk.views()[name]
        expected = pixel_of(view, BALL)
        assert expected[0] > 150 + 15
        for look in (looks.FADE, looks.CHECKERBOARD, looks.EDGES):
            scene.set_look(look)
            assert bright_spot(view, expected, 20) == pytest.approx(expected, abs=tolerance)
        scene.set_look(looks.DIFFERENCE)
        scene.step("Up", large=True)
        colours = view.pixels()[::-1].astype(int)
        scene.undo()
        rows, columns = np.nonzero(np.abs(colours[..., 0] - colours[..., 2]) > 60)
        around = np.hypot(columns - expected[0], rows - expected[1]) < 15
        assert name == CORONAL or around.any()  # the ball's rims
    scene.remove()


def test_views_stand_as_slicers_own_do(desk, scene):
    """A is up in axial views, S in the others; the nose points to the left in sagittal ones."""
    for name, right, up in (
        (AXIAL, (-1, 0, 0), (0, 1, 0)),
        (CORONAL, (-1, 0, 0), (0, 0, 1)),
        (SAGITTAL, (0, -1, 0), (0, 0, 1)),
    ):
        view = desk.views()[name]
        assert pixel_of(view, BALL + 10 * np.array(right))[0] > pixel_of(view, BALL)[0] + 5
        assert pixel_of(view, BALL + 10 * np.array(up))[1] > pixel_of(view, BALL)[1] + 5
        assert pixel_of(view, BALL + 10 * np.array(right))[1] == pytest.approx(pixel_of(view, BALL)[1])


def test_side_by_side_each_image_is_alone_and_all_views_look_at_one_place(desk, scene):
    scene.present(layout.SIDE_BY_SIDE)
    views = desk.views()
    assert tuple(views) == layout.FIXED_VIEWS + layout.MOVING_VIEWS
    desk.look_at(BALL)
    for view in views.values():
        expected = pixel_of(view, BALL)
        assert bright_spot(view, expected, 20) == pytest.approx(expected, abs=2.5)
    desk.look_at(PLAIN)
    for name, view in views.items():
        kind = looks.CTP if name in layout.FIXED_VIEWS else looks.NCCT
        assert grey(view.pixels(), view, PLAIN)[0] == pytest.approx(shade(34.0, kind), abs=4)
    scene.present(layout.PLANES)
    assert tuple(desk.views()) == layout.BOTH_VIEWS


def test_views_zoom_together(desk, scene):
    views = list(desk.views().values())
    first = views[0]
    before = first.node.GetFieldOfView()[0]
    first.logic.StartSliceNodeInteraction(first.node.FieldOfViewFlag)
    first.node.SetFieldOfView(before / 2, before / 2, first.node.GetFieldOfView()[2])
    first.logic.EndSliceNodeInteraction()
    assert {round(view.node.GetFieldOfView()[0], 3) for view in views} == {round(before / 2, 3)}
