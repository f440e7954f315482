"""What is said to be visible against what a rendered NCCT shows; the observer's noise."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

from perfusynth.evaluation.information_ceiling import arteries, regions
from perfusynth.evaluation.information_ceiling.measurement import measure
from perfusynth.evaluation.information_ceiling.observer import Observer, observer_of
from perfusynth.evaluation.information_ceiling.sign import SignCuts, sign_cuts, sign_of
from perfusynth.evaluation.information_ceiling.visible import (
    ARTERY,
    MIRROR,
    NAMES,
    PART_COUNT,
    PIECE_COUNT,
    TISSUE,
    mirrored_parts,
    visible_parts,
)
from perfusynth.phantom.patient import Patient, draw_patient
from perfusynth.phantom.stroke.coarse import coarse_deficit


def white_observer(sd: float = 1.0) -> Observer:
    gain = np.kron(np.eye(PIECE_COUNT), np.full(PART_COUNT // PIECE_COUNT, 0.5 / (PART_COUNT // PIECE_COUNT)))
    return Observer(np.zeros(len(NAMES)), sd**2 * np.eye(len(NAMES)), gain)


def a_stroke(**changes: object) -> Patient:
    seeds = range(5_000_000, 5_001_000)
    patient = next(p for p in map(draw_patient, seeds) if p.stroke.site == "M1" and p.stroke.core_target_ml > 60)
    return patient.with_stroke(reperfused=0.0, **changes)


def test_regions_cover_the_brain_symmetrically():
    rng = np.random.default_rng(0)
    points = rng.uniform((-60, -90, -40), (60, 60, 60), (5000, 3)).T
    labels, mirrored = (regions.region_labels(sign * points[0], points[1], points[2]) for sign in (1, -1))
    assert np.array_equal(regions.MIRROR[labels], mirrored)
    assert set(labels) == set(range(len(regions.NAMES)))
    named = {name: regions.region_labels(*np.array([xyz]).T)[0] for name, xyz in PLACES.items()}
    assert {name: regions.NAMES[label] for name, label in named.items()} == {name: name for name in PLACES}


#: Where textbooks put them, MNI mm; left is x < 0.
PLACES = {
    "lentiform left": (-26.0, 0.0, 0.0),
    "caudate right": (13.0, 14.0, 10.0),
    "thalamus left": (-10.0, -18.0, 8.0),
    "insula right": (40.0, 2.0, 2.0),
    "M2 left": (-62.0, -10.0, 5.0),
    "M5 right": (50.0, -10.0, 40.0),
    "M6 right": (45.0, -55.0, 45.0),
    "ACA left": (-6.0, 40.0, 30.0),
    "PCA right": (10.0, -85.0, 5.0),
    "cerebellum left": (-25.0, -65.0, -40.0),
    "brainstem": (0.0, -26.0, -30.0),
}


def test_the_rendered_image_shows_what_the_bank_says():
    """Within a third: the bank knows typical tissue, the image this patient's."""
    ill = a_stroke(clot_contrast_hu=14.0, nwu_percent=14.0, swelling=0.4, clot_length_mm=18.0)
    seen, twin = measure(ill), measure(ill.without_deficit())
    difference = seen.values - twin.values
    expected = replace(white_observer(), gain=twin.gain).summaries(visible_parts(ill, coarse_deficit(ill)))
    for kind in (TISSUE, ARTERY):
        strong = np.abs(expected[kind]) > 0.8 * np.abs(expected[kind]).max()
        assert np.abs(expected[kind]).max() > 1
        assert np.all(np.abs(difference[kind][strong] / expected[kind][strong] - 1) < 0.34)
    assert np.corrcoef(difference, expected)[0, 1] > 0.85
    contralateral = [n for n, name in enumerate(NAMES) if ill.stroke.side not in name and "midline" not in name]
    contralateral = [n for n in contralateral if "brainstem" not in NAMES[n]]
    assert np.abs(difference[contralateral]).max() < 0.5


def test_without_a_deficit_the_image_is_the_twins():
    well = draw_patient(11).without_deficit()
    invisible = a_stroke(clot_contrast_hu=0.0, nwu_percent=0.0, swelling=0.0, isolated_swelling=False)
    assert np.all(visible_parts(well, coarse_deficit(well)) == 0)
    assert np.all(visible_parts(invisible, coarse_deficit(invisible)) == 0)


def test_a_clot_is_in_its_own_artery():
    for seed in range(5_000_000, 5_000_040):
        patient = draw_patient(seed)
        shares = arteries.clot_shares(patient)
        if patient.stroke.site == "none":
            assert np.all(shares == 0)
            continue
        filled = {name for name, row in zip(arteries.piece_names(), shares, strict=True) if row.any()}
        assert any(name.startswith(patient.stroke.site) for name in filled)
        if patient.stroke.side != "both":
            assert all(patient.stroke.side in name for name in filled)
        assert shares.max() <= 1 + 1e-9


def test_the_observers_noise_is_that_of_what_he_saw():
    rng = np.random.default_rng(0)
    n, size = 4000, len(NAMES)
    common, own = rng.standard_normal((n, 1)) * 2, rng.standard_normal((n, size))
    values = 30 + common + own
    observer = observer_of(values, np.broadcast_to(white_observer().gain, (n, PIECE_COUNT, PART_COUNT)))
    assert observer.mean == pytest.approx(30, abs=0.2)
    assert np.diag(observer.covariance) == pytest.approx(5, abs=0.5)
    assert observer.covariance[0, 5] == pytest.approx(4, abs=0.4)
    assert np.allclose(observer.covariance, observer.covariance[np.ix_(MIRROR, MIRROR)])
    white = observer.whitened(values - observer.mean)
    assert np.cov(white.T) == pytest.approx(np.eye(size), abs=0.2)
    # What all share (a scanner's offset) is no evidence; what one alone has is, by its own noise.
    assert np.abs(observer.evidence(np.full((1, size), 5.0), np.eye(size))).max() < 0.5
    alone = 3 * np.eye(size)[[ARTERY.start]]
    assert observer.evidence(alone, np.eye(size))[0, ARTERY.start] == pytest.approx(3, abs=0.2)


def test_signs_have_the_specificity_of_their_cuts():
    rng = np.random.default_rng(1)
    observer = white_observer(sd=0.4)
    cuts = sign_cuts(observer, 0.4 * rng.standard_normal((4000, len(NAMES))))
    # The largest of the pieces' independent deviations is a lower bound; with the whole arteries there are more.
    pieces, patterns = len(NAMES) - ARTERY.start, len(cuts.clot_hu)
    low, high = norm.ppf(0.95 ** (1 / pieces)), norm.ppf(0.95 ** (1 / patterns))
    assert low - 0.08 < cuts.clot < high + 0.08
    assert cuts.clot_hu["M1 left 1/2"] == pytest.approx(0.4 * cuts.clot, abs=0.01)
    assert cuts.core_hu["MCA together right"] == pytest.approx(0.4 * cuts.core / np.sqrt(8), abs=0.01)
    ill = a_stroke(clot_contrast_hu=15.0, nwu_percent=18.0, clot_length_mm=20.0)
    for changes, seen in (
        ({}, {"clot": True, "core": True}),
        ({"clot_contrast_hu": 0.0}, {"clot": False, "core": True}),
        ({"nwu_percent": 0.0, "swelling": 0.0, "isolated_swelling": False}, {"clot": True, "core": False}),
    ):
        patient = ill.with_stroke(**changes)
        assert sign_of(visible_parts(patient, coarse_deficit(patient)), observer, cuts) == seen
    none = ill.without_deficit()
    nothing = sign_of(visible_parts(none, coarse_deficit(none)), observer, SignCuts(0.1, 0.1, {}, {}))
    assert nothing == {"clot": False, "core": False}


def test_mirrored_patients_show_mirrored_summaries():
    ill = a_stroke(clot_contrast_hu=14.0, nwu_percent=14.0)
    parts = visible_parts(ill, coarse_deficit(ill))[None]
    observer = white_observer()
    assert np.allclose(observer.summaries(mirrored_parts(parts)), observer.summaries(parts)[:, MIRROR])
