"""Dragged with the mouse in the slice views: the transform follows the pointer, the pixels follow the transform."""

import time

import numpy as np
import pytest
import SimpleITK as sitk
from desk import Desk, bright_spot, pixel_of
from known_pair import BALL, known_pair
from PerfuSynthRegistrationLib import registration_layout as layout
from PerfuSynthRegistrationLib.drag_handles import RING
from PerfuSynthRegistrationLib.rigid import inverse, shift_by, turn_about

AXIAL, CORONAL, SAGITTAL = layout.BOTH_VIEWS
SIZE = 400
#: The truth between both images: some degrees and millimetres.
TRUTH = shift_by(np.array([5.0, -8.0, 6.0])) @ turn_about(np.array([0.3, -0.5, 0.8]), 7.0, np.zeros(3))
FLIP = np.diag([-1.0, -1.0, 1.0, 1.0])


@pytest.fixture(scope="module")
def pair():
    return known_pair(TRUTH)


@pytest.fixture
def desk():
    made = Desk((SIZE, SIZE))
    yield made
    made.close()


def shown(desk, pair, start=None):
    scene = desk.show(pair, start)
    scene.set_fade(1.0)
    desk.look_at(BALL)
    scene.set_handles(True)
    return scene


def by(right, up):
    """A way over the screen, pixels."""
    return np.array([right, up])


def millimetres(view):
    """Width of a pixel, mm."""
    return view.node.GetFieldOfView()[0] / SIZE


def seen_at(scene, place):
    """Where a place of the fixed frame at the truth is seen after the moving image was moved."""
    moved = inverse(scene.fixed_to_moving) @ TRUTH
    return moved[:3, :3] @ place + moved[:3, 3]


@pytest.mark.parametrize(
    ("name", "right", "up"),
    [(AXIAL, (-1, 0, 0), (0, 1, 0)), (CORONAL, (-1, 0, 0), (0, 0, 1)), (SAGITTAL, (0, -1, 0), (0, 0, 1))],
)
def test_a_drag_moves_the_image_with_the_pointer(desk, pair, name, right, up):
    scene = shown(desk, pair)
    view = desk.views()[name]
    centre = np.round(pixel_of(view, scene.centre_seen))
    before = bright_spot(view, pixel_of(view, BALL))
    desk.mouse(name).drag(centre, centre + by(18, 11))
    expected = millimetres(view) * (18 * np.array(right) + 11 * np.array(up))
    assert scene.change.shift_mm == pytest.approx(expected, abs=1e-6)
    assert scene.change.angle_deg < 1e-6
    assert bright_spot(view, before + by(18, 11)) - before == pytest.approx([18, 11], abs=1.0)
    scene.remove()


@pytest.mark.parametrize("name", [AXIAL, CORONAL, SAGITTAL])
def test_a_drag_along_the_ring_turns_the_image_with_the_pointer(desk, pair, name):
    scene = shown(desk, pair)
    view = desk.views()[name]
    centre, radius = pixel_of(view, scene.centre_seen), RING * SIZE
    begin = np.round(centre + radius * np.array([np.cos(0.4), np.sin(0.4)]))
    end = np.round(centre + radius * np.array([np.cos(0.7), np.sin(0.7)]))
    angle = np.subtract(*[np.degrees(np.arctan2(*(at - centre)[::-1])) for at in (end, begin)])
    ball = pixel_of(view, BALL)
    desk.mouse(name).drag(begin, end)
    assert scene.change.angle_deg == pytest.approx(angle, abs=1e-6)
    assert scene.change.distance_mm < 1e-6  # the head's centre stays
    turn = np.array([[np.cos(np.radians(angle)), -np.sin(np.radians(angle))], [0, 0]])
    turn[1] = -turn[0, 1], turn[0, 0]
    expected = centre + turn @ (ball - centre)  # anticlockwise on the screen
    assert pixel_of(view, seen_at(scene, BALL)) == pytest.approx(expected, abs=0.01)
    assert bright_spot(view, expected) == pytest.approx(expected, abs=1.5)
    scene.remove()


def test_what_was_dragged_back_resamples_as_the_truth_within_a_tenth_of_a_millimetre(desk, pair, tmp_path):
    """The images begin some degrees and 30 and 14 pixels apart; a person undoes it in two views and submits."""
    scene = shown(desk, pair)
    axial, coronal = (desk.views()[name] for name in (AXIAL, CORONAL))
    centre, radius = pixel_of(axial, scene.centre), RING * SIZE
    begin, end = (np.round(centre + radius * by(np.cos(angle), np.sin(angle))) for angle in (0.0, 0.15))
    degrees = np.degrees(np.arctan2(*(end - centre)[::-1]) - np.arctan2(*(begin - centre)[::-1]))
    turn = turn_about(np.array([0, 0, -1.0]), float(degrees), scene.centre)  # seen from below
    shift = shift_by(np.array([30 * millimetres(axial), 0, -14 * millimetres(coronal)]))
    scene.remove()
    scene = shown(desk, pair, TRUTH @ shift @ turn)
    desk.mouse(AXIAL).drag(begin, end)
    for name, way in ((AXIAL, by(-30, 0)), (CORONAL, by(0, -14))):
        grabbed = np.round(pixel_of(desk.views()[name], scene.centre_seen))
        desk.mouse(name).drag(grabbed, grabbed + way)
    file = tmp_path / "registration.tfm"
    file.write_bytes(scene.transform_bytes())
    submitted = sitk.ReadTransform(str(file))
    places = np.random.default_rng(0).uniform(-70, 70, (200, 3))
    found = np.array([submitted.TransformPoint(place) for place in (places @ FLIP[:3, :3]).tolist()]) @ FLIP[:3, :3]
    assert np.linalg.norm(found - places @ TRUTH[:3, :3].T - TRUTH[:3, 3], axis=1).max() < 0.1
    lps = FLIP @ TRUTH @ FLIP
    true = sitk.AffineTransform(lps[:3, :3].ravel().tolist(), lps[:3, 3].tolist())
    assert ball_in(pair, submitted) == pytest.approx(ball_in(pair, true), abs=0.1)
    assert ball_in(pair, true) == pytest.approx(BALL, abs=1.0)
    scene.remove()


def ball_in(pair, transform):
    """Middle (RAS, mm) of the ball in the moving image as SimpleITK resamples it on the fixed one."""
    resampled = sitk.Resample(itk_image(pair.moving), itk_image(pair.fixed), transform, sitk.sitkLinear, -1000.0)
    dense = np.argwhere(np.abs(sitk.GetArrayFromImage(resampled).T - 150) < 50)
    places = dense @ pair.fixed.affine[:3, :3].T + pair.fixed.affine[:3, 3]
    return places[np.linalg.norm(places - BALL, axis=1) < 15].mean(axis=0)


def itk_image(volume):
    """SimpleITK's image of a GridVolume, in LPS."""
    image = sitk.GetImageFromArray(np.ascontiguousarray(volume.array.T))
    lps = FLIP @ volume.affine
    image.SetSpacing(volume.spacing)
    image.SetOrigin(lps[:3, 3].tolist())
    image.SetDirection((lps[:3, :3] / volume.spacing).ravel().tolist())
    return image


def test_a_whole_drag_is_one_step_back(desk, pair):
    scene = shown(desk, pair)
    told = []
    scene.on_change = lambda: told.append(scene.undo_words)
    centre = np.round(pixel_of(desk.views()[AXIAL], scene.centre_seen))
    desk.mouse(AXIAL).drag(centre, centre + by(20, 0), steps=8)
    assert len(told) >= 8
    assert told[-1] == f"drag by {20 * millimetres(desk.views()[AXIAL]):.1f} mm"
    scene.undo()
    assert np.allclose(scene.fixed_to_moving, TRUTH)
    assert scene.undo_words is None
    scene.redo()
    assert scene.change.distance_mm == pytest.approx(20 * millimetres(desk.views()[AXIAL]))
    scene.remove()


@pytest.mark.parametrize("what", ["outside the ring", "with Shift", "handles hidden"])
def test_elsewhere_the_mouse_stays_slicers_own(desk, pair, what):
    scene = shown(desk, pair)
    centre = np.round(pixel_of(desk.views()[AXIAL], scene.centre_seen))
    start = centre + by(190, 0) if what == "outside the ring" else centre
    if what == "handles hidden":
        scene.set_handles(False)
    heard = []
    desk.views()[AXIAL].interactor.AddObserver("LeftButtonPressEvent", lambda *_: heard.append(1), 0.5)
    desk.mouse(AXIAL).drag(start, start - by(20, 0), shift=what == "with Shift")
    assert not scene.corrected
    assert heard
    scene.remove()


def test_while_the_handles_are_dragged_slicers_tools_hear_nothing(desk, pair):
    scene = shown(desk, pair)
    heard = []
    desk.views()[AXIAL].interactor.AddObserver("LeftButtonPressEvent", lambda *_: heard.append(1), 0.5)
    centre = np.round(pixel_of(desk.views()[AXIAL], scene.centre_seen))
    desk.mouse(AXIAL).drag(centre, centre + by(20, 0))
    assert scene.corrected
    assert not heard
    scene.remove()


def test_the_ring_is_drawn_where_it_is_grabbed_and_follows_the_image(desk, pair):
    scene = shown(desk, pair)
    view = desk.views()[AXIAL]
    with_ring = view.pixels()
    scene.set_handles(False)
    drawn = (with_ring != view.pixels()).any(axis=2)[::-1]
    rows, columns = np.nonzero(drawn)
    distance = np.hypot(*(np.stack([columns, rows]).T - pixel_of(view, scene.centre_seen)).T)
    assert ((distance < 12) | (np.abs(distance - RING * SIZE) < 3)).all()
    assert (np.abs(distance - RING * SIZE) < 3).sum() > 600
    scene.set_handles(True)
    scene.step("Right", large=True)
    assert np.argwhere((view.pixels() != with_ring).any(axis=2)).size
    centre = pixel_of(view, scene.centre_seen)
    edge = view.pixels()[::-1][
        round(centre[1]), round(centre[0] + RING * SIZE) - 2 : round(centre[0] + RING * SIZE) + 3
    ]
    assert (edge[:, 1].astype(int) - edge[:, 0] > 60).any()
    scene.remove()


def test_moving_handles_is_quick_enough_to_be_followed(desk, pair):
    scene = shown(desk, pair)
    scene.set_look("checkerboard")
    view, mouse = desk.views()[AXIAL], desk.mouse(AXIAL)
    view.render()
    centre = np.round(pixel_of(view, scene.centre_seen))
    mouse.press(centre)
    took = []
    for step in range(1, 8):
        begin = time.process_time()
        mouse.move(centre + by(2 * step, 0))
        took.append(time.process_time() - begin)
    mouse.release(centre + by(14, 0))
    assert np.median(took) < 0.15
    scene.remove()
