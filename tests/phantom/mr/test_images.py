"""Rendered DWI, ADC and FLAIR show what physics and published values say they must."""

import numpy as np
import pytest
from scipy import ndimage

from perfusynth.phantom.mr.dwi import noise_free_diffusion, noise_sd, render_adc, render_dwi
from perfusynth.phantom.mr.flair import flair_ratio, noise_free_flair, render_flair
from perfusynth.phantom.mr.images import native_mr_grid, rician
from perfusynth.phantom.mr.tissue import compartments
from perfusynth.phantom.patient import draw_patient
from perfusynth.phantom.scene import scene_of


def test_adc_of_normal_tissue_is_as_published(share_on):
    found = []
    for seed in range(3):
        patient = draw_patient(seed).without_deficit()
        scene = scene_of(patient)
        grid = native_mr_grid(patient, "dwi")
        adc, parts, deep = render_adc(scene, grid), compartments(scene), scene.tissue.deep_grey
        cortex, basal, white = (
            share_on(scene, grid, field)
            for field in (scene.tissue.grey * (1 - deep), parts["deep_grey"], parts["white"])
        )
        fluid = share_on(scene, grid, scene.tissue.ventricle)
        found.append([np.median(adc[m]) for m in (cortex > 0.8, basal > 0.8, white > 0.9, fluid > 0.98)])
    assert np.mean(found, axis=0) == pytest.approx([890, 750, 700, 3200], abs=40)


def test_an_infarct_is_dark_on_adc_and_bright_on_the_trace_image(pair, share_on):
    core = share_on(pair.ill, pair.grid, pair.ill.haemodynamics.core)
    solid = (core > 0.9) & (share_on(pair.ill, pair.grid, pair.ill.tissue.csf) < 0.05)
    assert solid.sum() > 100
    ratio = (render_adc(pair.ill, pair.grid) / np.maximum(render_adc(pair.twin, pair.grid), 1))[solid].mean()
    assert 0.5 < ratio < 0.8
    trace, normal = (noise_free_diffusion(s, pair.grid, 1000.0) for s in (pair.ill, pair.twin))
    assert (trace[solid] / normal[solid]).min() > 1.05


def test_beyond_the_infarct_mr_is_that_of_the_twin(pair, share_on):
    far = ndimage.binary_dilation(share_on(pair.ill, pair.grid, pair.ill.haemodynamics.core) > 0, iterations=2)
    for render in (lambda s: noise_free_diffusion(s, pair.grid, 1000.0), lambda s: noise_free_flair(s, pair.grid)):
        assert np.array_equal(render(pair.ill)[~far], render(pair.twin)[~far])


def test_t2_shines_through_when_the_adc_is_normal_again(pair, share_on):
    patient = pair.ill.patient.with_stroke(onset_to_imaging_h=240.0)
    late = scene_of(patient)
    solid = share_on(late, pair.grid, late.haemodynamics.core) > 0.95
    adc = (render_adc(late, pair.grid) / np.maximum(render_adc(pair.twin, pair.grid), 1))[solid].mean()
    trace, normal = (noise_free_diffusion(s, pair.grid, 1000.0) for s in (late, pair.twin))
    assert adc == pytest.approx(1.0, abs=0.12)
    expected = flair_ratio(patient) ** (patient.mr.dwi_te_ms / patient.mr.flair_te_ms)
    assert expected > 1.2
    assert (trace[solid] / normal[solid]).mean() == pytest.approx(expected, rel=0.1)


def test_flair_ratio_is_measured_as_drawn(pair, share_on):
    solid = share_on(pair.ill, pair.grid, pair.ill.haemodynamics.core) > 0.95
    ill, twin = (noise_free_flair(s, pair.grid) for s in (pair.ill, pair.twin))
    assert (ill[solid].mean() / twin[solid].mean()) == pytest.approx(flair_ratio(pair.ill.patient), rel=0.05)


def test_flair_nulls_csf_and_shows_old_disease_bright(pair, share_on):
    image, parts = noise_free_flair(pair.twin, pair.grid), compartments(pair.twin)
    white, grey, changed = (
        np.median(image[share_on(pair.twin, pair.grid, parts[name]) > least])
        for name, least in (("white", 0.95), ("deep_grey", 0.9), ("changed_white", 0.4))
    )
    ventricle = np.median(image[share_on(pair.twin, pair.grid, pair.twin.tissue.ventricle) > 0.98])
    cavity = image[share_on(pair.twin, pair.grid, pair.twin.tissue.lacune) > 0.9].mean()
    rim = np.median(image[share_on(pair.twin, pair.grid, parts["gliosis"]) > 0.5])
    assert ventricle < 0.05 * white
    assert 1.1 < grey / white < 1.6
    assert changed > 1.2 * white
    assert cavity < 0.35 * white
    assert rim > 1.2 * grey


def test_the_head_ends_in_faint_scalp_and_noisy_air(pair):
    image = noise_free_flair(pair.twin, pair.grid)
    brain = np.median(image[image > 0.3 * np.percentile(image, 99)])
    middle = image[:, pair.grid.shape[1] // 2, pair.grid.shape[2] * 2 // 3]
    edge = np.flatnonzero(middle > 0.05 * brain)[0]
    scalp = middle[edge : edge + 4].max()
    bone = middle[edge + 2 : edge + 10].min()
    assert 0.1 * brain < scalp < 1.6 * brain
    assert bone < 0.3 * scalp
    noisy = render_dwi(pair.twin, pair.grid, noise_seed=1)
    # Magnitude noise where there is no signal: Rayleigh, mean SD * sqrt(pi / 2).
    assert noisy[:6, :6].mean() == pytest.approx(noise_sd(pair.twin.patient) * np.sqrt(np.pi / 2), rel=0.05)


def test_rician_noise_at_high_signal_is_normal(rng):
    values = rician(np.full(200_000, 1000.0, dtype=np.float32), 20.0, rng)
    assert values.std() == pytest.approx(20.0, rel=0.02)
    assert values.mean() == pytest.approx(1000.0 + 20.0**2 / (2 * 1000.0), abs=0.2)


def test_noise_seeds_differ_and_repeat(pair):
    grid = native_mr_grid(pair.twin.patient, "flair")
    first = render_flair(pair.twin, grid, noise_seed=1)
    assert grid.shape[:2] == (256, 256)
    assert first.dtype == np.float32
    assert np.array_equal(first, render_flair(pair.twin, grid, noise_seed=1))
    assert not np.array_equal(first, render_flair(pair.twin, grid, noise_seed=2))


def test_adc_with_noise_scatters_about_the_noise_free_map(pair):
    clean, noisy = render_adc(pair.twin, pair.grid), render_adc(pair.twin, pair.grid, noise_seed=5)
    brain = (clean > 600) & (clean < 900) & (noisy > 0)
    difference = noisy[brain] - clean[brain]
    assert abs(np.median(difference)) < 15
    assert 20 < difference.std() < 250
