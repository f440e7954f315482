"""Landmark pairs: marked by clicks in the views, fitted rigidly, with the error of each pair."""

import numpy as np
import pytest
from desk import pixel_of
from known_pair import BALL, CYST, known_pair
from PerfuSynthLib.problems import Problem
from PerfuSynthRegistrationLib import registration_layout as layout
from PerfuSynthRegistrationLib.landmarks import FIXED, MOVING, fit_rigid
from PerfuSynthRegistrationLib.rigid import inverse, shift_by, turn_about
from scipy.spatial.transform import Rotation

TRUTH = shift_by(np.array([6.0, -5.0, 4.0])) @ turn_about(np.array([0.2, 0.5, 0.8]), 12.0, np.zeros(3))
#: Places in the head, RAS, mm.
PLACES = np.array([BALL, CYST, [50.0, 20.0, 15.0], [-40.0, -50.0, -20.0], [5.0, 70.0, -10.0]])


def moved(matrix, points):
    return points @ matrix[:3, :3].T + matrix[:3, 3]


def test_the_fit_is_that_of_scipys_alignment_for_places_that_do_not_fit_exactly():
    rng = np.random.default_rng(5)
    moving = moved(TRUTH, PLACES) + rng.normal(0, 1.5, PLACES.shape)
    found = fit_rigid(PLACES, moving)
    rotation, residual = Rotation.align_vectors(moving - moving.mean(axis=0), PLACES - PLACES.mean(axis=0))
    assert np.allclose(found[:3, :3], rotation.as_matrix(), atol=1e-6)
    assert moved(found, PLACES.mean(axis=0)) == pytest.approx(moving.mean(axis=0))
    assert np.linalg.norm(moved(found, PLACES) - moving) == pytest.approx(residual)


@pytest.mark.parametrize(
    ("points", "code"),
    [
        (PLACES[:2], "few_landmarks"),
        (np.outer(np.arange(4.0), [10, 5, 2]), "landmarks_on_a_line"),
        (np.zeros((4, 3)), "landmarks_on_a_line"),
    ],
)
def test_places_that_leave_the_turn_open_are_refused_in_words(points, code):
    with pytest.raises(Problem) as refused:
        fit_rigid(points, moved(TRUTH, points))
    assert refused.value.code == code
    assert "Mark" in refused.value.what_to_do


@pytest.fixture(scope="module")
def pair():
    return known_pair(TRUTH, spacing=((2.0, 2.0, 5.0), (2.0, 2.0, 5.0)))


@pytest.fixture
def scene(desk, pair):
    """The pair as it comes out of the scanners, not registered."""
    made = desk.show(pair, np.eye(4))
    yield made
    made.remove()


def mark(scene, fixed, moving):
    """Mark places of the fixed frame, and of the moving image's own, where they are seen now."""
    for place, other in zip(fixed, moved(inverse(scene.fixed_to_moving), moving), strict=True):
        scene.landmarks.add(FIXED, place)
        scene.landmarks.add(MOVING, other)


def test_pairs_bring_the_images_together(scene):
    mark(scene, PLACES, moved(TRUTH, PLACES))
    assert scene.landmarks.pairs == 5
    before = np.sqrt((np.linalg.norm(PLACES - moved(TRUTH, PLACES), axis=1) ** 2).mean())
    assert scene.fre_mm == pytest.approx(before)
    assert scene.fit_landmarks() == pytest.approx(0, abs=1e-3)
    assert np.abs(scene.fixed_to_moving - TRUTH).max() < 1e-4
    assert scene.fre_mm == pytest.approx(0, abs=1e-3)
    assert scene.undo_words == "fit of 5 landmark pairs"
    scene.undo()
    assert scene.fre_mm == pytest.approx(before)


def test_landmarks_of_the_moving_image_stay_with_it_when_it_moves(scene):
    mark(scene, PLACES, moved(TRUTH, PLACES))
    for _ in range(5):
        scene.step("Right", large=True)
    scene.step("Q", large=True)
    assert np.allclose(scene.landmarks.points(MOVING), moved(TRUTH, PLACES))
    scene.fit_landmarks()
    assert np.abs(scene.fixed_to_moving - TRUTH).max() < 1e-4


def test_a_misplaced_pair_shows_in_its_own_error(scene):
    moving = moved(TRUTH, PLACES)
    moving[2] += (6.0, 0, 0)
    mark(scene, PLACES, moving)
    fre = scene.fit_landmarks()
    errors = scene.landmarks.errors_mm(scene.fixed_to_moving)
    assert errors.argmax() == 2
    assert fre == pytest.approx(np.sqrt((errors**2).mean()))
    assert 1 < fre < 6


def test_a_point_without_its_partner_is_no_pair_and_the_last_can_be_taken_away(scene):
    mark(scene, PLACES[:3], moved(TRUTH, PLACES[:3]))
    assert scene.landmarks.next_role == FIXED
    scene.landmarks.add(FIXED, PLACES[3])
    assert scene.landmarks.next_role == MOVING
    assert scene.landmarks.pairs == 3
    scene.landmarks.remove_last()
    assert len(scene.landmarks.points(FIXED)) == 3
    scene.landmarks.remove_last()
    assert len(scene.landmarks.points(MOVING)) == 2
    assert scene.landmarks.next_role == MOVING
    scene.landmarks.clear()
    assert scene.landmarks.pairs == 0
    assert scene.fre_mm is None
    with pytest.raises(Problem, match="0 landmark pairs"):
        scene.fit_landmarks()


def test_clicks_mark_places_in_the_fixed_and_the_moving_image_in_turn(desk, pair):
    scene = desk.show(pair, np.eye(4))
    scene.present(layout.SIDE_BY_SIDE)
    fixed, moving = (views[0] for views in (layout.FIXED_VIEWS, layout.MOVING_VIEWS))
    told = []
    scene.landmarks.on_change = lambda: told.append(scene.landmarks.pairs)
    scene.landmarks.place()
    assert scene.landmarks.placing
    for place in PLACES[:3]:
        desk.look_at(place)
        view = desk.views()[fixed]
        desk.mouse(fixed).click(np.round(pixel_of(view, place)))
        desk.look_at(moved(TRUTH, place))
        view = desk.views()[moving]
        desk.mouse(moving).click(np.round(pixel_of(view, moved(TRUTH, place))))
    assert scene.landmarks.pairs == 3
    assert told[-1] == 3
    pixel = max(desk.views()[fixed].node.GetFieldOfView()[:2]) / 300
    slices = 2.5 + pixel  # between two slices of 5 mm
    assert np.linalg.norm(scene.landmarks.points(FIXED) - PLACES[:3], axis=1).max() < slices
    assert np.linalg.norm(scene.landmarks.points(MOVING) - moved(TRUTH, PLACES[:3]), axis=1).max() < slices
    scene.landmarks.place(False)
    assert not scene.landmarks.placing
    desk.mouse(fixed).click((100, 150))
    assert len(scene.landmarks.points(FIXED)) == 3
    scene.remove()


def test_places_are_marked_inside_the_ring_of_the_handles_and_not_dragged(desk, scene):
    scene.set_handles(True)
    scene.landmarks.place()
    (axial, *_) = layout.BOTH_VIEWS
    at = np.round(pixel_of(desk.views()[axial], scene.centre_seen) + np.array([12, 8]))
    desk.mouse(axial).click(at)
    assert len(scene.landmarks.points(FIXED)) == 1
    desk.mouse(axial).drag(at + np.array([20, 0]), at + np.array([40, 0]))  # marks a place, too
    assert not scene.corrected
    scene.landmarks.place(False)
    desk.mouse(axial).drag(at - np.array([30, 0]), at - np.array([20, 0]))
    assert scene.corrected


@pytest.mark.parametrize("end", ["the button", "Escape in a view", "the case is left"])
def test_after_marking_the_mouse_is_what_it_was_before(desk, pair, end):
    scene = desk.show(pair)
    selection = desk.scene.GetFirstNodeByClass("vtkMRMLSelectionNode")
    interaction = desk.scene.GetFirstNodeByClass("vtkMRMLInteractionNode")
    theirs = desk.scene.AddNewNodeByClass("vtkMRMLMarkupsLineNode")
    selection.SetReferenceActivePlaceNodeClassName("vtkMRMLMarkupsLineNode")
    selection.SetActivePlaceNodeID(theirs.GetID())
    interaction.SetPlaceModePersistence(0)
    scene.landmarks.place()
    assert interaction.GetPlaceModePersistence() == 1
    if end == "the button":
        scene.landmarks.place(False)
    elif end == "Escape in a view":
        interaction.SwitchToViewTransformMode()
    else:
        scene.remove()
    assert interaction.GetCurrentInteractionMode() == interaction.ViewTransform
    assert interaction.GetPlaceModePersistence() == 0
    assert selection.GetActivePlaceNodeID() == theirs.GetID()
    assert selection.GetActivePlaceNodeClassName() == "vtkMRMLMarkupsLineNode"
    scene.remove()
    desk.scene.RemoveNode(theirs)
