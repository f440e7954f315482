"""Regions and volumes against boxes and balls of known size."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from perfusynth.perfusion.cleaning import ball, bounding_box, clean
from perfusynth.perfusion.regions import RegionSettings, measure_regions
from perfusynth.volumes.brain import Midplane
from perfusynth.volumes.volume import Volume

SHAPE = (60, 50, 40)
SPACING = (2.0, 2.0, 2.0)
VOXEL_ML = 0.008
MIDPLANE = Midplane(np.zeros(3), np.array([1.0, 0.0, 0.0]))

#: No closing, no opening, nothing dropped: the thresholds alone.
RAW = RegionSettings(ball_voxels=0, minimum_ml=0, core_minimum_ml=0)


def centred_affine(shape=SHAPE, spacing=SPACING) -> np.ndarray:
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = -(np.array(shape) - 1) * np.array(spacing) / 2
    return affine


def box(x: slice, y: slice, z: slice, shape=SHAPE) -> np.ndarray:
    mask = np.zeros(shape, dtype=bool)
    mask[x, y, z] = True
    return mask


BRAIN = box(slice(5, 55), slice(5, 45), slice(5, 35))
LEFT = box(slice(10, 20), slice(10, 30), slice(10, 20))
RIGHT = LEFT[::-1]


def maps(tmax: np.ndarray, cbf: np.ndarray | None = None, affine: np.ndarray | None = None) -> tuple[Volume, Volume]:
    affine = centred_affine() if affine is None else affine
    cbf = np.full(SHAPE, 40.0) if cbf is None else cbf
    return Volume(tmax, affine), Volume(cbf, affine)


def measure(tmax: np.ndarray, cbf: np.ndarray | None = None, affine=None, settings=None, midplane=MIDPLANE):
    return measure_regions(*maps(tmax, cbf, affine), BRAIN, midplane, settings)


def test_a_box_measures_its_volume_at_every_threshold():
    regions = measure(np.where(LEFT, 9.0, 2.0), settings=RAW)
    expected = LEFT.sum() * VOXEL_ML
    assert regions.tmax_ml == pytest.approx({4.0: expected, 6.0: expected, 8.0: expected, 10.0: 0.0})
    assert (regions.hypoperfusion == LEFT).all()
    assert regions.brain_ml == pytest.approx(BRAIN.sum() * VOXEL_ML)


@pytest.mark.parametrize("threshold", [4.0, 6.0, 8.0, 10.0])
def test_a_threshold_is_exceeded_strictly(threshold):
    at = measure(np.where(LEFT, threshold, 1.0), settings=RAW)
    above = measure(np.where(LEFT, np.nextafter(np.float32(threshold), np.float32(99)), 1.0), settings=RAW)
    assert at.tmax_ml[threshold] == 0
    assert above.tmax_ml[threshold] == pytest.approx(LEFT.sum() * VOXEL_ML)


def test_nothing_outside_the_brain_counts():
    regions = measure(np.full(SHAPE, 12.0), settings=RAW)
    assert regions.hypoperfusion_ml == pytest.approx(regions.brain_ml)
    assert not (regions.hypoperfusion & ~BRAIN).any()


@pytest.mark.parametrize("shear", [0.0, 0.3])
def test_volume_follows_the_determinant_of_an_anisotropic_or_sheared_grid(shear):
    affine = centred_affine(spacing=(0.5, 0.7, 5.0))
    affine[1, 2] = shear * 5.0
    regions = measure(np.where(LEFT, 9.0, 2.0), affine=affine, settings=RAW)
    assert regions.hypoperfusion_ml == pytest.approx(LEFT.sum() * 0.5 * 0.7 * 5.0 / 1000)


def test_a_ball_measures_four_thirds_pi_r_cubed_after_clean_up():
    affine = centred_affine((120, 120, 40), (0.9, 0.9, 2.5))
    x, y, z = (np.arange(n) * s + o for n, s, o in zip((120, 120, 40), (0.9, 0.9, 2.5), affine[:3, 3], strict=True))
    radius = np.sqrt((x[:, None, None] + 20) ** 2 + y[None, :, None] ** 2 + z[None, None, :] ** 2)
    tmax = Volume(np.where(radius < 20, 9.0, 2.0), affine)
    regions = measure_regions(tmax, tmax.with_array(np.full(tmax.shape, 40.0)), np.ones(tmax.shape, bool), MIDPLANE)
    assert regions.hypoperfusion_ml == pytest.approx(4 / 3 * np.pi * 20**3 / 1000, rel=0.01)


def test_core_is_below_the_fraction_of_normal_tissue_and_only_inside_the_hypoperfusion():
    inner, elsewhere = (
        box(slice(12, 18), slice(12, 20), slice(12, 18)),
        box(slice(40, 46), slice(20, 30), slice(20, 30)),
    )
    cbf = np.where(inner | elsewhere, 11.9, 40.0)
    regions = measure(np.where(LEFT, 9.0, 2.0), cbf, settings=RAW)
    assert regions.normal_cbf == pytest.approx(40)
    assert regions.core_cbf == pytest.approx(12)
    assert (regions.core == inner).all()
    assert regions.core_ml == pytest.approx(inner.sum() * VOXEL_ML)
    assert regions.mismatch_ml == pytest.approx((LEFT.sum() - inner.sum()) * VOXEL_ML)
    assert regions.mismatch_ratio == pytest.approx(LEFT.sum() / inner.sum())
    assert not regions.mismatch_ratio_infinite


def test_cbf_at_the_cut_off_is_no_core():
    assert (
        measure(
            np.where(LEFT, 9.0, 2.0), np.where(LEFT, 20.0, 100.0), settings=RegionSettings(core_fraction=0.20)
        ).core_ml
        == 0
    )


@pytest.mark.parametrize(("fraction", "is_core"), [(0.20, False), (0.30, False), (0.34, True), (0.38, True)])
def test_the_core_fraction_is_selectable(fraction, is_core):
    regions = measure(
        np.where(LEFT, 9.0, 2.0), np.where(LEFT, 32.0, 100.0), settings=RegionSettings(core_fraction=fraction)
    )
    assert (regions.core_ml > 0) is is_core


def test_normal_tissue_is_the_clipped_median_where_tmax_is_short_and_blood_flows():
    rng = np.random.default_rng(3)
    cbf = rng.gamma(3, 15, SHAPE)
    cbf[rng.random(SHAPE) < 0.2] = 0
    tmax = rng.uniform(1, 8, SHAPE)
    values = cbf.astype(np.float32)[BRAIN & (tmax.astype(np.float32) < 4) & (cbf > 0)]
    expected = np.median(np.clip(values, *np.percentile(values, (1, 99))))
    assert measure(tmax, cbf).normal_cbf == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("deficit", [LEFT, RIGHT])
def test_the_contralateral_reference_reads_the_healthy_side_only(deficit):
    x = np.arange(SHAPE[0])[:, None, None]
    sick_side = (x < 30) == bool(deficit[:30].any())
    cbf = np.where(sick_side, 20.0, 50.0) + np.zeros(SHAPE)
    regions = measure(np.where(deficit, 9.0, 2.0), cbf, settings=RegionSettings(core_reference="contralateral"))
    assert regions.normal_cbf == pytest.approx(50)


def test_without_a_core_the_ratio_is_infinite():
    regions = measure(np.where(LEFT, 9.0, 2.0))
    assert regions.core_ml == 0
    assert regions.mismatch_ratio is None
    assert regions.mismatch_ratio_infinite


def test_without_hypoperfusion_nothing_has_a_ratio_or_a_side():
    regions = measure(np.full(SHAPE, 2.0))
    assert regions.hypoperfusion_ml == regions.core_ml == regions.mismatch_ml == 0
    assert regions.mismatch_ratio is None
    assert not regions.mismatch_ratio_infinite
    assert regions.hir is None
    assert (regions.laterality.side, regions.laterality.right_share) == ("none", None)


def test_without_normal_tissue_the_core_is_not_measured():
    regions = measure(np.full(SHAPE, 9.0))
    assert regions.normal_cbf is regions.core_ml is regions.mismatch_ml is regions.mismatch_ratio is None
    assert not regions.core.any()


def test_hir_is_the_share_above_ten_seconds():
    inner = box(slice(10, 20), slice(10, 30), slice(10, 15))
    assert measure(np.where(inner, 11.0, np.where(LEFT, 7.0, 2.0)), settings=RAW).hir == pytest.approx(0.5)


@pytest.mark.parametrize(("deficit", "side"), [(LEFT, "left"), (RIGHT, "right"), (LEFT | RIGHT, "bilateral")])
@pytest.mark.parametrize("flipped", [False, True])
def test_the_side_is_the_patients_however_the_array_is_stored(deficit, side, flipped):
    affine, tmax = centred_affine(), np.where(deficit, 9.0, 2.0)
    if flipped:
        tmax = tmax[::-1]
        affine = affine @ np.array([[-1, 0, 0, SHAPE[0] - 1], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])
    assert measure(tmax, affine=affine).laterality.side == side


def test_the_side_is_told_by_the_midplane_not_by_the_middle_of_the_image():
    shifted = Midplane(np.array([-45.0, 0, 0]), np.array([1.0, 0, 0]))
    regions = measure(np.where(LEFT, 9.0, 2.0), midplane=shifted)
    assert regions.laterality.side == "right"


def test_small_components_are_dropped_by_volume():
    small = box(slice(40, 46), slice(30, 36), slice(20, 26))  # 1.7 mL
    tmax = np.where(LEFT | small, 9.0, 2.0)
    assert not measure(tmax).hypoperfusion[small].any()
    assert measure(tmax, settings=RegionSettings(minimum_ml=1.0)).hypoperfusion[small].any()


def test_closing_fills_a_hole_and_opening_takes_a_spike():
    tmax = np.where(LEFT, 9.0, 2.0)
    tmax[15, 20, 15] = 2.0
    tmax[20:26, 20, 15] = 9.0
    cleaned = measure(tmax).hypoperfusion
    assert cleaned[15, 20, 15]
    assert not cleaned[22:26, 20, 15].any()


@pytest.mark.parametrize("thickness_mm", [0.5, 1.0, 5.0])
def test_one_slice_alone_is_cleaned_in_its_plane(thickness_mm: float):
    raw = np.zeros((30, 30, 1), dtype=bool)
    raw[5:20, 5:20] = True
    raw[25, 25] = True  # a speck
    found = clean(raw, np.ones_like(raw), np.array([1.0, 1.0, thickness_mm]), 1, 20)
    assert found[6:19, 6:19].all()
    assert not found[25, 25]


def test_on_thick_slices_the_ball_stays_within_the_slice():
    assert {tuple(o) for o in ball(np.array([0.45, 0.45, 5.0]), 1)} == {
        (0, 0, 0),
        (1, 0, 0),
        (-1, 0, 0),
        (0, 1, 0),
        (0, -1, 0),
    }
    assert len(ball(np.array([1.0, 1.0, 1.2]), 1)) == 7
    assert len(ball(np.array([1.0, 1.0, 1.0]), 0)) == 1
    one_slice = box(slice(10, 40), slice(10, 40), slice(12, 13))
    regions = measure(np.where(one_slice, 9.0, 2.0), affine=centred_affine(spacing=(0.9, 0.9, 5.0)))
    assert regions.hypoperfusion[15:35, 15:35, 12].all()


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), thick=st.booleans())
def test_clean_equals_scipys_morphology(seed, thick):
    rng = np.random.default_rng(seed)
    raw = ndimage.gaussian_filter(rng.standard_normal((24, 20, 10)), 1.2) > 0.08
    within = np.ones(raw.shape, dtype=bool)
    within[:3] = False
    raw &= within
    element = ndimage.generate_binary_structure(3, 1)
    if thick:
        element[:, :, [0, 2]] = False
    wide = np.pad(raw, 3)
    closed = ndimage.binary_closing(wide, element) & np.pad(within, 3)
    expected = ndimage.binary_opening(closed, element)[3:-3, 3:-3, 3:-3]
    labels, n = ndimage.label(expected, np.ones((3, 3, 3)))
    for i in range(1, n + 1):
        if (labels == i).sum() < 40:
            expected[labels == i] = False
    assert (clean(raw, within, np.array([1, 1, 5.0 if thick else 1.0]), 1, 40) == expected).all()


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_regions_are_nested(seed):
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal(SHAPE), 3)
    regions = measure(5 + 4 * noise / noise.std(), settings=RegionSettings(minimum_ml=0.5))
    masks = [regions.tmax[t] for t in (4.0, 6.0, 8.0, 10.0)]
    assert all(not (higher & ~lower).any() for lower, higher in itertools.pairwise(masks))
    assert not (regions.core & ~regions.hypoperfusion).any()


def test_a_region_at_the_edge_of_the_image_survives():
    tmax = np.where(box(slice(0, 12), slice(0, 12), slice(0, 12)), 9.0, 2.0)
    regions = measure_regions(*maps(tmax), np.ones(SHAPE, dtype=bool), MIDPLANE)
    assert regions.hypoperfusion_ml == pytest.approx(12**3 * VOXEL_ML, rel=0.1)
    assert regions.hypoperfusion[0, 1:11, 1:11].all()


def test_an_empty_brain_measures_nothing():
    regions = measure_regions(*maps(np.full(SHAPE, 9.0)), np.zeros(SHAPE, dtype=bool), MIDPLANE)
    assert regions.brain_ml == regions.hypoperfusion_ml == 0
    assert bounding_box(np.zeros(SHAPE, dtype=bool)) == (slice(0, 0),) * 3


def test_maps_on_different_grids_are_refused():
    tmax, cbf = maps(np.zeros(SHAPE))
    with pytest.raises(ValueError, match="one grid"):
        measure_regions(tmax, Volume(cbf.array, centred_affine(spacing=(1, 1, 1))), BRAIN, MIDPLANE)
    with pytest.raises(ValueError, match="one grid"):
        measure_regions(tmax, cbf, BRAIN[:-1], MIDPLANE)


@pytest.mark.parametrize(
    "wrong",
    [
        {"core_fraction": 0.31},
        {"core_reference": "mean"},
        {"tmax_thresholds_s": (6.0, 4.0, 10.0)},
        {"hypoperfusion_s": 5.0},
        {"minimum_ml": -1.0},
        {"side_share": 0.4},
        {"clip_percentiles": (60.0, 99.0)},
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValueError, match="expected"):
        RegionSettings(**wrong)
