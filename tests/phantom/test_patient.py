"""What is drawn for a patient: deterministic, plain JSON, and the twin who was never ill."""

import json

import numpy as np
import pytest

from perfusynth.phantom.head.pose import HEAD_CENTRE, placement_of
from perfusynth.phantom.patient import draw_patient


def test_the_same_seed_gives_the_same_patient_and_another_seed_another():
    assert draw_patient(11) == draw_patient(11)
    first, other = draw_patient(11).as_dict(), draw_patient(12).as_dict()
    assert all(first[part] != other[part] for part in first)


def test_everything_drawn_is_plain_json():
    for patient in map(draw_patient, range(50)):
        assert json.loads(json.dumps(patient.as_dict(), allow_nan=False)) == patient.as_dict()


def test_the_deficit_free_twin_differs_in_the_stroke_only():
    patient = next(p for p in map(draw_patient, range(100)) if p.stroke.site == "M1")
    twin = patient.without_deficit()
    assert {part for part, value in patient.as_dict().items() if value != twin.as_dict()[part]} == {"stroke"}
    assert twin.stroke.nwu_percent == twin.stroke.clot_contrast_hu == twin.stroke.swelling == 0


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
