"""When contrast comes, against painted heads and digital patients; and what is refused."""

from dataclasses import replace

import numpy as np
import pytest

from perfusynth.errors import InputError
from perfusynth.perfusion.series.baseline import curves_of, find_bolus, half_rise_frame, mean_curve
from perfusynth.volumes.series import Series


def code_of(series, brain) -> str:
    with pytest.raises(InputError) as refused:
        find_bolus(series, brain)
    return refused.value.code


@pytest.mark.parametrize("start_s", [4.0, 10.0, 18.0])
def test_the_baseline_ends_where_the_contrast_comes(paint, start_s):
    head = paint(start_s=start_s)
    bolus = find_bolus(head.series, head.brain)
    # A first pass of the third power is below 1 % of its peak for a second after its start.
    assert start_s <= bolus.arrival_frame <= start_s + 2
    assert bolus.baseline == slice(0, bolus.arrival_frame)
    assert abs(bolus.mean_curve_hu.argmax() - (start_s + 6.5)) <= 1
    np.testing.assert_allclose(bolus.mean_curve_hu, head.artery_hu, atol=6)


@pytest.mark.parametrize(("seed", "protocol"), [(905, "shuttle_120mm_2s"), (918, "external_100mm")])
def test_digital_patients(study, seed, protocol):
    case = study(seed, protocol)
    bolus = find_bolus(case.series, case.brain)
    truth = case.bolus.aif_at(case.series.times_s)
    assert truth[bolus.baseline].max() < 0.02 * truth.max()
    assert case.series.times_s[bolus.arrival_frame] - case.patient.circulation.arrival_s < 3.0
    assert np.corrcoef(bolus.mean_curve_hu, truth)[0, 1] > 0.99


def test_enhancement_is_measured_from_each_voxels_own_baseline(paint):
    head = paint(noise_hu=0.0)
    bolus = find_bolus(head.series, head.brain)
    mask = np.zeros_like(head.brain)
    mask[21, 41, 3] = mask[30, 36, 3] = True
    curves = curves_of(head.series, bolus, mask)
    assert curves.dtype == np.float32
    np.testing.assert_allclose(curves, [head.artery_hu, head.tissue_hu], atol=1.5)


def test_the_mean_curve_is_that_of_its_voxels(paint):
    head = paint(noise_hu=0.0)
    tissue = np.zeros_like(head.brain)
    tissue[30:34, 34:38, 2:5] = True
    found = mean_curve(head.series, tissue, slice(0, 8))
    assert found.shape == (head.series.frames,)
    np.testing.assert_allclose(found, head.tissue_hu, atol=1.0)
    brain = mean_curve(head.series, head.brain, slice(0, 8))
    own = head.series.array[head.brain].astype(float)
    np.testing.assert_allclose(brain, (own - own[:, :8].mean(axis=1, keepdims=True)).mean(axis=0), atol=1e-6)


def test_half_rise_lies_between_frames():
    curves = np.array([[0.0, 0, 2, 6, 8, 4], [8.0, 6, 4, 2, 0, 0], [0.0, 0, 0, 0, 0, 0]])
    np.testing.assert_allclose(half_rise_frame(curves), [2.5, 0, 0])


def test_a_bolus_that_never_comes(paint):
    head = paint(start_s=100.0)
    assert code_of(head.series, head.brain) == "no_bolus"


def test_contrast_too_thin_to_see(paint):
    head = paint(peak_hu=20.0)
    assert code_of(head.series, head.brain) == "no_bolus"


@pytest.mark.parametrize("first_s", [9.0, 13.0])
def test_contrast_from_the_first_frame(paint, first_s):
    head = paint(first_s=first_s)
    assert code_of(head.series, head.brain) == "no_baseline"


def test_a_series_that_begins_after_the_bolus(paint):
    head = paint(first_s=24.0)
    assert code_of(head.series, head.brain) in ("no_baseline", "no_bolus")


def test_bone_that_jerks_is_no_bolus(paint):
    head = paint(start_s=100.0)
    frames = head.series.array.copy()
    frames[..., 12:] = np.roll(frames[..., 12:], 1, axis=1)
    assert code_of(replace(head.series, array=frames), head.brain) == "no_bolus"


def test_a_jerk_does_not_move_the_arrival(paint):
    head = paint(start_s=14.0)
    frames = head.series.array.copy()
    frames[..., 8:] = np.roll(frames[..., 8:], 1, axis=0)
    bolus = find_bolus(replace(head.series, array=frames), head.brain)
    assert 14 <= bolus.arrival_frame <= 16


def test_a_mask_without_brain(paint):
    head = paint()
    assert code_of(head.series, np.zeros_like(head.brain)) == "no_brain"


def test_frames_that_are_uneven_in_time(paint):
    head = paint()
    times = head.series.times_s.copy()
    times[30:] += 2
    with pytest.raises(ValueError, match="even in time"):
        find_bolus(Series(head.series.array, head.series.affine, times), head.brain)
