"""The moving image moved by steps, undone and told in numbers; what the scene holds of a case, and of its end."""

import numpy as np
import pytest
import slicer
from desk import Desk, bright_spot, pixel_of
from known_pair import BALL, known_pair
from PerfuSynthLib.node_geometry import array_of, matrix_of, volume_of
from PerfuSynthLib.problems import Problem
from PerfuSynthRegistrationLib import registration_layout as layout
from PerfuSynthRegistrationLib.fine_steps import STEPS, step_of
from PerfuSynthRegistrationLib.rigid import inverse, pose_of, rigid_of, shift_by, turn_about
from PerfuSynthRegistrationLib.undo import MOST_STEPS, UndoHistory
from scipy.spatial.transform import Rotation

AXIAL, CORONAL, SAGITTAL = layout.BOTH_VIEWS
TRUTH = shift_by(np.array([6.0, -5.0, 4.0])) @ turn_about(np.array([0.2, 0.5, 0.8]), 5.0, np.zeros(3))


@pytest.fixture(scope="module")
def pair():
    return known_pair(TRUTH, spacing=((2.0, 2.0, 5.0), (2.0, 2.0, 5.0)))


@pytest.fixture
def scene(desk, pair):
    made = desk.show(pair, title="case-7")
    made.set_fade(1.0)
    desk.look_at(BALL)
    yield made
    made.remove()


# --- numbers


def test_turns_are_those_of_scipys_rotation_vector():
    for seed in range(20):
        rng = np.random.default_rng(seed)
        vector, centre, shift = rng.uniform(-1.5, 1.5, 3), rng.uniform(-80, 80, 3), rng.uniform(-20, 20, 3)
        matrix = np.eye(4)
        matrix[:3, :3] = Rotation.from_rotvec(vector).as_matrix()
        matrix[:3, 3] = centre + shift - matrix[:3, :3] @ centre
        pose = pose_of(matrix, centre)
        assert pose.angles_deg == pytest.approx(np.degrees(vector), abs=1e-6)
        assert pose.shift_mm == pytest.approx(shift, abs=1e-9)
        again = shift_by(shift) @ turn_about(vector, float(np.degrees(np.linalg.norm(vector))), centre)
        assert np.allclose(again, matrix)
        assert np.allclose(inverse(matrix), np.linalg.inv(matrix))


def test_no_turn_and_half_a_turn_have_numbers_too():
    assert pose_of(np.eye(4), np.zeros(3)).angle_deg == 0
    half = turn_about(np.array([0, 0.6, 0.8]), 180.0, np.zeros(3))
    assert np.abs(pose_of(half, np.zeros(3)).angles_deg) == pytest.approx([0, 108, 144], abs=1e-4)


@pytest.mark.parametrize(
    ("name", "matrix"),
    [
        ("stretched", np.diag([1.01, 1, 1, 1])),
        ("mirrored", np.diag([-1.0, 1, 1, 1])),
        ("sheared", np.eye(4) + 0.01 * np.eye(4, k=1)),
        ("not a number", np.full((4, 4), np.nan)),
        ("3x3", np.eye(3)),
    ],
)
def test_what_is_not_rigid_is_refused_in_words(name, matrix):
    with pytest.raises(Problem, match="does not only move and turn") as refused:
        rigid_of(matrix)
    assert refused.value.code == "bad_transform"


def test_rounding_is_taken_out():
    matrix = turn_about(np.array([1.0, 2, 3]), 20.0, np.ones(3)).round(5)
    rigid = rigid_of(matrix)
    assert np.allclose(rigid[:3, :3] @ rigid[:3, :3].T, np.eye(3), atol=1e-14)
    assert np.allclose(rigid, matrix, atol=2e-5)


# --- history


def test_a_new_step_after_undo_forgets_what_could_be_redone():
    history = UndoHistory(np.eye(4))
    one, two, three = (shift_by(np.full(3, float(n))) for n in (1, 2, 3))
    assert history.do(one, "one")
    assert history.do(two, "two")
    assert not history.do(two, "again")
    assert (history.undo_words, history.redo_words) == ("two", None)
    assert np.array_equal(history.undo(), one)
    assert (history.undo_words, history.redo_words) == ("one", "two")
    history.do(three, "three")
    assert history.redo_words is None
    assert np.array_equal(history.redo(), three)
    assert np.array_equal(history.undo(), one)
    assert np.array_equal(history.undo(), np.eye(4))
    assert np.array_equal(history.undo(), np.eye(4))
    assert history.undo_words is None


def test_the_oldest_steps_are_forgotten_but_not_the_beginning():
    history = UndoHistory(np.eye(4))
    for number in range(MOST_STEPS + 20):
        history.do(shift_by(np.full(3, number + 1.0)), f"{number}")
    while history.undo_words:
        history.undo()
    assert history.matrix[0, 3] > 1
    assert np.array_equal(history.beginning, np.eye(4))


# --- steps, as seen on the screen

#: Key, view, and the way of the ball there: right and up on the screen; None: it turns anticlockwise (+1) or not.
SEEN = (
    ("Right", AXIAL, (1, 0)),
    ("Left", AXIAL, (-1, 0)),
    ("Up", AXIAL, (0, 1)),
    ("Down", SAGITTAL, (1, 0)),
    ("PgUp", CORONAL, (0, 1)),
    ("PgDown", SAGITTAL, (0, -1)),
)
TURNS = (
    ("Q", AXIAL, 1),
    ("E", AXIAL, -1),
    ("A", CORONAL, 1),
    ("D", CORONAL, -1),
    ("W", SAGITTAL, -1),
    ("S", SAGITTAL, 1),
)


def test_every_key_is_tried_here():
    assert {key for key, *_ in SEEN + TURNS} == {step.key for step in STEPS}


@pytest.mark.parametrize(("key", "name", "way"), SEEN)
def test_a_key_moves_the_image_half_a_millimetre_and_with_shift_five_times_as_far(desk, scene, key, name, way):
    view = desk.views()[name]
    before = bright_spot(view, pixel_of(view, BALL), 20)
    scene.step(key)
    assert scene.change.distance_mm == pytest.approx(0.5)
    scene.undo()
    for _ in range(4):
        scene.step(key, large=True)
    assert scene.change.distance_mm == pytest.approx(10)
    pixels = 10 / view.node.GetFieldOfView()[0] * 300
    assert bright_spot(view, before + pixels * np.array(way), 20) - before == pytest.approx(
        pixels * np.array(way), abs=1.2
    )
    assert scene.undo_words == f"2.5 mm {step_of(key).words}"


@pytest.mark.parametrize(("key", "name", "sense"), TURNS)
def test_a_key_turns_the_image_half_a_degree_as_seen_in_its_view(desk, scene, key, name, sense):
    view = desk.views()[name]
    scene.step(key)
    assert scene.change.angle_deg == pytest.approx(0.5)
    scene.undo()
    for _ in range(4):
        scene.step(key, large=True)
    assert scene.change.angle_deg == pytest.approx(10)
    assert scene.change.distance_mm < 1e-9
    assert scene.undo_words == f"2.5° {step_of(key).words}"
    moved = inverse(scene.fixed_to_moving) @ TRUTH
    centre, before = pixel_of(view, scene.centre), pixel_of(view, BALL) - pixel_of(view, scene.centre)
    after = pixel_of(view, moved[:3, :3] @ BALL + moved[:3, 3]) - centre
    cross = before[0] * after[1] - before[1] * after[0]
    assert np.degrees(np.arctan2(cross, before @ after)) == pytest.approx(10 * sense, abs=0.01)


def test_turning_goes_about_where_the_head_is_seen(scene):
    for _ in range(8):
        scene.step("Right", large=True)  # 20 mm
    before = scene.change.shift_mm
    scene.step("Q", large=True)
    assert scene.change.shift_mm == pytest.approx(before)


def test_steps_are_taken_back_and_done_again_and_reset_can_be_undone(scene):
    told = []
    scene.on_change = lambda: told.append(scene.undo_words)
    scene.step("Right")
    scene.step("Q")
    moved = scene.fixed_to_moving
    scene.undo()
    assert scene.redo_words.startswith("0.5° anticlockwise")
    scene.redo()
    assert np.allclose(scene.fixed_to_moving, moved)
    scene.reset()
    assert np.allclose(scene.fixed_to_moving, TRUTH)
    assert not scene.corrected
    scene.undo()
    assert np.allclose(scene.fixed_to_moving, moved)
    assert scene.corrected
    assert len(told) == 6


# --- the scene


def test_the_transform_above_the_moving_image_is_the_inverse(scene, pair):
    assert scene.moving_node.GetParentTransformNode() is scene.transform_node
    assert np.allclose(array_of(scene.transform_node.GetMatrixTransformToParent()), np.linalg.inv(TRUTH))
    to_world = volume_of(scene.moving_node).affine
    assert np.allclose(to_world, pair.moving.affine)  # the voxels stay where the scanner put them
    assert np.allclose(scene.fixed_to_moving, TRUTH)


def test_another_module_may_move_it_and_many_of_its_events_are_one_step(scene):
    for number in range(5):
        moved = shift_by(np.array([number + 1.0, 0, 0])) @ inverse(TRUTH)
        scene.transform_node.SetMatrixTransformToParent(matrix_of(moved))
    assert scene.change.shift_mm == pytest.approx((5, 0, 0))
    assert scene.undo_words == "moved in another module"
    scene.undo()
    assert not scene.corrected
    assert scene.undo_words is None


def test_a_head_is_not_stretched_by_another_module(scene):
    scene.step("Right")
    before = scene.fixed_to_moving
    stretched = inverse(before) @ np.diag([1.2, 1, 1, 1])
    scene.transform_node.SetMatrixTransformToParent(matrix_of(stretched))
    assert np.allclose(scene.fixed_to_moving, before)
    assert np.allclose(array_of(scene.transform_node.GetMatrixTransformToParent()), inverse(before))


def test_an_earlier_version_is_a_step_and_must_be_rigid(scene):
    scene.set_fixed_to_moving(np.eye(4), "version 2")
    assert scene.undo_words == "version 2"
    assert scene.largest_change_mm > 5
    with pytest.raises(Problem, match="does not only move and turn"):
        scene.set_fixed_to_moving(np.diag([2.0, 1, 1, 1]), "version 3")
    assert np.allclose(scene.fixed_to_moving, np.eye(4))


def test_a_case_that_is_removed_leaves_the_scene_as_it_was(desk, pair):
    def nodes():
        every = [desk.scene.GetNthNode(index) for index in range(desk.scene.GetNumberOfNodes())]
        return sorted(node.GetID() for node in every if not node.IsA("vtkMRMLSliceNode"))

    desk.show(pair).remove()  # what the views bring with them stays
    before = nodes()
    scene = desk.show(pair)
    for look in ("edges", "checkerboard", "difference", "fade"):
        scene.set_look(look)
    scene.set_outline(True)
    scene.set_handles(True)
    scene.landmarks.add("fixed", BALL)
    for view in desk.views().values():
        view.pixels()
    scene.remove()
    assert nodes() == before
    for view in desk.views().values():
        assert view.pixels().max() == 0


def test_a_scene_that_the_user_closed_is_no_trouble(pair):
    desk = Desk((200, 200))
    scene = desk.show(pair)
    scene.set_look("edges")
    scene.set_handles(True)
    desk.views()
    desk.scene.Clear(0)
    scene.remove()
    again = desk.show(pair)
    assert np.allclose(again.fixed_to_moving, TRUTH)
    again.remove()
    desk.close()


def test_cases_follow_each_other_in_the_same_views(desk, pair):
    for start in (TRUTH, np.eye(4)):
        scene = desk.show(pair, start)
        scene.set_fade(1.0)
        desk.look_at(BALL)
        view = desk.views()[AXIAL]
        place = inverse(start) @ TRUTH
        expected = pixel_of(view, place[:3, :3] @ BALL + place[:3, 3])
        assert bright_spot(view, expected, 20) == pytest.approx(expected, abs=2)
        scene.remove()


def test_a_start_that_is_not_rigid_is_refused_before_anything_is_shown(desk, pair):
    count = desk.scene.GetNumberOfNodes()
    with pytest.raises(Problem, match="does not only move and turn"):
        desk.show(pair, np.diag([1.0, 1.1, 1, 1]))
    assert desk.scene.GetNumberOfNodes() == count


def test_slicer_knows_the_transform_as_linear(scene):
    assert isinstance(scene.transform_node, slicer.vtkMRMLLinearTransformNode)
    assert scene.transform_node.IsTransformToWorldLinear()
