"""What an annotator sees of two images: fading, squares, edges, difference, outlines, in the rendered pixels."""

import numpy as np
import pytest
from desk import Desk, bright_spot, grey, pixel_of, shade
from known_pair import BALL, BALL_MM, BRAIN_MM, CYST, CYST_MM, SKULL_MM, known_pair
from PerfuSynthRegistrationLib import look_settings as looks
from PerfuSynthRegistrationLib import registration_layout as layout
from PerfuSynthRegistrationLib.prepare import prepare
from PerfuSynthRegistrationLib.rigid import shift_by, turn_about

AXIAL, CORONAL, SAGITTAL = layout.BOTH_VIEWS
TRUTH = shift_by(np.array([6.0, -5.0, 4.0])) @ turn_about(np.array([0.2, 0.5, 0.8]), 5.0, np.zeros(3))
#: Brain without ball or cyst.
PLAIN = np.array([30.0, 30.0, 10.0])


@pytest.fixture(scope="module")
def pair():
    return known_pair(TRUTH)


@pytest.fixture(scope="module")
def desk():
    made = Desk()
    yield made
    made.close()


@pytest.fixture(scope="module")
def prepared(pair):
    return prepare(pair.moving)


@pytest.fixture
def scene(desk, pair, prepared):
    made = desk.show(pair, title="case-7", prepared=prepared)
    desk.look_at(BALL)
    yield made
    made.remove()


def test_fading_mixes_both_images_in_their_own_windows(desk, scene):
    view = desk.views()[AXIAL]
    for share in (0.0, 0.25, 1.0):
        scene.set_fade(share)
        for place, hu in ((PLAIN, 34.0), (CYST, 6.0)):
            desk.look_at(place)
            expected = (1 - share) * shade(hu, looks.CTP) + share * shade(hu, looks.NCCT)
            assert grey(view.pixels(), view, place) == pytest.approx([expected] * 3, abs=4)


def test_the_moving_image_lies_where_the_transform_puts_it(desk, scene):
    scene.set_fade(1.0)
    view = desk.views()[AXIAL]
    before = bright_spot(view, pixel_of(view, BALL))
    assert before == pytest.approx(pixel_of(view, BALL), abs=1)
    for _ in range(4):
        scene.step("Right", large=True)
    mm = view.node.GetFieldOfView()[0] / 400
    way = np.array([10 / mm, 0])
    assert bright_spot(view, before + way) - before == pytest.approx(way, abs=1)


def of_fixed(view):
    """Where squares of the fixed image lie on a line across the brain, every 5 mm."""
    pixels, fixed, moving = view.pixels(), shade(34.0, looks.CTP), shade(34.0, looks.NCCT)
    greys = np.array([grey(pixels, view, (x, 10.0, BALL[2]))[0] for x in np.arange(-49, 50, 5.0)])
    assert (np.minimum(np.abs(greys - fixed), np.abs(greys - moving)) < 4).mean() > 0.8
    return np.abs(greys - fixed) < np.abs(greys - moving)


def test_squares_of_both_images_alternate(desk, scene):
    scene.set_look(looks.CHECKERBOARD)
    view = desk.views()[AXIAL]
    assert np.flatnonzero(np.diff(of_fixed(view).astype(int))).tolist() == [2, 7, 12, 17]  # at 12.5 and 37.5 mm


def test_squares_break_the_skull_where_images_are_apart_and_follow_a_step(desk, scene):
    scene.set_look(looks.CHECKERBOARD)
    view = desk.views()[AXIAL]
    before = view.pixels()
    scene.step("Right", large=True)
    moved = view.pixels()
    assert (before != moved).any(axis=2).sum() > 300
    scene.undo()
    assert np.array_equal(view.pixels(), before)


def orange(pixels):
    return (pixels[..., 0] > 200) & (np.abs(pixels[..., 1].astype(int) - 140) < 30) & (pixels[..., 2] < 60)


def ellipse_mm(view, mask, half_axes, centre=(0, 0)):
    """Distance (mm, signed, roughly) of pixels of a mask in the axial view from an ellipse at the view's height."""
    rows, columns = np.nonzero(mask[::-1])
    matrix = view.node.GetXYToRAS()
    ras = np.array([matrix.MultiplyPoint((x, y, 0, 1))[:3] for x, y in zip(columns, rows, strict=True)])
    flat = np.sqrt(1 - (ras[0, 2] / half_axes[2]) ** 2) * half_axes[:2]
    return (np.sqrt((((ras[:, :2] - centre) / flat) ** 2).sum(axis=1)) - 1) * flat.mean()


def test_edges_of_the_moving_image_lie_on_the_skull_of_the_fixed_one(desk, scene):
    scene.set_look(looks.EDGES)
    view = desk.views()[AXIAL]
    desk.look_at((0, 0, -20.0))
    found = orange(view.pixels())
    outer, inner = (np.abs(ellipse_mm(view, found, size)) < 2.5 for size in (SKULL_MM, BRAIN_MM))
    assert outer.sum() > 400
    assert inner.sum() > 300
    assert (outer | inner).mean() > 0.9  # the rest is the cyst
    scene.step("Right", large=True)  # 2.5 mm, to the patient's left
    moved = orange(view.pixels())
    assert np.median(np.abs(ellipse_mm(view, moved, SKULL_MM, (-2.5, 0)))[ellipse_mm(view, moved, SKULL_MM) > -4]) < 1.6
    assert not np.array_equal(moved, found)


def test_noise_has_no_edges_and_a_ventricle_has():
    noisy = known_pair(noise=12.0).moving
    edges = prepare(noisy).edges
    found = np.argwhere(edges.array > 0) @ edges.affine[:3, :3].T + edges.affine[:3, 3]
    found = found[np.abs(found[:, 2]) < 12]
    in_brain = found[np.sqrt(((found / BRAIN_MM) ** 2).sum(axis=1)) < 0.9]
    near = [
        np.abs(np.sqrt((((in_brain - centre) / size) ** 2).sum(axis=1)) - 1) * min(size) < 5
        for centre, size in ((CYST, CYST_MM), (BALL, np.full(3, BALL_MM)))
    ]
    assert near[0].sum() > 100
    assert (near[0] | near[1]).mean() > 0.85


def test_difference_is_dark_where_the_images_fit_and_coloured_by_the_brighter_one(desk, scene):
    scene.set_look(looks.DIFFERENCE)
    view = desk.views()[AXIAL]
    desk.look_at((0, 0, -20.0))
    assert grey(view.pixels(), view, (0, 40.0, -20.0)).max() < 40
    fits = view.pixels().astype(int).sum()
    for _ in range(3):
        scene.step("Right", large=True)  # 7.5 mm to the patient's left: a rim of bone on either side
    assert view.pixels().astype(int).sum() > 1.5 * fits
    across = np.sqrt(1 - (20 / SKULL_MM[2]) ** 2) * SKULL_MM[0]
    left, right = (grey(view.pixels(), view, (x - 3, 0, -20.0)) for x in (-across, across))
    assert left[0] > 120 > left[2]  # orange: the NCCT's bone over the CTP's air
    assert right[2] > 120 > right[0]  # blue: the CTP's bone where the NCCT has left


def test_the_outline_of_skull_and_brain_goes_with_every_look(desk, scene):
    desk.look_at((0, 0, -20.0))
    view = desk.views()[AXIAL]
    for look in looks.LOOKS:
        scene.set_look(look)
        without = view.pixels()
        scene.set_outline(True)
        pixels = view.pixels()
        changed = (without != pixels).any(axis=-1)
        brain = changed & (np.abs(pixels.astype(int) - 255 * np.array(looks.BRAIN_COLOUR)) < 25).all(axis=-1)
        skull = changed & (np.abs(pixels.astype(int) - 255 * np.array(looks.SKULL_COLOUR)) < 25).all(axis=-1)
        away = np.abs(ellipse_mm(view, brain, BRAIN_MM))
        assert brain.sum() > 400
        assert np.median(away) < 1.5
        assert away.max() < 5
        away = np.minimum(np.abs(ellipse_mm(view, skull, BRAIN_MM)), np.abs(ellipse_mm(view, skull, SKULL_MM)))
        assert skull.sum() > 800
        assert np.median(away) < 1.5
        scene.set_outline(False)
        assert np.array_equal(view.pixels(), without)


def test_a_case_without_ctp_is_judged_on_tmax(desk, pair):
    tmax = pair.fixed._replace(array=np.where(np.abs(pair.fixed.array - 34) < 5, 4.0, 0.0).astype(np.float32))
    scene = desk.show(pair._replace(fixed=tmax), kind=looks.TMAX)
    scene.set_fade(0.0)
    desk.look_at(PLAIN)
    assert grey(desk.views()[AXIAL].pixels(), desk.views()[AXIAL], PLAIN)[0] == pytest.approx(
        shade(4.0, looks.TMAX), abs=4
    )
    scene.set_fade(1.0)
    assert grey(desk.views()[AXIAL].pixels(), desk.views()[AXIAL], PLAIN)[0] == pytest.approx(
        shade(34.0, looks.NCCT), abs=4
    )
    scene.remove()


def test_an_unknown_look_is_refused(scene):
    with pytest.raises(ValueError, match="fade, checkerboard, edges, difference"):
        scene.set_look("swipe")
