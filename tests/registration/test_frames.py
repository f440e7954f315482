"""Motion between frames against the phantom's true transforms and against shifts made by other programs."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial.transform import Rotation

from perfusynth.errors import Cancelled, InputError
from perfusynth.phantom.ctp.frames import render_series
from perfusynth.phantom.ctp.motion import draw_motion
from perfusynth.phantom.ctp.protocols import PROTOCOLS
from perfusynth.phantom.patient import draw_patient
from perfusynth.phantom.scene import scene_of
from perfusynth.registration.frames import FrameMotion, correct_motion, estimate_motion
from perfusynth.registration.time_filling import fill_in_time, fill_voxels
from perfusynth.volumes.series import Series

#: Patients of the phantom by how they move.
STRONG, MODERATE = 16, 2
THIN = replace(
    PROTOCOLS["wide_160mm"], name="thin", matrix=128, pixel_mm=1.8, coverage_mm=100.0, frame_s=4.0, duration_s=40.0
)
THICK = replace(PROTOCOLS["standard_80mm"], name="thick", matrix=128, pixel_mm=1.8, frame_s=4.0, duration_s=40.0)


@cache
def rendered(seed, protocol):
    found = render_series(scene_of(draw_patient(seed)), protocol, noise_seed=seed)
    return Series(found.hu, found.affine, found.times_s), found.transforms


@pytest.fixture(scope="module")
def strong():
    return rendered(STRONG, THIN)


@pytest.fixture(scope="module")
def still():
    return rendered(MODERATE, replace(THIN, motion="off"))[0]


def brain_points(series, frame):
    """Some points of soft tissue, RAS mm (n, 3)."""
    hu = ndimage.uniform_filter(series.frame(frame).array, 3)
    index = np.argwhere((hu > 15) & (hu < 70))[::37]
    return index @ series.affine[:3, :3].T + series.affine[:3, 3]


def errors_mm(motion, true, points):
    """Distance of points from where they truly went, (frames, n)."""
    apart = motion.transforms - true @ np.linalg.inv(true[motion.reference])
    return np.linalg.norm(np.einsum("fij,pj->fpi", apart[:, :3, :3], points) + apart[:, None, :3, 3], axis=2)


def with_frame(series, frame, values):
    array = series.array.copy()
    array[..., frame] = values
    return replace(series, array=array)


@pytest.mark.parametrize(
    ("seed", "protocol", "median_mm", "worst_mm"),
    [(STRONG, THIN, 0.2, 0.8), (MODERATE, THIN, 0.15, 0.5), (STRONG, THICK, 1.0, 3.0), (MODERATE, THICK, 0.3, 1.0)],
)
def test_the_true_motion_is_found_in_noise_and_contrast(seed, protocol, median_mm, worst_mm):
    series, true = rendered(seed, protocol)
    motion = estimate_motion(series)
    points = brain_points(series, motion.reference)
    unmoved = replace(motion, transforms=np.tile(np.eye(4), (series.frames, 1, 1)))
    error, before = errors_mm(motion, true, points), errors_mm(unmoved, true, points)
    assert motion.unmended == ()
    assert before.max() > 2 * worst_mm, "the case has to move"
    assert np.median(error.mean(axis=1)) < median_mm
    assert error.max() < worst_mm
    assert motion.largest_mm == pytest.approx(before.max(), rel=0.5)
    assert motion.furthest_mm[motion.reference] == 0


def test_the_cases_move_as_their_names_say():
    grades = [draw_motion(draw_patient(seed), THIN.times_s).grade for seed in (STRONG, MODERATE)]
    assert grades == ["strong", "moderate"]


def test_corrected_frames_agree_with_the_reference_where_nothing_enhances(strong):
    series, _ = strong
    motion = estimate_motion(series)
    corrected = correct_motion(series, motion)
    bone = corrected.valid & (series.array[..., motion.reference] > 400)

    def apart(array):
        return np.abs(array[bone].astype(float) - array[bone][:, [motion.reference]]).mean(axis=0).max()

    assert corrected.series.array.dtype == np.int16
    assert apart(corrected.series.array) < 0.4 * apart(series.array)
    assert np.array_equal(corrected.series.affine, series.affine)


@pytest.mark.parametrize("protocol", [THIN, THICK])
def test_a_still_head_keeps_every_bit(protocol):
    series, _ = rendered(MODERATE, replace(protocol, motion="off"))
    motion = estimate_motion(series)
    corrected = correct_motion(series, motion)
    assert motion.reference == 0
    assert motion.largest_mm < 0.1
    assert np.array_equal(corrected.series.array, series.array)
    assert corrected.valid.all()
    assert (corrected.grade, corrected.corrected, corrected.notes) == ("none", (), ())


def test_a_known_movement_comes_back_with_its_signs_in_ras(still):
    """The head moves 4 mm to its right, 3 forward, 5 up and turns; the image is stored left to right and oblique."""
    oblique = np.eye(4)
    oblique[:3, :3] = Rotation.from_euler("xyz", [20, 5, -10], degrees=True).as_matrix() @ np.diag([-1.0, -1.0, 1.0])
    affine = oblique @ still.affine
    turned = np.eye(4)
    turned[:3, :3] = Rotation.from_euler("z", 3, degrees=True).as_matrix()
    turned[:3, 3] = [-4.0, 3.0, 5.0]
    index = np.linalg.inv(affine) @ np.linalg.inv(turned) @ affine
    moved = ndimage.affine_transform(
        still.array[..., 2].astype(np.float32), index[:3, :3], index[:3, 3], order=1, mode="nearest"
    )
    array = np.stack([still.array[..., 0], still.array[..., 1], moved, still.array[..., 3]], axis=3)
    series = Series(array, affine, np.arange(4.0))
    motion = estimate_motion(series)
    # The centre of the image goes 4 mm to -x (the patient's right), not to +x.
    np.testing.assert_allclose(motion.transforms[2], turned, atol=0.25)
    corrected = correct_motion(series, motion)
    inside = corrected.valid & (still.array[..., 0] > 0)
    error = np.abs(corrected.series.array[..., 2] - series.array[..., 0])[inside]
    assert error.mean() < 0.4 * np.abs(moved - still.array[..., 0])[inside].mean()
    assert np.array_equal(corrected.series.array[..., :2], series.array[..., :2])
    assert (corrected.grade, corrected.corrected) == ("partly_mended", (2,))
    assert "across slices" in corrected.notes[0]


def test_something_at_rest_beside_the_head_does_not_hold_it(strong):
    series, true = strong
    array = series.array.copy()
    array[30:98, 6:9] = 700  # a headrest that is as dense as bone
    beside = replace(series, array=array)
    motion = estimate_motion(beside)
    error = errors_mm(motion, true, brain_points(series, motion.reference))
    assert motion.unmended == ()
    assert np.median(error.mean(axis=1)) < 0.3


@pytest.mark.parametrize("stranger", ["noise", "air", "another head", "moved within the frame"])
def test_a_frame_that_cannot_be_aligned_is_said_and_interpolated_in_time(still, stranger):
    if stranger == "noise":
        values = np.random.default_rng(5).normal(300, 400, still.shape)
    elif stranger == "air":
        values = np.full(still.shape, -1000)
    elif stranger == "another head":
        values = rendered(STRONG, replace(THIN, motion="off", duration_s=4.0))[0].array[..., 0]
    else:  # half of the frame's slices before a jerk, half after it
        values = still.array[..., 4].copy()
        values[..., ::2] = np.roll(values[..., ::2], 12, axis=0)
    motion = estimate_motion(with_frame(still, 4, values))
    corrected = correct_motion(with_frame(still, 4, values), motion)
    assert motion.unmended == (4,)
    assert motion.reference == 0
    between = (still.array[..., 3].astype(float) + still.array[..., 5]) / 2
    np.testing.assert_allclose(corrected.series.array[..., 4], between, atol=0.51)
    others = [frame for frame in range(still.frames) if frame != 4]
    assert np.array_equal(corrected.series.array[..., others], still.array[..., others])
    assert (corrected.grade, corrected.corrected) == ("partly_mended", ())
    assert "could not be aligned were interpolated in time: 5." in corrected.notes[0]


@pytest.mark.parametrize(("bad", "said"), [((2, 5, 8), "3 of 10 frames, 1 in a row")])
def test_too_many_lost_frames_are_refused(still, bad, said):
    array = still.array.copy()
    array[..., list(bad)] = -1000
    series = replace(still, array=array)
    with pytest.raises(InputError) as caught:
        correct_motion(series, estimate_motion(series))
    assert caught.value.code == "motion_cannot_be_mended"
    assert caught.value.got == said


def made_motion(frames, transforms, unmended=()):
    """A motion as told, of a head whose points lie within 50 mm."""
    furthest = np.array([np.abs(t - np.eye(4)).max() * (1 if t[0, 3] or t[2, 3] else 50) for t in transforms])
    return FrameMotion(
        np.stack(transforms), 0, unmended, furthest, furthest, np.ones(frames), float(furthest.max()), 0.0
    )


def test_four_lost_frames_in_a_row_are_refused_in_a_long_series():
    series = Series(np.zeros((4, 4, 4, 40), np.int16), np.eye(4), np.arange(40.0))
    with pytest.raises(InputError) as caught:
        correct_motion(series, made_motion(40, [np.eye(4)] * 40, (10, 11, 12, 13)))
    assert caught.value.code == "motion_cannot_be_mended"
    corrected = correct_motion(series, made_motion(40, [np.eye(4)] * 40, (10, 11, 12)))
    assert corrected.grade == "partly_mended"


def test_slices_that_leave_the_view_are_invalid_unless_they_do_so_for_a_moment():
    rng = np.random.default_rng(1)
    ramp = rng.normal(0, 1, (8, 8, 8, 1)) + np.arange(20.0)
    series = Series(ramp.astype(np.float32), np.diag([2.0, 2.0, 5.0, 1.0]), np.arange(20.0))
    up = np.eye(4)
    up[2, 3] = 10.0  # two slices
    for_a_moment = correct_motion(series, made_motion(20, [up if f in (7, 8) else np.eye(4) for f in range(20)]))
    assert for_a_moment.valid.all()
    # The upper two slices of frames 7 and 8 are not the slice below, but what came before and after.
    np.testing.assert_allclose(for_a_moment.series.array[..., 6:, 7:9], series.array[..., 6:, 7:9], atol=1e-4)
    np.testing.assert_allclose(for_a_moment.series.array[..., :6, 7], series.array[..., 2:, 7], atol=1e-4)
    for_long = correct_motion(series, made_motion(20, [up if f > 9 else np.eye(4) for f in range(20)]))
    assert for_long.valid[..., :6].all()
    assert not for_long.valid[..., 6:].any()
    assert any("2 of 8 slices left the view" in note for note in for_long.notes)


def test_missing_frames_follow_uneven_times_and_are_held_at_the_ends():
    curves = np.array([[9.0, 1.0, 9.0, 9.0, 4.0, 9.0]])
    missing = np.array([[True, False, True, True, False, True]])
    filled = fill_in_time(curves, missing, np.array([0.0, 1.0, 2.0, 6.0, 7.0, 9.0]))
    np.testing.assert_allclose(filled, [[1.0, 1.0, 1.5, 3.5, 4.0, 4.0]])


@pytest.mark.parametrize("by_slice", [False, True])
def test_voxels_out_of_view_are_filled_alike_in_parts_of_any_size(monkeypatch, by_slice):
    rng = np.random.default_rng(3)
    array = rng.integers(0, 500, (5, 6, 4, 9)).astype(np.int16)
    times = np.cumsum(rng.uniform(0.5, 3, 9)) + (np.arange(4)[:, None] ** 2 * 0.1 if by_slice else 0)
    where = np.zeros(array.shape[:3], dtype=bool)
    where[1:, :5, 2:] = True
    up = np.eye(4)
    up[2, 3] = 1.0  # the last slice is out of view
    unmended = np.arange(9) == 6
    truth = array.copy()
    for x, y, z in np.argwhere(where):
        seen = np.array([frame != 6 and not (z == 3 and frame in (2, 3)) for frame in range(9)])
        at = times[z] if by_slice else times
        truth[x, y, z] = np.rint(np.interp(at, at[seen], array[x, y, z, seen]))
    for curves_at_once in (7, 10_000):
        monkeypatch.setattr("perfusynth.registration.time_filling.CURVES_AT_ONCE", curves_at_once)
        filled = array.copy()
        fill_voxels(filled, where, {2: up, 3: up}, unmended, times)
        np.testing.assert_array_equal(filled, truth)


def test_a_series_without_a_skull_is_refused(still):
    with pytest.raises(InputError) as caught:
        estimate_motion(replace(still, array=np.minimum(still.array, 100)))
    assert caught.value.code == "no_bone"


def test_it_can_be_cancelled(still):
    def cancel(stage, fraction):
        raise Cancelled

    with pytest.raises(Cancelled):
        estimate_motion(still, on_progress=cancel)
