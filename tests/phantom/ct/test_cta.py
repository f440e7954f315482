"""CTA: HU of arteries, the gap of the clot, collaterals behind it, veins, blush, and the thin pair's labels."""

import numpy as np
import pytest
from scipy import ndimage

from perfusynth.phantom.arteries.courses import ARTERY_LABELS
from perfusynth.phantom.arteries.tree import tree_of
from perfusynth.phantom.ct.cta import artery_labels, blush_hu, noise_free_cta, render_cta
from perfusynth.phantom.ct.grids import thin_pair_grid
from perfusynth.phantom.ct.ncct import noise_free_ncct
from perfusynth.phantom.ct.scanners import CTA_PROTOCOL
from perfusynth.phantom.ct.traits import draw_attenuation
from perfusynth.phantom.grid import Grid
from perfusynth.phantom.patient import Patient, draw_patient
from perfusynth.phantom.scene import Scene, scene_of

#: A block around the circle of Willis and both middle cerebral arteries, mm of the head's frame.
STEP_MM, BLOCK_SHAPE = np.array([0.67, 0.67, 1.25]), (160, 130, 50)


def block(scene: Scene) -> Grid:
    tree = tree_of(scene.patient)
    ends = np.stack([tree.segments[tree.index("M1", side)].points.mean(axis=0) for side in ("left", "right")])
    centre = scene.placement.to_head(ends.T).mean(axis=1)
    affine = np.diag([*STEP_MM, 1.0])
    affine[:3, 3] = centre - STEP_MM * (np.array(BLOCK_SHAPE) - 1) / 2
    return Grid(BLOCK_SHAPE, affine, float(STEP_MM[2]))


def occluded(collaterals: str) -> Patient:
    drawn = (draw_patient(seed) for seed in range(4000, 9000))
    first = next(p for p in drawn if p.stroke.site == "M1" and p.stroke.clot_length_mm > 10)
    return first.with_stroke(collaterals=collaterals, clot_contrast_hu=12.0, side="left")


def inside(labels: np.ndarray, name: str) -> np.ndarray:
    """Voxels in the middle of a vessel, where there is no partial volume."""
    return ndimage.binary_erosion(labels == ARTERY_LABELS[name], structure=np.ones((3, 3, 1)))


def test_arteries_have_their_hu_and_branches_less():
    found, drawn = [], []
    for seed in (1, 2, 3):
        scene = scene_of(draw_patient(seed).without_deficit())
        grid = block(scene)
        hu, _ = noise_free_cta(scene, grid, CTA_PROTOCOL)
        labels = artery_labels(scene, grid)
        traits = scene.patient.attenuation
        assert np.median(hu[inside(labels, "M1")]) == pytest.approx(traits.arterial_hu, rel=0.03)
        branches = np.isin(labels, [ARTERY_LABELS[n] for n in ("M2-sup", "M2-inf")])
        expected = traits.blood_hu + 0.85 * (traits.arterial_hu - traits.blood_hu)
        assert np.percentile(hu[branches], 90) == pytest.approx(expected, rel=0.06)
        found.append(np.median(hu[labels == ARTERY_LABELS["M1"]]))
        thin = np.isin(labels, [ARTERY_LABELS[n] for n in ("MCA cortical", "perforator")])
        assert np.median(hu[thin]) < np.median(hu[branches])  # partial volume
    traits_drawn = [draw_attenuation(seed, 70.0) for seed in range(400)]
    drawn = [t.arterial_hu for t in traits_drawn]
    assert np.mean(drawn) == pytest.approx(350, abs=15)
    assert np.std(drawn) == pytest.approx(70, abs=10)
    assert 0.09 < min(t.venous_share for t in traits_drawn) < max(t.venous_share for t in traits_drawn) < 0.41


def test_the_clot_is_a_gap_and_collaterals_say_what_lies_beyond():
    beyond = {}
    for collaterals in ("poor", "middle", "good"):
        scene = scene_of(occluded(collaterals))
        well = scene_of(scene.patient.without_deficit())
        grid = block(scene)
        labels = artery_labels(scene, grid)
        assert np.array_equal(labels, artery_labels(well, grid))  # anatomy, filled or not
        hu, healthy = (noise_free_cta(s, grid, CTA_PROTOCOL)[0] for s in (scene, well))
        left = (np.arange(BLOCK_SHAPE[0]) * STEP_MM[0] + grid.affine[0, 3] < scene.patient.head.offset_mm[0])[
            :, None, None
        ]
        m1 = inside(labels, "M1")
        gap = m1 & (hu < 75)
        assert gap.sum() > 20
        assert not (gap & ~left).any()
        clot_hu = scene.patient.attenuation.blood_hu + 12.0
        assert np.median(hu[gap]) == pytest.approx(clot_hu, abs=4)
        distal = np.isin(labels, [ARTERY_LABELS[n] for n in ("M2-sup", "M2-inf")]) & left & (healthy > 200)
        other = np.isin(labels, [ARTERY_LABELS[n] for n in ("M2-sup", "M2-inf")]) & ~left & (healthy > 200)
        blood = scene.patient.attenuation.blood_hu
        beyond[collaterals] = np.median((hu[distal] - blood) / (healthy[distal] - blood))
        assert np.abs(hu[other] - healthy[other]).max() < 1e-2
    assert beyond == pytest.approx({"poor": 0.2, "middle": 0.5, "good": 0.8}, abs=0.06)


def test_grey_matter_blushes_by_its_blood_volume_and_the_core_less():
    scene = scene_of(occluded("poor"))
    fields, tissue = scene.haemodynamics, scene.tissue
    blush = blush_hu(scene) * (350 - 41) / (scene.patient.attenuation.arterial_hu - scene.patient.attenuation.blood_hu)
    healthy = (fields.rcbf > 0.98) & (fields.delay_s < 0.5)
    assert 4.5 < blush[healthy & (tissue.grey > 0.9)].mean() < 8.5
    assert blush[healthy & (tissue.white > 0.9)].mean() < 0.75 * blush[healthy & (tissue.grey > 0.9)].mean()
    core = (fields.core > 0.9) & (tissue.grey > 0.8)
    assert blush[core].mean() < 0.7 * blush[healthy & (tissue.grey > 0.8)].mean()


def test_the_thin_pair_shares_one_grid_and_only_the_cta_is_bright_in_arteries():
    patient = draw_patient(5)
    scene = scene_of(patient.without_deficit())
    full = thin_pair_grid(patient)
    assert full.spacing == pytest.approx([0.67, 0.67, 1.25])
    assert full.shape[:2] == (320, 320)
    grid = block(scene)
    labels = artery_labels(scene, grid)
    ncct, _ = noise_free_ncct(scene, grid, CTA_PROTOCOL)
    cta, _ = render_cta(scene, grid, CTA_PROTOCOL, 1)
    clean, _ = noise_free_cta(scene, grid, CTA_PROTOCOL)
    blood = patient.attenuation.blood_hu
    m1 = inside(labels, "M1")
    assert np.median(ncct[m1]) == pytest.approx(blood, abs=3)
    assert np.median(clean[m1] - ncct[m1]) == pytest.approx(patient.attenuation.arterial_hu - blood, rel=0.03)
    assert {ARTERY_LABELS[n] for n in ("ICA", "M1", "M2-sup", "basilar")} <= set(np.unique(labels).tolist())
    noise = (cta - clean)[(clean > 0) & (clean < 60)]
    assert 5 < noise.std() < 14


def test_old_siphons_are_calcified_and_young_ones_rarely():
    share = {
        age: np.mean([any(draw_attenuation(seed, age).plaque_mm) for seed in range(600)]) for age in (40.0, 65.0, 85.0)
    }
    assert share[40.0] < 0.15
    assert share[40.0] + 0.2 < share[65.0] < share[85.0] - 0.15
