"""Registration against motions that are known because they were made, by other people's resampling where it matters."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import SimpleITK as sitk
from scipy import ndimage
from scipy.spatial.transform import Rotation

from perfusynth.errors import Cancelled, InputError
from perfusynth.evaluation.registration_error.pairs import SimulatedPair, simulated_pair
from perfusynth.registration.fixed_image import fixed_image
from perfusynth.registration.register import Registered, register
from perfusynth.registration.registration_settings import RegistrationSettings, SearchSettings
from perfusynth.registration.transform_file import transform_bytes
from perfusynth.registration.transform_sidecar import automatic_registration
from perfusynth.volumes.case_registration import left_out
from perfusynth.volumes.regrid import regrid_stack
from perfusynth.volumes.series import Series
from perfusynth.volumes.volume import Volume
from tests.ctp_maps.study import study

#: Seeds whose pairs are all of one digital patient: an ordinary pair, and hard ones by kind. One of the real head.
ORDINARY, TURNED, THIN, REAL = 1, 12, 1, 7
#: Where nobody asks how sure it is, and the motion is an ordinary one.
QUICK = replace(RegistrationSettings(), restarts=0, starts=1, search=SearchSettings(refined=8))


@cache
def pair(seed: int = ORDINARY, hard: bool = False) -> SimulatedPair:
    return simulated_pair(seed, hard)


@cache
def found(seed: int = ORDINARY, hard: bool = False) -> Registered:
    return register(pair(seed, hard).fixed, pair(seed, hard).moving)


def error_mm(result: Registered) -> float:
    return pair().error_mm(result.fixed_to_moving)


@pytest.mark.parametrize(("seed", "hard", "limit_mm"), [(ORDINARY, False, 0.5), (TURNED, True, 0.5), (THIN, True, 1.0)])
def test_a_known_motion_is_found(seed, hard, limit_mm):
    assert pair(seed, hard).error_mm(np.eye(4)) > 5, "the pair has to be moved"
    assert pair(seed, hard).error_mm(found(seed, hard).fixed_to_moving) < limit_mm


def test_the_real_head_is_found_and_another_patient_is_doubted(public_data):
    real = simulated_pair(REAL)
    assert real.heads[0] == "ge_ncct_tilt"
    assert real.error_mm(register(real.fixed, real.moving, settings=QUICK).fixed_to_moving) < 0.5
    assert register(real.fixed, pair().moving).probability_over_2mm > 0.5


def test_simpleitk_takes_points_there_by_the_file(tmp_path):
    (tmp_path / "t.tfm").write_bytes(transform_bytes(found().fixed_to_moving, found().centre))
    transform = sitk.ReadTransform(str(tmp_path / "t.tfm"))
    flip = np.array([-1.0, -1.0, 1.0])
    there = np.array([transform.TransformPoint((point * flip).tolist()) for point in pair().points]) * flip
    assert np.linalg.norm(there - pair().points_in_moving, axis=1).mean() < 0.5


def test_it_says_how_sure_it_is():
    assert found().probability_over_2mm < 0.1
    assert found().figures["bone_correlation"] > 0.9
    kept = automatic_registration(found(), "somebody")
    assert (kept.method, kept.author, left_out(kept)) == ("automatic", "somebody", None)
    np.testing.assert_array_equal(kept.fixed_to_moving, found().fixed_to_moving)
    assert register(pair().fixed, pair().moving, settings=QUICK).probability_over_2mm is None


def test_equal_images_give_equal_transforms():
    again = register(pair().fixed, pair().moving)
    np.testing.assert_array_equal(again.fixed_to_moving, found().fixed_to_moving)
    for one, other in zip(again.restarts, found().restarts, strict=True):
        np.testing.assert_array_equal(one, other)


def test_what_the_header_says_of_the_position_counts():
    """The same voxels, said to lie elsewhere: 25 degrees oblique and 300 mm off, as after another table position."""
    said = np.eye(4)
    said[:3, :3] = Rotation.from_euler("xyz", (-10, 15, 17), degrees=True).as_matrix()
    said[:3, 3] = (40, -60, 300)
    moving = replace(pair().moving, affine=said @ pair().moving.affine)
    result = register(pair().fixed, moving, settings=QUICK)
    assert pair().error_mm(np.linalg.inv(said) @ result.fixed_to_moving) < 0.5


@pytest.mark.parametrize("padding", [-3024.0, 0.0])
def test_padding_of_either_image_changes_nothing(padding):
    def padded(volume: Volume) -> Volume:
        array = volume.array.copy()
        x, y = (np.arange(n) - (n - 1) / 2 for n in volume.shape[:2])
        array[np.hypot(x[:, None] / 0.95, y[None, :]) > 0.48 * volume.shape[1]] = padding
        array[..., 0] = padding
        return volume.with_array(array)

    result = register(padded(pair().fixed), padded(pair().moving), settings=QUICK)
    assert error_mm(result) < 0.5


def test_a_headrest_that_stays_behind_does_not_pull():
    """A bar behind the head at the same place of both scanners, while the head has moved."""

    def with_bar(volume: Volume) -> Volume:
        index = np.indices(volume.shape).reshape(3, -1)
        x, y, _ = volume.affine[:3, :3] @ index + volume.affine[:3, 3:]
        bar = (np.abs(y + 108) < 4) & (np.abs(x) < 60)
        return volume.with_array(np.where(bar.reshape(volume.shape), 400.0, volume.array))

    result = register(with_bar(pair().fixed), with_bar(pair().moving), settings=QUICK)
    assert error_mm(result) < 0.5


def test_uneven_slices_are_taken_where_they_lie():
    """Every third slice of the lower half is missing; what readers make of that is registered."""
    volume = pair().moving
    half = volume.shape[2] // 2
    kept = [k for k in range(volume.shape[2]) if k >= half or k % 3]
    positions = np.array([volume.affine @ [0, 0, k, 1] for k in kept])[:, :3]
    axes = volume.affine[:3, :3]
    order = slice(None) if np.linalg.det(axes) > 0 else slice(None, None, -1)
    even = regrid_stack(volume.array[..., kept][..., order], positions[order], axes[:, 0], axes[:, 1], 5.0)
    assert error_mm(register(pair().fixed, even, settings=QUICK)) < 1.0


def test_a_given_start_is_refined_and_nothing_else_is_searched():
    near, far = np.eye(4), np.eye(4)
    near[:3, :3] = Rotation.from_rotvec((0.1, -0.05, 0.05)).as_matrix()
    near[:3, 3] = (8, -6, 7)
    far[:3, :3] = np.diag([1, -1, -1])
    refined = register(pair().fixed, pair().moving, start=near @ pair().fixed_to_moving, settings=QUICK)
    assert error_mm(refined) < 0.5
    lost = register(pair().fixed, pair().moving, start=far)
    assert error_mm(lost) > 20
    assert lost.probability_over_2mm > 0.5


def test_images_that_do_not_overlap_at_the_start_stay_apart_without_a_crash():
    away = np.eye(4)
    away[2, 3] = 500
    lost = register(pair().fixed, pair().moving, start=away)
    assert lost.figures["overlap"] == 0
    assert lost.probability_over_2mm > 0.9


def brain(volume: Volume) -> np.ndarray:
    from perfusynth.registration.skull_slices import enclosed

    return enclosed(volume.array, volume.spacing)


def test_masks_say_where_images_are_compared():
    """Outside the masks a lie is told: a second skull, turned."""
    fixed = pair().fixed
    around = ndimage.binary_dilation(brain(fixed), iterations=12)
    turned = ndimage.rotate(fixed.array, 35, axes=(0, 1), reshape=False, order=1, cval=-1000)
    lied = fixed.with_array(np.where(around, fixed.array, np.maximum(fixed.array, turned)))
    moving_mask = ndimage.binary_dilation(brain(pair().moving), iterations=16)
    result = register(lied, pair().moving, fixed_mask=around, moving_mask=moving_mask, settings=QUICK)
    assert error_mm(result) < 0.5


def test_masks_that_cannot_be_used_are_refused():
    for voxels in (0, 20):
        mask = np.zeros(pair().fixed.shape, bool)
        mask[100 : 100 + voxels, 100 : 100 + voxels, 3:8] = True
        with pytest.raises(InputError) as refused:
            register(pair().fixed, pair().moving, fixed_mask=mask)
        assert refused.value.code == "too_little_to_register"
    with pytest.raises(ValueError, match="expected a mask of shape"):
        register(pair().fixed, pair().moving, moving_mask=np.ones(pair().fixed.shape, bool))


@pytest.mark.parametrize("value", [0.0, -1000.0, 40.0])
def test_an_image_of_nothing_is_refused(value):
    nothing = pair().fixed.with_array(np.full(pair().fixed.shape, value))
    with pytest.raises(InputError) as refused:
        register(nothing, pair().moving)
    assert refused.value.code == "nothing_to_register"


def test_two_slices_are_refused_rather_than_guessed():
    with pytest.raises(InputError) as refused:
        register(Volume(pair().fixed.array[..., :2], pair().fixed.affine), pair().moving)
    assert refused.value.code == "too_few_slices"


def test_a_start_that_is_no_rigid_motion_is_refused():
    with pytest.raises(InputError) as refused:
        register(pair().fixed, pair().moving, start=np.diag([1, 1, 1.1, 1]))
    assert refused.value.code == "bad_transform"


def test_a_series_is_registered_where_its_frames_lie_most_of_the_time():
    """Six of sixteen frames moved by 12 mm: a mean over all would be a ghost between the two places."""
    small = pair().fixed.array[::2, ::2]
    affine = pair().fixed.affine @ np.diag([2, 2, 1, 1.0])
    frames = np.repeat(small[..., None], 16, axis=3)
    frames[..., 10:] = np.roll(frames[..., 10:], 7, axis=0)
    series = Series(np.rint(frames).astype(np.int16), affine, 2.0 * np.arange(16))
    stages = []
    result = register(series, pair().moving, settings=QUICK, on_progress=lambda s, f: stages.append((s, f)))
    assert error_mm(result) < 0.6
    assert stages[0][0] == "motion"
    shares = [share for _, share in stages]
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1)


def test_the_baseline_has_no_contrast_and_the_mean_has():
    mean = fixed_image(study())
    baseline = fixed_image(study(), replace(RegistrationSettings(), fixed_frames="baseline"))
    added = (mean.array - baseline.array)[brain(mean)]
    assert np.percentile(added, 99) > 10
    assert np.median(added) > 1
    first = study().mean(slice(0, 3)).array
    assert abs(np.median((baseline.array - first)[brain(mean)])) < 0.2


def test_it_can_be_cancelled():
    def cancel(stage, fraction):
        if stage == "refine":
            raise Cancelled

    with pytest.raises(Cancelled):
        register(pair().fixed, pair().moving, on_progress=cancel)
