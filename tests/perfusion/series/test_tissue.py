"""What is tissue, and its smoothed curves, against painted heads and digital patients."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from perfusynth.errors import InputError
from perfusynth.perfusion.series.arteries import choose_arteries
from perfusynth.perfusion.series.baseline import Bolus, find_bolus
from perfusynth.perfusion.series.smoothing import SmoothingSettings, tissue_curves
from perfusynth.perfusion.series.tissue import tissue_mask
from perfusynth.phantom.ctp.maps import brain_curves, curve_table
from perfusynth.phantom.ctp.protocols import PROTOCOLS
from perfusynth.phantom.grid import Grid
from perfusynth.phantom.scene import scene_of
from perfusynth.volumes.series import Series


def tissue_of(series, brain):
    bolus = find_bolus(series, brain)
    return tissue_mask(series, bolus, brain, choose_arteries(series, bolus, brain))


def test_parts_of_a_painted_head(paint):
    head = paint()
    frames = head.series.array.copy()
    fluid, stone, gas = (slice(35, 42), slice(40, 50)), (slice(40, 44), slice(20, 24)), (slice(14, 18), slice(20, 24))
    frames[fluid] -= 28
    frames[stone] += 400
    frames[gas] -= 900
    found = tissue_of(Series(frames, head.series.affine, head.series.times_s), head.brain)
    parts = (found.tissue, found.csf, found.bone, found.air, found.vessels, found.rim)
    np.testing.assert_array_equal(np.sum(parts, axis=0), head.brain)
    for part, where in ((found.csf, fluid), (found.bone, stone), (found.air, gas)):
        painted = np.zeros_like(head.brain)
        painted[where] = True
        assert part[where].mean() > 0.85
        assert np.count_nonzero(part & ~painted) < 0.15 * np.count_nonzero(painted)
    assert found.vessels[20:23, 40:43, 2:5].all()
    assert found.vessels[28:32, 10:14, 1:6].all()
    assert found.tissue[45:53, 30:40].all()


def test_what_lies_beside_bone_is_rim_and_no_further(paint):
    head = paint()
    frames = head.series.array.copy()
    stone = np.zeros(head.series.shape, dtype=bool)
    stone[40:44, 20:24] = True
    frames[stone] += 400
    found = tissue_of(Series(frames, head.series.affine, head.series.times_s), head.brain)
    apart = ndimage.distance_transform_edt(~stone, sampling=(*head.series.spacing[:2], 1e6))
    assert found.rim[(apart > 0) & (apart <= 2.5)].all()
    beyond = (apart > 2.5) & (apart < 5)
    assert found.tissue[beyond].mean() > 0.9
    assert not found.rim[beyond].any()


def test_large_vessels_of_a_digital_patient_are_left_out_and_tissue_is_kept(study):
    case = study(916, "wide_160mm")
    found = tissue_of(case.series, case.brain)
    blood = case.share("open") + case.share("behind") + case.share("venous")
    assert found.vessels[case.brain & (case.share("venous") > 0.3)].mean() > 0.95
    assert found.vessels[case.brain & (blood == 0)].mean() < 0.03
    assert found.tissue[case.brain & (blood == 0)].mean() > 0.8


@pytest.mark.parametrize("offset_hu", [-20, -12, 12, 20])
def test_a_scan_whose_hu_are_off_keeps_its_tissue(study, offset_hu):
    case = study(916, "wide_160mm")
    own = tissue_of(case.series, case.brain)
    off = replace(case.series, array=case.series.array + np.int16(offset_hu))
    found = tissue_of(off, case.brain)
    assert np.count_nonzero(found.tissue ^ own.tissue) < 0.02 * np.count_nonzero(own.tissue)
    assert found.notes == own.notes == ()


def refused(series, bolus, brain, arteries):
    with pytest.raises(InputError) as caught:
        tissue_mask(series, bolus, brain, arteries)
    return caught.value


def test_what_is_no_ct_of_a_brain_in_hu_is_refused(paint):
    head = paint()
    bolus = find_bolus(head.series, head.brain)
    arteries = choose_arteries(head.series, bolus, head.brain)
    water = replace(head.series, array=np.zeros_like(head.series.array))
    said = refused(water, bolus, head.brain, arteries)
    assert said.code == "no_tissue"
    assert "median of 0 HU" in said.got
    raw = replace(head.series, array=head.series.array + np.int16(1024))
    assert refused(raw, bolus, head.brain, arteries).got.startswith("0%")


def test_much_csf_is_said_and_more_is_refused(paint):
    head = paint(noise_hu=1.0)
    bolus = find_bolus(head.series, head.brain)
    arteries = choose_arteries(head.series, bolus, head.brain)

    def with_fluid(columns):
        frames = head.series.array.copy()
        frames[:, :columns] -= np.where(head.brain[:, :columns, :, None], 33, 0).astype(np.int16)
        share = np.count_nonzero(head.brain[:, :columns]) / np.count_nonzero(head.brain)
        return replace(head.series, array=frames), share

    some, share = with_fluid(18)
    assert share < 0.3
    assert tissue_mask(some, bolus, head.brain, arteries).notes == ()
    much, share = with_fluid(34)
    found = tissue_mask(much, bolus, head.brain, arteries)
    assert 0.4 < share < 0.5
    (note,) = found.notes
    assert float(note.split("%")[0]) / 100 == pytest.approx(share, abs=0.06)
    most, share = with_fluid(60)
    assert share > 0.8
    assert refused(most, bolus, head.brain, arteries).code == "no_tissue"


def block(values: np.ndarray, spacing=(1.2, 1.2, 5.0)) -> Series:
    return Series(values, np.diag([*spacing, 1.0]), np.arange(values.shape[3], dtype=float))


BOLUS = Bolus(slice(0, 3), 3, np.zeros(8))


@pytest.mark.parametrize("working_mm", [0.0, 2.4])
def test_a_constant_enhancement_stays_itself_beside_a_bright_vessel(working_mm):
    values = np.full((33, 30, 4, 8), 30, dtype=np.float32)
    values[..., 3:] += 5
    tissue = np.ones(values.shape[:3], dtype=bool)
    values[10:14, 10:14, :, 3:] += 300
    tissue[10:14, 10:14] = tissue[:3] = False
    found = tissue_curves(block(values), BOLUS, tissue, SmoothingSettings(working_mm=working_mm))
    np.testing.assert_allclose(found.curves, np.broadcast_to([0, 0, 0, 5, 5, 5, 5, 5], found.curves.shape), atol=1e-3)
    back = found.to_voxels(found.curves[:, 4])
    np.testing.assert_allclose(back[tissue], 5, atol=1e-3)
    assert (back[~tissue] == 0).all()


@pytest.mark.parametrize(("working_mm", "thickness", "across"), [(0.0, 5.0, 2.8), (2.4, 5.0, 2.8), (2.4, 10.0, 0.0)])
def test_a_point_spreads_by_the_settings(working_mm, thickness, across):
    values = np.zeros((61, 61, 15, 8), dtype=np.float32)
    values[30, 30, 7, 4] = 1000
    series = block(values, (1.2, 1.2, thickness))
    tissue = np.ones(values.shape[:3], dtype=bool)
    found = tissue_curves(series, BOLUS, tissue, SmoothingSettings(working_mm=working_mm))
    image = found.to_voxels(found.curves[:, 4])
    image /= image.sum()
    for axis, sigma in enumerate((2.8, 2.8, across)):
        profile = image.sum(axis=tuple(a for a in range(3) if a != axis))
        at = np.arange(len(profile)) * series.spacing[axis]
        middle = (profile * at).sum()
        spread = np.sqrt((profile * (at - middle) ** 2).sum())
        # Interpolation between working voxels of 2.4 mm adds a little.
        assert spread == pytest.approx(sigma, abs=0.25)


def test_a_point_stays_a_point_without_smoothing():
    values = np.zeros((31, 31, 5, 8), dtype=np.float32)
    values[15, 14, 2, 4] = 1000
    tissue = np.ones(values.shape[:3], dtype=bool)
    found = tissue_curves(block(values, (0.9, 0.9, 5.0)), BOLUS, tissue, SmoothingSettings(0.0, 0.0))
    np.testing.assert_array_equal(found.to_voxels(found.curves[:, 4]), values[..., 4])


@pytest.mark.parametrize("sigma", [0.6, 1.0, 1.3, 2.0])
def test_a_point_spreads_by_little_where_little_is_asked(sigma):
    values = np.zeros((61, 61, 3, 8), dtype=np.float32)
    values[30, 30, 1, 4] = 1000
    tissue = np.ones(values.shape[:3], dtype=bool)
    found = tissue_curves(block(values, (0.9, 0.9, 5.0)), BOLUS, tissue, SmoothingSettings(sigma, 0.0))
    profile = found.to_voxels(found.curves[:, 4]).sum(axis=(1, 2))
    at = np.arange(61) * 0.9
    middle = np.average(at, weights=profile)
    assert np.sqrt(np.average((at - middle) ** 2, weights=profile)) == pytest.approx(sigma, rel=0.2)


def test_the_working_grid_changes_maps_little(study):
    case = study(916, "wide_160mm")
    bolus = find_bolus(case.series, case.brain)
    tissue = tissue_of(case.series, case.brain).tissue
    coarse = tissue_curves(case.series, bolus, tissue, SmoothingSettings(working_mm=3.6))
    native = tissue_curves(case.series, bolus, tissue, SmoothingSettings(working_mm=0.0))
    assert len(coarse.curves) < len(native.curves) / 2.5
    a, b = (found.to_voxels(found.curves.mean(axis=1))[tissue] for found in (coarse, native))
    assert np.corrcoef(a, b)[0, 1] > 0.97


def test_curves_of_a_digital_patient_are_those_of_its_tissue(study):
    case = study(916, "wide_160mm")
    bolus = find_bolus(case.series, case.brain)
    tissue = tissue_of(case.series, case.brain).tissue
    found = tissue_curves(case.series, bolus, tissue)
    scene = scene_of(case.patient)
    grid = Grid(case.series.shape, case.series.affine, float(case.series.spacing[2]))
    truth = brain_curves(scene, grid, curve_table(case.patient.circulation, PROTOCOLS["wide_160mm"]))
    level = np.zeros(case.series.shape, dtype=np.float32)
    level[truth.columns] = truth.curves.mean(axis=3)
    mine = found.to_voxels(found.curves.mean(axis=1))
    assert np.median(mine[tissue]) == pytest.approx(np.median(level[tissue]), rel=0.1)


def test_reading_can_be_stopped(paint):
    head = paint()
    bolus = find_bolus(head.series, head.brain)
    seen = []
    tissue_curves(head.series, bolus, head.brain, on_progress=lambda stage, fraction: seen.append(fraction))
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
