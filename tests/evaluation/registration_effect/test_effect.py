"""The study of what wrong registrations cost: cases wrong by as much as is said, then corrected, then compared."""

import numpy as np
import pytest

from perfusynth.evaluation.registration_effect.cases import correct, write_misregistered
from perfusynth.evaluation.registration_effect.study import FIGURES, MODELS, table
from perfusynth.phantom.patient import draw_patient
from perfusynth.phantom.render import RenderedCase
from perfusynth.volumes.case_registration import earlier_registrations, left_out, read_registration


def drawn(seed: int) -> RenderedCase:
    """Boxes in place of a patient."""
    brain = np.zeros((40, 40, 10), dtype=np.float32)
    brain[8:32, 8:32, 2:8] = 1
    volumes = {"ncct": 30 * brain - 1000 * (1 - brain), "brain": brain, "tmax": 2 * brain, "cbf": 40 * brain}
    affine = np.diag([4.0, 4.0, 10.0, 1.0])
    affine[:3, 3] = (-78, -78, -45)
    return RenderedCase(volumes, affine, draw_patient(seed), None, None)


def errors_mm(matrix: np.ndarray) -> np.ndarray:
    """How far points of the brain are from where they belong: the truth is the identity."""
    points = np.random.default_rng(0).uniform(-45, 45, (300, 3)) * [1, 1, 0.6]
    return np.linalg.norm(points @ matrix[:3, :3].T + matrix[:3, 3] - points, axis=1)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_registrations_are_wrong_by_millimetres_and_right_after_correction(tmp_path, seed):
    folder = tmp_path / str(seed)
    write_misregistered(folder, seed, drawn)
    wrong = read_registration(folder)
    assert 4 < errors_mm(wrong.fixed_to_moving).mean() < 15
    assert left_out(wrong) is None  # it passes for right
    for _ in range(2):  # a second run changes nothing
        write_misregistered(folder, seed, drawn)
        correct(folder, seed)
    right = read_registration(folder)
    assert right.verdict == "corrected"
    assert errors_mm(right.fixed_to_moving).max() < 1.5
    (earlier,) = earlier_registrations(folder)
    np.testing.assert_array_equal(earlier.fixed_to_moving, wrong.fixed_to_moving)


def test_the_table_shows_both_models_side_by_side():
    figures = {
        model: {
            group: {name: {"value": value, "low": value - 0.1, "high": value + 0.1, "n": 9} for _, name, _ in FIGURES}
            for group in ("errors", "overlap")
        }
        for model, value in zip(MODELS, (2.0, 1.5), strict=True)
    }
    apart = {name: {"value": -0.5, "low": -0.7, "high": -0.3, "n": 9} for _, name, _ in FIGURES}
    lines = table({"methods": figures, "differences": {MODELS[1]: {MODELS[0]: apart}}}).splitlines()
    assert len(lines) == 2 + len(FIGURES)
    assert lines[2].endswith("| 2 (1.9 to 2.1) | 1.5 (1.4 to 1.6) | -0.5 (-0.7 to -0.3) |")
