"""Territories: published shares, real infarcts, what each occlusion cuts off, and the circle of Willis."""

import dataclasses

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage

from perfusynth.phantom.arteries.territories import REACH, below_tentorium, occluded_share, territory
from perfusynth.phantom.head.atlas import atlas
from perfusynth.phantom.lattice import BRAIN, BRAIN_COARSE, sample, upsample
from perfusynth.phantom.patient import draw_patient

MCA = ("MCA-sup", "MCA-inf", "LSA")
VERTEBROBASILAR = ("pontine", "SCA", "AICA", "PICA")
#: Real infarcts in MNI space by the territory that their source states; volumes of 2-420 mL.
LESIONS = {
    MCA: (761, 1013, 230, 249, 1171, 1358),
    ("PCA", "thalamic"): (1677, 287, 1306, 1604),
    ("ACA",): (1280, 581),
    VERTEBROBASILAR: (760, 783),
}


@pytest.fixture(scope="module")
def tissue():
    """Brain tissue above the tentorium on `BRAIN_COARSE`, 0-1."""
    depth, csf = (upsample(f, BRAIN, BRAIN_COARSE) for f in (atlas().depth, atlas().csf))
    return (1 - csf) * (depth < 0) * (1 - below_tentorium())


@pytest.fixture(scope="module")
def template_patient():
    """A patient whose vessels do not wander."""
    patient = draw_patient(0)
    return dataclasses.replace(patient, arteries=dataclasses.replace(patient.arteries, course_mm=0.0))


def mean_place(share, tissue):
    weight = share * tissue
    return np.array([float((axis * weight).sum() / weight.sum()) for axis in BRAIN_COARSE.axes()])


def ml(share, tissue):
    return float((share * tissue).sum()) * BRAIN_COARSE.step_mm**3 / 1000


def test_shares_of_the_hemispheres(tissue):
    parts = {
        name: np.mean([(territory(draw_patient(s), (name,)) * tissue).sum() / tissue.sum() for s in range(5)])
        for name in REACH
    }
    assert sum(parts.values()) == pytest.approx(1, abs=0.01)
    assert 0.45 < sum(parts[name] for name in MCA) < 0.60
    assert 0.14 < parts["ACA"] < 0.23
    assert 0.17 < parts["PCA"] + parts["thalamic"] < 0.26
    assert 0.02 < parts["LSA"] < 0.07


def test_territories_cover_the_brain_once(template_patient):
    total = sum(territory(template_patient, (name,)) for name in REACH)
    inside = upsample(atlas().depth, BRAIN, BRAIN_COARSE) < 0
    assert total[inside] == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("names", LESIONS, ids=lambda names: names[0])
def test_real_infarcts_lie_in_their_territory(public_data, template_patient, names):
    field = territory(template_patient, names)
    others = {other: territory(template_patient, other) for other in LESIONS if other != names}
    for number in LESIONS[names]:
        image = nib.load(public_data / "stroke_lesions_mni" / "lesions" / f"bwsrsub-{number}_lesion.nii.gz")
        voxels = np.argwhere(np.asarray(image.dataobj) > 0.5)
        points = (voxels @ image.affine[:3, :3].T + image.affine[:3, 3]).T.astype(np.float32)
        within = float(sample(field, BRAIN_COARSE, points).mean())
        assert within > 0.65, f"{number}: {within:.2f}"
        for other, its in others.items():
            assert float(sample(its, BRAIN_COARSE, points).mean()) < 0.4, (number, other)


def test_the_superior_division_is_frontal_the_inferior_temporal_and_parietal(template_patient, tissue):
    superior, inferior = (mean_place(territory(template_patient, (n,)), tissue) for n in ("MCA-sup", "MCA-inf"))
    assert superior[1] > 0
    assert inferior[1] < -25
    for place, name in (
        ((-44, 30, 18), "MCA-sup"),
        ((-48, -10, 40), "MCA-sup"),
        ((-58, -20, -14), "MCA-inf"),
        ((-46, -58, 36), "MCA-inf"),
        ((-26, 4, 2), "LSA"),
        ((-5, 50, 10), "ACA"),
        ((-6, -20, 60), "ACA"),
        ((-10, -80, 6), "PCA"),
        ((-28, -40, -14), "PCA"),
        ((-10, -20, 6), "thalamic"),
        ((-20, -60, -30), "SCA"),
        ((-20, -66, -54), "PICA"),
        ((-4, -26, -32), "pontine"),
    ):
        field = territory(template_patient, (name,), "left")
        assert sample(field, BRAIN_COARSE, np.array(place, dtype=np.float32)[:, None])[0] > 0.5, (place, name)


def test_borders_vary_by_some_millimetres():
    # Where the border of ACA and MCA crosses a line on the left convexity at y = 10, z = 55.
    x = np.arange(-50, -3, 0.5, dtype=np.float32)
    line = np.stack([x, np.full_like(x, 10), np.full_like(x, 55)])
    crossings = []
    for seed in range(24):
        share = sample(territory(draw_patient(seed), ("ACA",)), BRAIN_COARSE, line)
        crossings.append(x[np.argmin(np.abs(share - 0.5))])
    assert 1.5 < np.std(crossings) < 7
    assert -32 < np.mean(crossings) < -12


@pytest.mark.parametrize(
    ("site", "low", "high"),
    [("M1", 220, 420), ("M2-sup", 90, 260), ("M2-inf", 80, 240), ("A2", 60, 170), ("P2", 60, 170)],
)
def test_an_occlusion_cuts_off_its_side_only(occluded, tissue, site, low, high):
    patient = occluded(site, "left")
    share = occluded_share(patient)
    x = BRAIN_COARSE.axes()[0]
    left, right = ml(share * (x < -3), tissue), ml(share * (x > 3), tissue)
    assert right < 0.03 * left
    assert low < left * np.prod(patient.head.scale) < high
    assert share.dtype == np.float32
    assert 0 <= share.min() <= share.max() <= 1 + 1e-6


def test_nothing_is_cut_off_without_an_occlusion(occluded):
    assert not occluded_share(occluded("M1").without_deficit()).any()


def at(patient, place):
    return float(sample(occluded_share(patient), BRAIN_COARSE, np.array(place, dtype=np.float32)[:, None])[0])


PUTAMEN, MEDIAL_FRONTAL, OCCIPITAL = (-26, 2, 4), (-5, 45, 20), (-10, -84, 6)
OTHER_MEDIAL_FRONTAL, PARIETAL, PONS = (5, 45, 20), (-50, -40, 40), (0, -26, -28)


def test_a_distal_m1_clot_spares_the_perforators(occluded):
    proximal = occluded("M1", clot={"clot_start": 0.0})
    distal = occluded("M1", clot={"clot_start": 0.95})
    assert at(proximal, PUTAMEN) > 0.7
    assert at(distal, PUTAMEN) < 0.3
    assert at(distal, PARIETAL) > 0.95


def test_the_anterior_communicating_artery_saves_the_aca(occluded):
    assert at(occluded("ICA", acoa_mm=1.6), MEDIAL_FRONTAL) < 0.2
    assert at(occluded("ICA", acoa_mm=0.4), MEDIAL_FRONTAL) > 0.8
    alone = occluded("ICA", acoa_mm=1.6, a1_calibre=(1.0, 0.45))
    assert at(alone, MEDIAL_FRONTAL) > 0.6
    assert at(alone, OTHER_MEDIAL_FRONTAL) > 0.6, "the other side hangs on this ICA, too"
    spared = occluded("ICA", acoa_mm=1.6, a1_calibre=(0.45, 1.0))
    assert at(spared, MEDIAL_FRONTAL) < 0.1
    assert at(spared, PARIETAL) > 0.95


def test_a_fetal_pca_is_lost_with_the_ica(occluded):
    long = {"clot_length_mm": 25.0}
    assert at(occluded("ICA", clot=long), OCCIPITAL) < 0.05
    assert at(occluded("ICA", clot=long, fetal=(1.0, 0.0), pcoa_mm=(2.0, 0.5)), OCCIPITAL) > 0.7
    partial = at(occluded("ICA", clot=long, fetal=(0.5, 0.0), pcoa_mm=(2.0, 0.5)), OCCIPITAL)
    assert 0.05 < partial < 0.4


def test_a_wide_pcoa_saves_the_pca_from_the_basilar(occluded):
    whole = {"clot_start": 0.5, "clot_length_mm": 10.0}
    assert at(occluded("basilar", clot=whole), OCCIPITAL) > 0.9
    assert at(occluded("basilar", clot=whole, pcoa_mm=(1.6, 0.5)), OCCIPITAL) < 0.25
    fetal = occluded("basilar", clot=whole, fetal=(1.0, 0.0), pcoa_mm=(2.0, 0.5))
    assert at(fetal, OCCIPITAL) < 0.05
    assert at(occluded("basilar", clot={"clot_start": 0.0, "clot_length_mm": 30.0}), PONS) > 0.8


def test_behind_a_chronic_occlusion_the_anterior_artery_is_not_lost(occluded):
    patient = occluded("M1").without_deficit().with_stroke(mimic="chronic ICA", side="left")
    assert at(patient, MEDIAL_FRONTAL) < 0.1
    assert 0.5 < at(patient, PARIETAL) < 0.9


def test_the_same_patient_has_the_same_territories(occluded):
    assert np.array_equal(occluded_share(occluded("M1")), occluded_share(occluded("M1")))


def test_occlusions_fall_where_real_infarcts_are_frequent(public_data, tissue):
    patients = [p for p in map(draw_patient, range(100)) if p.stroke.site != "none"]
    mine = np.mean([occluded_share(p) for p in patients], axis=0)
    image = nib.load(public_data / "stroke_lesions_mni" / "lesion_mean_1449.nii.gz")
    points = np.stack([np.broadcast_to(a, BRAIN_COARSE.shape).ravel() for a in BRAIN_COARSE.axes()])
    inverse = np.linalg.inv(image.affine)
    incidence = ndimage.gaussian_filter(np.asarray(image.dataobj, dtype=np.float32), 2)
    real = ndimage.map_coordinates(incidence, inverse[:3, :3] @ points + inverse[:3, 3:], order=1).reshape(mine.shape)
    brain = tissue > 0.5
    # Both sides together: the sample of a hundred patients is not even.
    assert np.corrcoef((mine + mine[::-1])[brain], (real + real[::-1])[brain])[0, 1] > 0.6
