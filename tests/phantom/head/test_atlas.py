"""Atlases: nilearn's template for training, a CT template of older adults for tests on foreign heads."""

from pathlib import Path

import numpy as np
import pytest

from perfusynth.errors import InputError
from perfusynth.phantom.head.atlas import atlas, build_atlas
from perfusynth.phantom.head.tissue import tissue_of
from perfusynth.phantom.lattice import BRAIN
from perfusynth.phantom.patient import draw_patient

VOXEL_ML = BRAIN.step_mm**3 / 1000


def test_the_templates_ventricles_and_cisterns_are_told_apart():
    a = atlas()
    for place in ((10, 8, 20), (26, -42, 8), (0, 0, -6), (0, -44, -32)):  # body, atrium, third, fourth
        index = tuple(round((p - s) / BRAIN.step_mm) for p, s in zip(place, BRAIN.start, strict=True))
        assert a.ventricle_mm[index] < 2, place
    for place in ((44, 4, -4), (0, 4, -24), (0, -36, -8), (0, 40, 30)):  # insula, suprasellar, quadrigeminal, falx
        index = tuple(round((p - s) / BRAIN.step_mm) for p, s in zip(place, BRAIN.start, strict=True))
        assert a.ventricle_mm[index] > 2, place
    assert 12 < (a.ventricle_mm < 0).sum() * VOXEL_ML < 40


def test_the_default_is_built_once():
    assert atlas() is atlas("mni152")


def test_the_nearest_surface_point_is_as_far_as_the_distance_says():
    a = atlas()
    inside = (a.surface_mm > 6) & (a.surface_mm < 20) & (a.depth < 0)
    here = np.stack(np.broadcast_arrays(*BRAIN.axes()))
    distance = np.linalg.norm(a.surface_point - here, axis=0)[inside]
    assert np.abs(distance - a.surface_mm[inside]).mean() < 2.5


def test_the_ct_template_gives_another_anatomy(public_data: Path):
    mni, foreign = atlas(), atlas("older_adult_ct")
    inside = (mni.depth < -4) & (foreign.depth < -4)
    assert 0.85 < inside.sum() / (mni.depth < -4).sum() < 1.05
    assert np.corrcoef(mni.grey[inside], foreign.grey[inside])[0, 1] < 0.9
    assert (foreign.ventricle_mm < 0).sum() > 1.3 * (mni.ventricle_mm < 0).sum()  # older adults
    patient = draw_patient(1)
    ours, theirs = tissue_of(patient), tissue_of(patient.with_head(anatomy="older_adult_ct"))
    assert np.abs(theirs.grey + theirs.white + theirs.csf - 1).max() < 1e-5
    assert np.abs(ours.grey - theirs.grey)[inside].mean() > 0.1


def test_a_missing_ct_template_is_said_clearly(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    (tmp_path / "scct_template_priors").mkdir()
    monkeypatch.setenv("PERFUSYNTH_DATA", str(tmp_path))
    build_atlas.cache_clear()
    try:
        with pytest.raises(InputError) as fault:
            atlas("older_adult_ct")
    finally:
        build_atlas.cache_clear()
    assert fault.value.code == "missing_file"
    monkeypatch.setenv("PERFUSYNTH_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(InputError) as fault:
        atlas("older_adult_ct")
    assert fault.value.code == "data_not_fetchable"
