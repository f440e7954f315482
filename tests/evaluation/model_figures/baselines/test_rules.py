"""The untrained rules on heads whose findings were put there by hand."""

from dataclasses import replace

import numpy as np
import pytest

from perfusynth.errors import InputError
from perfusynth.evaluation.information_ceiling.visible import brain_voxels
from perfusynth.evaluation.model_figures.baselines import fit as of_fit
from perfusynth.evaluation.model_figures.baselines.findings import artery_names, findings_of
from perfusynth.evaluation.model_figures.baselines.fit import read_baselines, shipped_baselines, write_baselines
from perfusynth.evaluation.model_figures.baselines.rules import rules
from perfusynth.evaluation.model_figures.baselines.template import of_brain_voxels, on_grid, place
from perfusynth.evaluation.model_figures.case import EvaluationCase, centre_plane
from perfusynth.evaluation.model_figures.names import CONSTANT, INCIDENCE, MIRRORED, SIGN_ONLY
from perfusynth.phantom.arteries.tree import nominal_tree
from perfusynth.phantom.lattice import BRAIN_COARSE, sample

SHAPE, STEP = (80, 96, 34), np.array([2.4, 2.4, 5.0])
MOVED_MM, SIZE = np.array([5.0, -8.0, 12.0]), 1.05


def _mni(affine: np.ndarray) -> np.ndarray:
    """MNI mm of the voxels of a template that was moved and enlarged, ``(3, n)``."""
    points = affine[:3, :3] @ np.indices(SHAPE).reshape(3, -1) + affine[:3, 3:]
    return (points - MOVED_MM[:, None]) / SIZE


@pytest.fixture(scope="module")
def plain() -> EvaluationCase:
    """The template's own brain, moved and enlarged, without any finding: 35 HU and noise."""
    affine = np.diag([*STEP, 1.0])
    affine[:3, 3] = MOVED_MM + np.array([0.0, -18.0, 5.0]) - STEP * (np.array(SHAPE) - 1) / 2
    mni = _mni(affine)
    inside = of_brain_voxels(np.ones(brain_voxels().count, dtype=np.float32))
    brain = (sample(inside, BRAIN_COARSE, mni.astype(np.float32)) > 0.5).reshape(SHAPE)
    hu = 35 + np.random.default_rng(1).normal(0, 2, SHAPE)
    return EvaluationCase(
        "1",
        {"ncct": hu.astype(np.float32)},
        brain,
        {},
        np.ones(SHAPE, bool),
        affine,
        centre_plane(brain, affine),
        "model",
    )


def _with(case: EvaluationCase, hu: np.ndarray) -> EvaluationCase:
    return replace(case, inputs={"ncct": case.inputs["ncct"] + hu.astype(np.float32)})


def _dark(case: EvaluationCase, *, right: bool) -> EvaluationCase:
    """A dark middle cerebral territory on one side."""
    x, y, z = _mni(case.affine).reshape(3, *SHAPE)
    lateral = x if right else -x
    return _with(case, -6.0 * ((lateral > 22) & (np.abs(y + 10) < 30) & (np.abs(z - 15) < 30)))


def _made(case: EvaluationCase, name: str):
    return next(rule for rule in rules(shipped_baselines()) if rule.name == name)(case)


def _right_share(case: EvaluationCase, region: np.ndarray) -> float:
    right = case.midplane.right_of(SHAPE, case.affine)
    return np.count_nonzero(region & right) / np.count_nonzero(region)


def test_the_template_is_laid_where_the_head_is(plain):
    found = place(plain.brain, plain.affine)
    points = plain.affine[:3, :3] @ np.stack(np.nonzero(plain.brain)) + plain.affine[:3, 3:]
    expected = (points - MOVED_MM[:, None]) / SIZE
    assert np.linalg.norm(found.to_template(points) - expected, axis=0).max() < 3


def test_a_turned_head_is_turned_back(plain):
    angle = np.deg2rad(8)
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    points = plain.affine[:3, :3] @ np.stack(np.nonzero(plain.brain)) + plain.affine[:3, 3:]
    still = place(plain.brain, plain.affine).to_template(points)
    turned = place(plain.brain, turn @ plain.affine).to_template(turn[:3, :3] @ points)
    assert np.linalg.norm(turned - still, axis=0).max() < 2


def test_values_of_the_template_are_found_at_their_voxels(plain):
    right = of_brain_voxels(brain_voxels().right)
    found = on_grid(right, BRAIN_COARSE, place(plain.brain, plain.affine), plain.brain, plain.affine)
    x = _mni(plain.affine)[0].reshape(SHAPE)[plain.brain]
    # At the very edge of the brain the nearest voxel of the template may lie outside its own.
    assert found[x > 8].mean() > 0.98
    assert found[x < -8].max() == 0


@pytest.mark.parametrize("right", [True, False])
def test_the_incidence_map_goes_to_the_darker_side(plain, right):
    case = _dark(plain, right=right)
    region = _made(case, INCIDENCE).region
    assert (findings_of(case).right_is_darker > 0) == right
    assert _right_share(case, region) == pytest.approx(float(right), abs=0.03)


@pytest.mark.parametrize("right", [True, False])
def test_the_darker_side_is_given_the_longer_tmax(plain, right):
    made = _made(_dark(plain, right=right), MIRRORED)
    region = (made.maps["tmax"] > 6) & plain.brain
    assert np.count_nonzero(region) > 500
    assert _right_share(plain, region) == pytest.approx(float(right), abs=0.05)
    assert made.maps["cbf"][region].mean() < made.maps["cbf"][plain.brain & ~region].mean()


def test_signs_only_marks_nothing_without_a_sign_and_dark_tissue_where_it_is(plain):
    assert not _made(plain, SIGN_ONLY).region.any()
    region = _made(_dark(plain, right=False), SIGN_ONLY).region
    assert _right_share(plain, region) < 0.1


def test_a_dense_artery_is_seen_on_its_side(plain):
    tree = nominal_tree()
    line = tree.segments[tree.index("M1", "right")].points
    mni = _mni(plain.affine).reshape(3, *SHAPE)
    near = np.zeros(SHAPE, dtype=bool)
    for point in line:
        near |= ((mni[:2] - point[:2, None, None, None]) ** 2).sum(axis=0) + ((mni[2] - point[2]) / 2) ** 2 < 3.5**2
    case = _with(plain, 20.0 * (near & plain.brain))
    found = findings_of(case).artery
    at = artery_names().index("M1")
    assert found[at] > 5
    region = _made(case, SIGN_ONLY).region
    assert _right_share(plain, region) > 0.9


def test_the_constant_map_is_constant(plain):
    fit = read_baselines(shipped_baselines())
    made = _made(plain, CONSTANT)
    assert np.unique(made.maps["tmax"]) == pytest.approx(fit.normal_tmax_s)
    assert 1 < fit.normal_tmax_s < 4


def test_the_shipped_fit_saw_training_patients_only():
    seeds = read_baselines(shipped_baselines()).seeds
    assert len(seeds) >= 300
    assert seeds.min() >= 1_000_000
    assert seeds.max() < 2_000_000


def test_a_fit_is_read_as_it_was_written_and_not_for_another_phantom(tmp_path, monkeypatch):
    fit = read_baselines(shipped_baselines())
    write_baselines(tmp_path / "fit.npz", fit)
    again = read_baselines(tmp_path / "fit.npz")
    for name, value in vars(fit).items():
        assert np.array_equal(getattr(again, name), value), name
    monkeypatch.setattr(of_fit, "parameter_hash", lambda: "0" * 64)
    with pytest.raises(InputError) as caught:
        read_baselines(tmp_path / "fit.npz")
    assert caught.value.code == "other_phantom"
