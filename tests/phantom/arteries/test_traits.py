"""Variants of the circle of Willis are as frequent as published."""

import numpy as np
import pytest

from perfusynth.phantom.arteries.traits import ArteryTraits, draw_arteries

PATIENTS = 4000


@pytest.fixture(scope="module")
def drawn() -> list[ArteryTraits]:
    return [draw_arteries(seed) for seed in range(PATIENTS)]


def close(share: float, published: float, of: int = PATIENTS) -> bool:
    return abs(share - published) < 3.3 * np.sqrt(published * (1 - published) / of)


def test_hypoplastic_a1_17_6_percent_absent_0_4_percent_on_one_side(drawn):
    a1 = np.array([t.a1_calibre for t in drawn])
    assert close((a1.min(axis=1) == 0).mean(), 0.004)
    assert close(((a1.min(axis=1) > 0) & (a1.min(axis=1) < 0.6)).mean(), 0.176)
    assert (a1.max(axis=1) == 1).all()
    lesser_left = (a1[:, 0] < 1).sum() / (a1.min(axis=1) < 1).sum()
    assert close(lesser_left, 0.5, of=int((a1.min(axis=1) < 1).sum()))


def test_fetal_pca_37_percent_with_partial_ones(drawn):
    fetal = np.array([t.fetal for t in drawn]).max(axis=1)
    assert close((fetal > 0).mean(), 0.37)
    assert close((fetal == 1).mean(), 0.10)


def test_pcoa_below_1_mm_44_percent(drawn):
    pcoa = np.array([t.pcoa_mm for t in drawn])
    assert close((pcoa < 1).mean(), 0.44, of=PATIENTS)
    fetal = np.array([t.fetal for t in drawn])
    assert pcoa[fetal > 0].min() > pcoa[fetal == 0].max() - 1e-9, "a fetal PCA hangs on a wide PCoA"


def test_right_transverse_sinus_is_usually_the_larger(drawn):
    left, right = np.array([t.transverse_calibre for t in drawn]).T
    assert 0.6 < (right > left).mean() < 0.7


def test_the_same_seed_gives_the_same_traits():
    assert draw_arteries(11) == draw_arteries(11) != draw_arteries(12)
