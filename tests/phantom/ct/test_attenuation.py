"""What a stroke adds to the NCCT, alone and last; beam hardening; acceptance: grey and white matter, left and right."""

import numpy as np
import pytest
from scipy import ndimage

from perfusynth.phantom.ct.attenuation import beam_hardening_hu, swelling_hu, water_uptake_hu
from perfusynth.phantom.ct.ncct import brain_hu, noise_free_ncct, render_ncct
from perfusynth.phantom.ct.scanners import SCANNERS
from perfusynth.phantom.grid import Grid
from perfusynth.phantom.lattice import BRAIN, sample
from perfusynth.phantom.patient import Patient, draw_patient
from perfusynth.phantom.scene import scene_of

STANDARD = SCANNERS["standard_5mm"]
NO_SIGN = {"nwu_percent": 0.0, "clot_contrast_hu": 0.0, "swelling": 0.0}
HEALTHY_SEEDS = (40, 42, 43, 44, 46)


def straight(patient: Patient) -> Patient:
    return patient.with_head(rotation_deg=(0.0, 0.0, 0.0), offset_mm=(0.0, 0.0, 0.0))


def symmetric_grid() -> Grid:
    shape = (136, 164, 26)
    affine = np.diag([1.2, 1.2, 5.0, 1.0])
    affine[:3, 3] = -np.diag(affine)[:3] * (np.array(shape) - 1) / 2
    return Grid(shape, affine, 5.0)


@pytest.fixture(scope="module")
def ill() -> Patient:
    drawn = (draw_patient(seed) for seed in range(6000, 9000))
    return next(p for p in drawn if p.stroke.site == "M1" and p.stroke.swelling > 0.3 and p.stroke.core_target_ml > 50)


def test_without_water_swelling_and_clot_the_scan_is_bit_identical_to_the_twin(ill: Patient):
    grid = symmetric_grid()
    for name in ("standard_5mm", "tilted_5mm"):
        scans = [
            render_ncct(scene_of(p), grid, SCANNERS[name], 3)
            for p in (ill.with_stroke(**NO_SIGN), ill.without_deficit(), ill)
        ]
        assert np.array_equal(scans[0][0], scans[1][0])
        assert np.array_equal(scans[0][1], scans[1][1])
        assert not np.array_equal(scans[0][0], scans[2][0])


def test_swelling_fills_sulci_and_nothing_else(ill: Patient):
    scene = scene_of(ill)
    change = swelling_hu(ill, scene.tissue, scene.haemodynamics)
    assert change.min() >= 0
    assert change.max() > 3
    assert not change[scene.haemodynamics.swelling == 0].any()
    assert not change[scene.tissue.csf == 0].any()
    assert np.abs(change[scene.tissue.ventricle == scene.tissue.csf]).max() < 1e-4
    contrast = ill.attenuation.grey_hu - ill.attenuation.csf_hu
    assert change.max() <= contrast
    # What fills a sulcus of the core is as dark as the core, not healthy.
    dry = ill.with_stroke(nwu_percent=0.0)
    fields = scene_of(dry).haemodynamics
    darker = swelling_hu(dry, scene.tissue, fields) - change
    full = (fields.swelling * (scene.tissue.csf - scene.tissue.ventricle) > 0.2) & (fields.core > 0.9)
    assert darker.min() > -1e-3
    assert (darker / np.maximum(fields.swelling * scene.tissue.csf, 0.2))[
        full
    ].mean() > 0.2 * ill.stroke.nwu_percent * 0.38


def test_1_percent_water_is_038_hu_in_grey_and_029_in_white_and_nothing_in_pure_penumbra(ill: Patient):
    scene = scene_of(ill)
    fields, tissue = scene.haemodynamics, scene.tissue
    change = water_uptake_hu(tissue, fields)
    wet = fields.water_uptake_percent > 0.5
    for share, per_percent in ((tissue.grey, 0.38), (tissue.white, 0.29)):
        pure = wet & (share > 0.98)
        assert pure.sum() > 50
        assert np.mean(-change[pure] / fields.water_uptake_percent[pure]) == pytest.approx(per_percent, rel=0.03)
    dry = brain_hu(ill.with_stroke(nwu_percent=0.0, swelling=0.0), 1.0)
    difference = brain_hu(ill, 1.0) - dry
    penumbra = (fields.tmax_expected_s > 6) & (fields.water_uptake_percent == 0) & (fields.swelling == 0)
    assert not difference[penumbra].any()


def test_the_bar_lies_between_the_petrous_bones_with_streaks_and_cupping_is_below_2():
    x, y, z = BRAIN.axes()
    between = (np.abs(x) < 12) & (np.abs(y + 24) < 5) & (np.abs(z + 34) < 4)
    far = (z > 10) & (np.abs(x) < 100) & (np.abs(y) < 200)
    found = []
    for seed in range(12):
        patient = draw_patient(seed)
        hu = beam_hardening_hu(patient)
        found.append(hu[between].mean())
        assert -0.05 < hu[far].min() <= hu[far].max() < 2
    assert -15 < np.mean(found) < -5
    along_y = hu[40, :, :]  # streaks run from side to side: little change along x
    assert np.abs(hu[36:45] - along_y[None]).max() < 0.1 * np.abs(along_y).max() + 1


@pytest.fixture(scope="module")
def measured() -> dict[str, np.ndarray]:
    """Of healthy straight heads at 5 mm: grey minus white, its ratio to noise, SD of left minus right at 10 mm."""
    found: dict[str, list[float]] = {"contrast": [], "cnr": [], "left-right": []}
    grid = symmetric_grid()
    ranges = np.stack(np.meshgrid(*(np.arange(n) for n in grid.shape), indexing="ij")).reshape(3, -1)
    for seed in HEALTHY_SEEDS:
        scene = scene_of(straight(draw_patient(seed).without_deficit()))
        hu, brain = render_ncct(scene, grid, STANDARD, 7)
        mean = {}
        for name in ("grey", "white"):
            share = np.zeros(grid.shape)
            for offset in (-5 / 3, 0.0, 5 / 3):
                ras = grid.affine[:3, :3] @ ranges + grid.affine[:3, 3:] + np.array([[0.0], [0.0], [offset]])
                share += sample(getattr(scene.tissue, name), BRAIN, scene.placement.to_template(ras)).reshape(
                    grid.shape
                )
            mean[name] = hu[brain & (share > 2.6)].mean()
        found["contrast"].append(mean["grey"] - mean["white"])

        pixel = STANDARD.pixel_mm
        affine = np.diag([pixel, pixel, 5.0, 1.0])
        affine[:3, 3] = (-40, -50, 10)
        native = Grid((160, 200, 5), affine, 5.0)
        noise = render_ncct(scene, native, STANDARD, 1)[0] - noise_free_ncct(scene, native, STANDARD)[0]
        found["cnr"].append(found["contrast"][-1] / float((noise - noise.mean(axis=(0, 1))).std()))

        tissue = (ndimage.binary_erosion(brain, iterations=4) & (hu > 15) & (hu < 55)).astype(np.float32)
        sigma = (10 / 1.2, 10 / 1.2, 10 / 5)
        weight = ndimage.gaussian_filter(tissue, sigma)
        smooth = ndimage.gaussian_filter(hu * tissue, sigma) / np.maximum(weight, 0.05)
        found["left-right"].append(float((smooth - smooth[::-1])[(weight > 0.6) & (weight[::-1] > 0.6)].std()))
    return {name: np.array(values) for name, values in found.items()}


def test_grey_minus_white_is_7_hu_and_18_times_the_noise(measured: dict[str, np.ndarray]):
    assert measured["contrast"].mean() == pytest.approx(7.1, abs=1.5)
    assert measured["cnr"].mean() == pytest.approx(1.8, abs=0.4)


def test_left_minus_right_has_the_sd_of_a_real_scan(measured: dict[str, np.ndarray]):
    assert 1.0 <= measured["left-right"].mean() <= 1.9
    assert measured["left-right"].min() > 0.6
