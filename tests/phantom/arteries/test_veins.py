"""Veins lie where they should: sinuses in the midline and on the surface, connected, dominance in their calibres."""

import dataclasses

import numpy as np

from perfusynth.phantom.arteries.courses import ARTERY_LABELS
from perfusynth.phantom.arteries.veins import VEIN_LABELS, veins_of
from perfusynth.phantom.head.atlas import atlas
from perfusynth.phantom.lattice import BRAIN, sample
from perfusynth.phantom.patient import draw_patient


def test_superior_sagittal_sinus_follows_the_vault_in_the_midline():
    for seed in range(5):
        tree = veins_of(draw_patient(seed))
        sinus = tree.segments[tree.index("superior sagittal sinus", "midline")]
        line = sinus.points[15:-5]
        assert np.abs(line[:, 0]).max() < 6
        depth = sample(atlas().depth, BRAIN, line.T)
        assert depth.max() < 0.5
        assert depth.min() > -6
        assert 5.5 < 2 * sinus.radii_mm[10] < 9.5


def test_veins_drain_into_one_another():
    for seed in range(3):
        segments = veins_of(draw_patient(seed)).segments
        for segment in segments:
            if segment.parent >= 0:
                gap = np.linalg.norm(segments[segment.parent].points - segment.points[0], axis=1).min()
                assert gap < 1.5, segment.name


def test_the_dominant_transverse_sinus_is_the_wider():
    patient = draw_patient(0)
    right = dataclasses.replace(patient.arteries, transverse_calibre=(0.5, 1.0))
    tree = veins_of(dataclasses.replace(patient, arteries=right))
    width = {s: tree.segments[tree.index("transverse sinus", s)].radii_mm.mean() for s in ("left", "right")}
    assert width["right"] > 1.4 * width["left"]


def test_deep_veins_are_deep():
    tree = veins_of(draw_patient(1))
    for name in ("vein of Galen", "internal cerebral vein"):
        line = tree.segments[tree.index(name, "left")].points
        assert sample(atlas().depth, BRAIN, line.T).max() < -25, name
    assert not set(VEIN_LABELS.values()) & set(ARTERY_LABELS.values())
