"""What is drawn for a patient: deterministic, plain JSON, and distributed as published."""

import json

import numpy as np
import pytest

from perfusynth.phantom.head.pose import HEAD_CENTRE, placement_of
from perfusynth.phantom.patient import Patient, draw_patient


@pytest.fixture(scope="module")
def patients() -> list[Patient]:
    return [draw_patient(seed) for seed in range(2000)]


def test_the_same_seed_gives_the_same_patient_and_another_seed_another():
    assert draw_patient(11) == draw_patient(11)
    assert draw_patient(11) != draw_patient(12)


def test_everything_drawn_is_plain_json(patients: list[Patient]):
    for patient in patients[:50]:
        assert json.loads(json.dumps(patient.as_dict(), allow_nan=False)) == patient.as_dict()


def test_a_quarter_has_no_deficit_and_sites_follow_the_published_shares(patients: list[Patient]):
    sites = [p.stroke.site for p in patients]
    assert sites.count("none") / len(sites) == pytest.approx(0.25, abs=0.03)
    ill = len(sites) - sites.count("none")
    for site, share in {"ICA": 0.15, "M1": 0.40, "M2-sup": 0.125, "M2-inf": 0.125, "A2": 0.04, "P2": 0.07}.items():
        assert sites.count(site) / ill == pytest.approx(share, abs=0.03)


def test_left_and_right_are_equally_likely(patients: list[Patient]):
    sides = [p.stroke.side for p in patients if p.stroke.side in ("left", "right")]
    assert sides.count("left") / len(sides) == pytest.approx(0.5, abs=0.04)


def test_onset_to_imaging_has_the_published_quartiles(patients: list[Patient]):
    quartiles = np.percentile([p.stroke.onset_to_imaging_h for p in patients if p.stroke.site != "none"], [25, 50, 75])
    assert quartiles == pytest.approx([3.9, 7.6, 13.2], rel=0.12)


@pytest.mark.parametrize(
    ("site", "median"),
    [("M1", 115), ("M2-sup", 50), ("M2-inf", 50), ("P2", 25), ("basilar", 40)],
)
def test_tmax_volumes_have_the_published_medians(patients: list[Patient], site: str, median: float):
    assert np.median([p.stroke.tmax6_target_ml for p in patients if p.stroke.site == site]) == pytest.approx(
        median, rel=0.25
    )


def test_ica_occlusions_have_the_published_mean_volume(patients: list[Patient]):
    assert np.mean([p.stroke.tmax6_target_ml for p in patients if p.stroke.site == "ICA"]) == pytest.approx(
        131, rel=0.15
    )


def test_core_volumes_have_the_published_distribution(patients: list[Patient]):
    ill = [p for p in patients if p.stroke.site != "none"]
    assert 7 <= np.median([p.stroke.core_target_ml for p in ill]) <= 22
    early = [p.stroke.core_target_ml for p in ill if p.stroke.onset_to_imaging_h < 6]
    late = [p.stroke.core_target_ml for p in ill if p.stroke.onset_to_imaging_h >= 6]
    assert np.mean(np.array(early) > 70) == pytest.approx(0.25, abs=0.10)
    assert np.mean(np.array(late) <= 30) == pytest.approx(0.55, abs=0.10)


def test_net_water_uptake_of_the_core_grows_as_published(patients: list[Patient]):
    def median(low: float, high: float) -> float:
        return float(
            np.median(
                [
                    p.stroke.nwu_percent
                    for p in patients
                    if p.stroke.nwu_percent and low < p.stroke.onset_to_imaging_h < high
                ]
            )
        )

    assert median(2, 4) == pytest.approx(6, abs=2)
    assert median(20, 28) == pytest.approx(22, abs=4)


def test_the_deficit_free_twin_differs_in_the_stroke_only():
    patient = next(p for p in map(draw_patient, range(100)) if p.stroke.site == "M1")
    twin = patient.without_deficit()
    changed = {key for key, value in patient.as_dict().items() if value != twin.as_dict()[key]}
    assert changed <= {
        "site",
        "side",
        "chronic_ica",
        "tmax6_target_ml",
        "core_target_ml",
        "hir_target",
        "nwu_percent",
        "clot_contrast_hu",
    }
    assert twin.stroke.nwu_percent == twin.stroke.clot_contrast_hu == 0


@pytest.mark.parametrize("seed", range(6))
def test_the_warp_is_invertible_and_asymmetric(seed: int):
    placement = placement_of(draw_patient(seed))
    gradient = np.stack([np.stack(np.gradient(w, 6.0)) for w in placement.warp])
    jacobian = np.moveaxis(gradient, (0, 1), (-2, -1)) + np.eye(3)
    assert np.linalg.det(jacobian).min() > 0.1
    inner = placement.warp[:, 5:-5, 5:-5, 5:-5]
    assert 1.5 < inner.std() < 6
    mirrored = inner[:, ::-1] * np.array([-1, 1, 1])[:, None, None, None]
    assert np.abs(inner - mirrored).mean() > 1.0


def test_a_straight_unwarped_head_lies_at_the_template_centre():
    placement = placement_of(draw_patient(3))
    point = placement.to_template(placement.origin[:, None])
    assert np.abs(point[:, 0] - HEAD_CENTRE).max() < 15
