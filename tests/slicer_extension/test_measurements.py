"""Numbers of the extension against the server's own, on the phantom and on random oblique grids."""

from dataclasses import replace

import numpy as np
import pytest
from measured_cases import Maps, measurer_of, phantom_maps, random_maps, server_case, server_regions
from PerfuSynthLib import constants
from PerfuSynthLib.grid_volume import GridVolume
from PerfuSynthLib.measurements import EDITED
from PerfuSynthLib.measurer import Measurer, MeasuringCancelled, measure
from PerfuSynthLib.region_settings import RegionSettings as ExtensionSettings

from perfusynth.perfusion import cleaning, regions
from perfusynth.perfusion.regions import RegionSettings

#: How far volumes of the extension and the server may lie apart, mL (DESIGN.md).
TOLERANCE_ML = 0.1

#: Every setting away from its default, alone and together.
SETTINGS = [
    RegionSettings(),
    RegionSettings(tmax_thresholds_s=(3.0, 5.0, 7.5, 12.0), hypoperfusion_s=5.0, severe_s=12.0),
    RegionSettings(core_fraction=0.20),
    RegionSettings(core_fraction=0.38, core_minimum_ml=0.0),
    RegionSettings(core_reference="contralateral"),
    RegionSettings(normal_tmax_s=6.0),
    RegionSettings(ball_voxels=0.0),
    RegionSettings(ball_voxels=2.0, minimum_ml=8.0),
    RegionSettings(minimum_ml=0.0, core_minimum_ml=4.0),
    RegionSettings(side_share=0.51),
]


@pytest.fixture(scope="module")
def phantom():
    return server_case(phantom_maps())


def near(measured: float | None, expected: float | None, absolute: float) -> bool:
    if measured is None or expected is None:
        return measured is expected
    return abs(measured - expected) <= absolute


def assert_as_the_server(measured, expected: regions.Regions) -> None:
    assert measured.volumes_ml == pytest.approx(dict(expected.tmax_ml), abs=TOLERANCE_ML)
    for name in ("core_ml", "mismatch_ml", "hypoperfusion_ml", "brain_ml"):
        assert near(getattr(measured, name), getattr(expected, name), TOLERANCE_ML), name
    for name in ("normal_cbf", "core_cbf", "hir", "mismatch_ratio"):
        assert near(getattr(measured, name), getattr(expected, name), 1e-3), name
    assert measured.mismatch_ratio_infinite == expected.mismatch_ratio_infinite
    assert measured.laterality.side == expected.laterality.side
    for name in ("right_ml", "left_ml"):
        assert near(getattr(measured.laterality, name), getattr(expected.laterality, name), TOLERANCE_ML), name


def test_defaults_are_the_servers():
    ours, theirs = ExtensionSettings(), RegionSettings()
    assert {name: getattr(theirs, name) for name in ours._fields} == ours._asdict()
    assert set(ours._fields) == set(vars(theirs))
    assert constants.CORE_FRACTIONS == regions.CORE_FRACTIONS
    assert constants.NORMAL_TISSUE_MINIMUM_ML == regions.NORMAL_TISSUE_MINIMUM_ML
    assert constants.BALL_TOLERANCE == cleaning.BALL_TOLERANCE


def test_the_phantoms_numbers_and_regions_are_the_servers(phantom):
    measured = measurer_of(phantom).cleaned(6.0)
    assert phantom.regions.hypoperfusion_ml > 50
    assert phantom.regions.core_ml > 5
    assert_as_the_server(measured, phantom.regions)
    assert (measured.region == phantom.regions.hypoperfusion).all()
    assert (measured.core == phantom.regions.core).all()


def test_the_documents_own_numbers_are_read_as_they_are(phantom):
    assert_as_the_server(phantom.facts.measured, phantom.regions)


@pytest.mark.parametrize("settings", SETTINGS, ids=range(len(SETTINGS)))
def test_all_settings_measure_as_the_server_on_random_oblique_grids(settings):
    compared = 0
    for seed in range(4):
        case = server_case(random_maps(seed), settings)
        from_document = measurer_of(case).cleaned(settings.hypoperfusion_s)
        assert_as_the_server(from_document, case.regions)
        assert (from_document.region == case.regions.hypoperfusion).all()
        own_reference = measure(*case.maps, case.facts.midplane, None, settings.hypoperfusion_s, case.facts.settings)
        assert_as_the_server(own_reference, case.regions)
        compared += case.regions.core_ml > 1 and case.regions.hypoperfusion_ml > 10
    assert compared >= 2  # the maps hold something to compare


@pytest.mark.parametrize("threshold", [4.7, 6.5, 9.0])
def test_a_free_threshold_is_cleaned_like_the_named_ones_and_moves_nothing_else(phantom, threshold):
    with_it = RegionSettings(tmax_thresholds_s=tuple(sorted({4.0, 6.0, 8.0, 10.0, threshold})))
    expected = server_regions(phantom.maps, with_it)
    measured = measurer_of(phantom).cleaned(threshold)
    assert measured.region_ml == pytest.approx(expected.tmax_ml[threshold], abs=TOLERANCE_ML)
    assert (measured.region == expected.tmax[threshold]).all()
    assert_as_the_server(measured, phantom.regions)


def test_provisional_numbers_are_the_thresholds_alone(phantom):
    raw = RegionSettings(ball_voxels=0, minimum_ml=0, core_minimum_ml=0)
    expected = server_regions(phantom.maps, raw)
    measured = measurer_of(phantom).provisional(6.0)
    assert_as_the_server(measured, expected)
    assert (measured.region == expected.hypoperfusion).all()
    assert measurer_of(phantom).provisional(7.3).region_ml == pytest.approx(
        np.count_nonzero((phantom.maps.tmax.array > 7.3) & (phantom.maps.brain.array > 0)) * phantom.maps.tmax.voxel_ml
    )


def test_without_normal_tissue_there_is_no_core():
    maps = random_maps(1)
    slow = maps._replace(tmax=GridVolume(np.where(maps.brain.array > 0, 12.0, 0).astype(np.float32), maps.tmax.affine))
    case = server_case(slow)
    measured = measurer_of(case).cleaned(6.0)
    assert case.regions.core_ml is None
    assert measured.core_ml is None
    assert measured.mismatch_ml is None
    assert not measured.mismatch_ratio_infinite
    assert measured.core is None


def test_hypoperfusion_without_core_has_an_infinite_ratio_and_none_without_hypoperfusion():
    maps = random_maps(2)
    rich = maps._replace(cbf=GridVolume(np.where(maps.brain.array > 0, 40.0, 0).astype(np.float32), maps.cbf.affine))
    measured = measurer_of(server_case(rich)).cleaned(6.0)
    assert measured.mismatch_ratio_infinite
    assert measured.mismatch_ratio is None
    quick = maps._replace(tmax=GridVolume(np.minimum(maps.tmax.array, 3.0), maps.tmax.affine))
    nothing = measurer_of(server_case(quick)).cleaned(6.0)
    assert (nothing.hypoperfusion_ml, nothing.hir, nothing.laterality.side) == (0, None, "none")
    assert not nothing.mismatch_ratio_infinite


def test_without_a_midplane_no_side_is_named():
    case = server_case(random_maps(3), midplane=None)
    assert case.facts.midplane is None
    assert measurer_of(case).cleaned(6.0).laterality is None
    assert measurer_of(case).provisional(6.0).laterality is None


def test_an_edited_region_is_taken_as_drawn(phantom):
    original = measurer_of(phantom).cleaned(6.0)
    half = original.region.copy()
    half[:, :, : half.shape[2] // 2] = False
    corner = (slice(0, 4), slice(0, 4), slice(0, 4))
    half[corner] = True  # outside the brain
    edited = measurer_of(phantom).edited(half.astype(np.uint8), 6.0)
    voxel_ml = phantom.maps.tmax.voxel_ml
    assert edited.kind == EDITED
    assert edited.hypoperfusion_ml == pytest.approx(np.count_nonzero(half) * voxel_ml)
    assert edited.outside_brain_ml == pytest.approx(64 * voxel_ml)
    assert not (edited.core & ~half).any()
    assert 0 < edited.core_ml < original.core_ml
    assert edited.mismatch_ml == pytest.approx(edited.region_ml - edited.core_ml)
    severe = phantom.regions.tmax[10.0] & half
    assert edited.hir == pytest.approx(np.count_nonzero(severe) / np.count_nonzero(half))
    assert edited.volumes_ml == pytest.approx(original.volumes_ml)


def test_an_untouched_region_measures_the_same_edited_or_not(phantom):
    original = measurer_of(phantom).cleaned(6.0)
    edited = measurer_of(phantom).edited(original.region, 6.0)
    for name in ("hypoperfusion_ml", "core_ml", "mismatch_ml", "mismatch_ratio", "hir"):
        assert getattr(edited, name) == pytest.approx(getattr(original, name)), name
    assert edited.laterality == original.laterality


def test_the_readers_own_core_is_taken_as_drawn(phantom):
    original = measurer_of(phantom).cleaned(6.0)
    drawn = original.core.copy()
    drawn[:, :, ::2] = False
    edited = measurer_of(phantom).edited(original.region, 6.0, core=drawn)
    assert edited.core_ml == pytest.approx(np.count_nonzero(drawn) * phantom.maps.tmax.voxel_ml)


def test_a_region_of_another_grid_is_refused(phantom):
    with pytest.raises(ValueError, match="shape"):
        measurer_of(phantom).edited(np.zeros((4, 4, 4)), 6.0)


@pytest.mark.parametrize("steps", range(6))
def test_measuring_stops_between_steps_when_it_is_no_longer_wanted(steps):
    case = server_case(random_maps(4))
    asked = []

    def cancelled() -> bool:
        asked.append(1)
        return len(asked) > steps

    with pytest.raises(MeasuringCancelled):
        measurer_of(case).cleaned(7.0, cancelled)
    assert len(asked) == steps + 1


def test_numbers_after_a_cancelled_run_are_right():
    case = server_case(random_maps(4))
    measurer = measurer_of(case)
    answers = iter([False, False, True])
    with pytest.raises(MeasuringCancelled):
        measurer.cleaned(6.0, lambda: next(answers))
    assert_as_the_server(measurer.cleaned(6.0), case.regions)


def test_maps_of_different_grids_are_refused(phantom):
    small = GridVolume(np.zeros((3, 3, 3)), np.eye(4))
    with pytest.raises(ValueError, match="one grid"):
        Measurer(phantom.maps.tmax, small, phantom.maps.brain, None, None, ExtensionSettings())


def test_left_and_right_are_the_patients_whatever_the_arrays_order(phantom):
    tmax, cbf, brain = phantom.maps
    flip = np.diag([-1.0, -1, 1, 1])
    flip[:2, 3] = np.array(tmax.array.shape[:2]) - 1
    turned = Maps(*(GridVolume(v.array[::-1, ::-1], v.affine @ flip) for v in (tmax, cbf, brain)))
    settings = replace(RegionSettings(), side_share=0.6)
    measured = measurer_of(server_case(turned, settings)).cleaned(6.0)
    original = measurer_of(server_case(phantom.maps, settings)).cleaned(6.0)
    assert original.laterality.side in ("right", "left")
    assert measured.laterality.side == original.laterality.side
    assert measured.laterality.right_ml == pytest.approx(original.laterality.right_ml)
