"""Tissue: fractions add up, gyri are a patient's own, age and old disease leave what they leave."""

from functools import lru_cache

import numpy as np
import pytest
from scipy import ndimage

from perfusynth.phantom.head.atlas import atlas
from perfusynth.phantom.head.skull import skull_fields
from perfusynth.phantom.head.tissue import Tissue, tissue_of
from perfusynth.phantom.lattice import BRAIN, HEAD
from perfusynth.phantom.patient import Patient, draw_patient

VOXEL_ML = BRAIN.step_mm**3 / 1000
PLAIN = {"atrophy": 0.3, "ventricle_size": 0.2, "old_infarcts": (), "lacunes": (), "white_matter_hypodensity": 0.0}


@lru_cache(maxsize=64)
def tissue(seed: int) -> tuple[Patient, Tissue]:
    patient = draw_patient(seed)
    return patient, tissue_of(patient)


def size(patient: Patient) -> float:
    return float(np.prod(patient.head.scale))


def plain(seed: int, **changes: object) -> Patient:
    return draw_patient(seed).with_head(**(PLAIN | changes))


@pytest.mark.parametrize("seed", range(6))
def test_fractions_add_up(seed: int):
    _, t = tissue(seed)
    assert np.abs(t.grey + t.white + t.csf - 1).max() < 1e-5
    for name, field in vars(t).items():
        assert field.dtype == np.float32, name
        assert field.shape == BRAIN.shape
        assert field.min() >= -1e-6, name
        assert field.max() <= 1 + 1e-6, name
    assert (t.ventricle <= t.csf + 1e-6).all()
    assert (t.hypodense_white <= t.white + 1e-6).all()


def test_the_same_patient_has_the_same_brain_whatever_his_stroke():
    patient = draw_patient(3)
    first, twin = tissue_of(patient), tissue_of(patient.without_deficit())
    assert all(np.array_equal(a, b) for a, b in zip(vars(first).values(), vars(twin).values(), strict=True))


def test_averaged_over_patients_the_cortex_is_the_templates():
    a = atlas()
    mean_csf, mean_grey, count = 0.0, 0.0, 12
    for seed in range(count):
        # At this atrophy nothing is added to the template's CSF.
        t = tissue_of(plain(seed, atrophy=0.25 / 1.35, ventricle_size=0.03, ventricle_asymmetry_mm=0.0))
        mean_csf, mean_grey = mean_csf + t.csf / count, mean_grey + t.grey / count
    cortex = (a.surface_mm < 12) & (a.depth < -3) & (a.ventricle_mm > 25) & (BRAIN.axes()[2] > 0)
    assert mean_csf[cortex].mean() == pytest.approx(a.csf[cortex].mean(), abs=0.02)
    assert mean_grey[cortex].mean() == pytest.approx(a.grey[cortex].mean(), abs=0.03)
    smooth = [ndimage.uniform_filter(f, 9)[cortex] for f in (mean_grey, a.grey)]
    assert np.corrcoef(smooth)[0, 1] > 0.9


def test_gyri_are_crisp_and_differ_between_patients():
    a = atlas()
    cortex = (a.surface_mm < 14) & (a.depth < -3) & (a.ventricle_mm > 20) & (BRAIN.axes()[2] > 0)
    first, second = tissue_of(plain(1)), tissue_of(plain(2))
    pure = np.mean(np.maximum.reduce([first.grey, first.white, first.csf])[cortex] > 0.85)
    averaged = np.mean(np.maximum.reduce([a.grey, a.white, a.csf])[cortex] > 0.85)
    assert pure > averaged + 0.15
    residual = [t.csf[cortex] - 0.5 * (first.csf + second.csf)[cortex].mean() for t in (first, second)]
    assert np.corrcoef(residual)[0, 1] < 0.75
    assert first.csf[cortex].std() > 1.3 * a.csf[cortex].std()


def test_volumes_are_those_of_adults():
    _, _, z = HEAD.axes()
    inside, ventricles, ages, left_minus_right = [], [], [], []
    for seed in range(24):
        patient, t = tissue(seed)
        skull = skull_fields(patient, atlas().cavity)
        inside.append(np.count_nonzero((skull.beyond < 0) & (z > -62)) * VOXEL_ML * size(patient))
        ventricles.append(t.ventricle.sum() * VOXEL_ML * size(patient))
        ages.append(patient.age)
        x_brain = BRAIN.axes()[0]
        left_minus_right.append(float((t.ventricle * np.sign(-x_brain)).sum()))
    assert min(inside) > 1050
    assert max(inside) < 1750
    assert min(ventricles) > 10
    assert max(ventricles) < 85
    old, young = np.array(ages) > 75, np.array(ages) < 62
    assert np.mean(np.array(ventricles)[old]) > 1.2 * np.mean(np.array(ventricles)[young])
    assert np.mean(left_minus_right) > 0


def test_atrophy_widens_sulci_and_ventricle_size_the_ventricles():
    a = atlas()
    young = tissue_of(plain(4, ventricle_size=0.0))
    old = tissue_of(plain(4, atrophy=0.9, ventricle_size=1.0))
    sulci = (a.surface_mm < 15) & (a.depth < -2) & (a.ventricle_mm > 30)
    assert old.csf[sulci].mean() > 1.5 * young.csf[sulci].mean()
    assert (old.csf[sulci] >= young.csf[sulci] - 1e-5).mean() > 0.99
    assert old.ventricle.sum() > 2 * young.ventricle.sum()
    # Deep grey matter yields, it is not lost.
    assert (old.deep_grey * old.grey).sum() > 0.85 * (young.deep_grey * young.grey).sum()


@pytest.mark.parametrize("place", [(58.0, -38.0, 28.0), (-58.0, 10.0, 18.0), (16.0, -96.0, 4.0), (32.0, -76.0, -48.0)])
@pytest.mark.parametrize("volume", [8.0, 40.0])
def test_an_old_infarct_has_its_volume_its_side_and_no_tissue(place: tuple[float, float, float], volume: float):
    without, ill = plain(5), plain(5, old_infarcts=((*place, volume),))
    before, t = tissue_of(without), tissue_of(ill)
    lost = ((1 - before.csf) - (1 - t.csf)).sum() * VOXEL_ML
    assert lost == pytest.approx(volume, rel=0.35)
    x = BRAIN.axes()[0]
    assert (t.old_infarct * (x * np.sign(place[0]) < -2)).sum() == 0
    assert t.csf[t.old_infarct > 0.95].mean() > 0.85
    at = np.argwhere(t.old_infarct > 0.5).mean(axis=0) * BRAIN.step_mm + BRAIN.start
    assert np.linalg.norm(at - place) < 32


def test_calcifications_have_the_volume_of_their_balls():
    balls = ((0.0, -28.0, 2.0, 2.5, 1.0), (25.0, -40.0, 6.0, 1.6, 0.5))
    found = tissue_of(plain(1, calcifications=balls)).calcification
    expected = sum(4 / 3 * np.pi * r**3 * density for *_, r, density in balls) / 1000
    assert found.sum() * VOXEL_ML == pytest.approx(expected, rel=0.25)
    assert tissue_of(plain(1, calcifications=())).calcification.sum() == 0


def test_hypodense_white_matter_lies_around_the_ventricles_and_grows_with_its_grade():
    a = atlas()
    light, heavy = (tissue_of(plain(6, white_matter_hypodensity=g)).hypodense_white for g in (0.3, 1.0))
    assert 0 < 3 * light.sum() < heavy.sum()
    assert light[a.ventricle_mm > 25].sum() < 0.1 * light.sum()
    assert tissue_of(plain(6)).hypodense_white.sum() == 0


def test_falx_and_tentorium_are_thin_sheets_in_their_place():
    dura, (x, y, z) = atlas().dura, BRAIN.axes()
    assert 8 < dura.sum() * VOXEL_ML < 45
    high = dura * (z > 20)
    assert (high * (np.abs(x) > 7)).sum() < 0.02 * high.sum()
    lateral = dura * (np.abs(x) > 25)
    centre = (lateral * z).sum() / lateral.sum()
    assert -30 < centre < -12  # the tentorium
    assert (lateral * (y > -25)).sum() < 0.02 * lateral.sum()


def test_old_disease_is_as_frequent_as_meant_and_grows_with_age():
    patients = [draw_patient(seed) for seed in range(3000)]
    for name, share in {"old_infarcts": 0.08, "lacunes": 0.30, "white_matter_hypodensity": 0.30}.items():
        ill = np.array([bool(getattr(p.head, name)) for p in patients])
        assert ill.mean() == pytest.approx(share, abs=0.04)
        age = np.array([p.age for p in patients])
        assert ill[age > 78].mean() > 1.2 * ill[age < 62].mean()
    assert {p.head.finding for p in patients} == {"none"}
    assert {p.head.anatomy for p in patients} == {"mni152"}
