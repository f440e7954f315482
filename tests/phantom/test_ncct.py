"""The NCCT: contrast, asymmetry, and what a stroke does and does not do to it."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy import ndimage

from perfusynth.phantom.ct.ncct import noise_free_ncct
from perfusynth.phantom.ct.scanners import SCANNERS
from perfusynth.phantom.grid import Grid
from perfusynth.phantom.patient import Patient
from perfusynth.phantom.render import RenderedCase
from perfusynth.phantom.scene import scene_of

Render = Callable[[Patient], RenderedCase]
Tissue = Callable[[RenderedCase], dict[str, np.ndarray]]


def stroke_effect(patient: Patient, render_symmetric: Render) -> tuple[RenderedCase, np.ndarray]:
    """The case, and the change of HU by its stroke (noise cancels: both scans share it)."""
    case = render_symmetric(patient)
    twin = render_symmetric(patient.with_stroke(nwu_percent=0.0, clot_contrast_hu=0.0, swelling=0.0))
    return case, case.volumes["ncct"] - twin.volumes["ncct"]


def test_grey_minus_white_matter_is_as_measured_at_5_mm(healthy_cases: list[RenderedCase], tissue_on_grid: Tissue):
    contrasts, below = [], []
    for case in healthy_cases:
        tissue, hu, brain = tissue_on_grid(case), case.volumes["ncct"], case.volumes["brain"] > 0
        grey, white = hu[brain & (tissue["grey"] > 0.85)], hu[brain & (tissue["white"] > 0.9)]
        contrasts.append(grey.mean() - white.mean())
        deep = ndimage.binary_erosion(brain, iterations=6) & (tissue["csf"] > 0.97)
        below.append(np.median(hu[deep]) - white.mean())
    assert np.mean(contrasts) == pytest.approx(7.1, abs=1.5)
    assert -26 < np.mean(below) < -15  # CSF 4-10 HU


def test_the_head_has_bone_scalp_and_air_around_it(healthy_cases: list[RenderedCase]):
    for case in healthy_cases:
        hu, brain = case.volumes["ncct"], case.volumes["brain"] > 0
        assert hu[0, 0].max() < -900
        middle = hu.shape[2] // 2 + 3
        shell = ndimage.binary_dilation(brain[:, :, middle], iterations=4) & ~brain[:, :, middle]
        assert (hu[:, :, middle][shell] > 300).mean() > 0.8
        assert 800 < np.percentile(hu[:, :, middle], 99.5) <= 1900
        assert 1050 < brain.sum() * 7.2e-3 < 2000


def test_left_minus_right_has_the_sd_of_a_real_scan(healthy_cases: list[RenderedCase]):
    found = []
    for case in healthy_cases:
        hu, brain = case.volumes["ncct"], case.volumes["brain"] > 0
        tissue = (ndimage.binary_erosion(brain, iterations=4) & (hu > 15) & (hu < 55)).astype(np.float32)
        sigma = (10 / 1.2, 10 / 1.2, 2)
        weight = ndimage.gaussian_filter(tissue, sigma)
        smooth = ndimage.gaussian_filter(hu * tissue, sigma) / np.maximum(weight, 0.05)
        difference = (smooth - smooth[::-1])[(weight > 0.6) & (weight[::-1] > 0.6)]
        found.append(difference.std())
    assert 1.0 <= np.mean(found) <= 1.9


def test_the_anatomy_is_asymmetric(healthy_cases: list[RenderedCase]):
    for case in healthy_cases:
        brain = case.volumes["brain"] > 0
        assert 0.02 < (brain != brain[::-1]).sum() / brain.sum() < 0.35


def test_without_water_uptake_clot_and_swelling_the_scan_is_bit_identical_to_the_twin(
    m1_left: Patient, render_symmetric: Render
):
    ill = render_symmetric(m1_left.with_stroke(nwu_percent=0.0, clot_contrast_hu=0.0, swelling=0.0))
    well = render_symmetric(m1_left.without_deficit())
    assert np.array_equal(ill.volumes["ncct"], well.volumes["ncct"])
    assert np.array_equal(ill.volumes["brain"], well.volumes["brain"])
    assert (ill.volumes["tmax"] > 6).sum() * 7.2e-3 > 20
    assert (well.volumes["tmax"] > 6).sum() * 7.2e-3 < 5


def test_pure_penumbra_shows_nothing_and_the_core_what_its_water_uptake_says(
    m1_left: Patient, render_symmetric: Render, tissue_on_grid: Tissue
):
    case, change = stroke_effect(m1_left.with_stroke(clot_contrast_hu=0.0, swelling=0.0), render_symmetric)
    core = case.volumes["core"] > 0
    far_from_core = ~ndimage.binary_dilation(core, iterations=4, structure=np.ones((3, 3, 3)))
    penumbra = (case.volumes["tmax"] > 6) & far_from_core
    assert penumbra.sum() > 500
    assert (
        np.abs(change[penumbra]) < 1e-3
    ).mean() > 0.98  # but for single small infarcts that are no voxel of the core
    assert np.abs(change[penumbra]).max() < 0.1
    assert change.max() < 1e-3
    tissue = tissue_on_grid(case)
    solid = core & (tissue["csf"] < 0.1)
    per_percent = 0.38 * tissue["grey"][solid] + 0.29 * tissue["white"][solid]
    expected = -m1_left.stroke.nwu_percent * per_percent.mean()
    # The drawn uptake is the mean of the low-flow core; its border has less, its middle more.
    assert change[solid].mean() == pytest.approx(expected, rel=0.3)


def test_the_clot_is_dense_small_and_on_the_occluded_side(m1_left: Patient, render_symmetric: Render):
    case, change = stroke_effect(m1_left.with_stroke(nwu_percent=0.0, swelling=0.0), render_symmetric)
    at = np.argwhere(change > 0.5)
    assert len(at) > 5
    ras = at @ case.affine[:3, :3].T + case.affine[:3, 3]
    assert (ras[:, 0] < 0).all()  # the patient's left
    assert np.ptp(ras, axis=0).max() < m1_left.stroke.clot_length_mm + 12
    assert 1.0 < change.max() <= m1_left.stroke.clot_contrast_hu + 1e-3
    assert change.min() > -1e-3


def test_thin_slices_show_the_clot_denser_than_thick_ones(m1_left: Patient):
    peaks = []
    for slab in (1.0, 5.0):
        affine = np.diag([0.8, 0.8, slab, 1.0])
        shape = (100, 60, round(50 / slab))
        affine[:3, 3] = np.array([-40.0, -10.0, -45.0])
        pair = [
            noise_free_ncct(scene_of(patient), Grid(shape, affine, slab), SCANNERS["standard_5mm"])[0]
            for patient in (m1_left.with_stroke(nwu_percent=0.0, swelling=0.0), m1_left.without_deficit())
        ]
        peaks.append((pair[0] - pair[1]).max())
    assert peaks[0] > 1.2 * peaks[1]
