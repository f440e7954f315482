"""Augmentation against places that are known: how far things move, that sides stay together, what depends on what."""

import numpy as np
import pytest

from perfusynth.generators.bundles import read_bundle
from perfusynth.training.config import AugmentationSettings
from perfusynth.training.data.augmentation import Augmentation, in_plane, mirrored, moved, rigid
from perfusynth.training.heads import Head
from tests.generators.tiny import write_tiny_bundle

SPACING = np.array([1.2, 1.2, 5.0])
SHAPE = (64, 72, 12)
NOTHING = dict.fromkeys(AugmentationSettings.model_fields, 0)


@pytest.fixture(scope="module")
def spec(tmp_path_factory):
    return read_bundle(write_tiny_bundle(tmp_path_factory.mktemp("bundle") / "tiny", weights=False)).spec


def positions() -> np.ndarray:
    """mm from the middle of the grid, ``(x, y, z, 3)``."""
    index = np.stack(np.meshgrid(*map(np.arange, SHAPE), indexing="ij"), axis=-1)
    return (index - (np.array(SHAPE) - 1) / 2) * SPACING


def bump_head(at: tuple[float, float, float]) -> Head:
    """A box of a brain with a darker, late place of 6 mm about ``at`` (mm from the middle)."""
    where = positions()
    brain = (np.abs(where) < [32, 36, 26]).all(axis=-1)
    ill = np.exp(-((where - at) ** 2).sum(axis=-1) / (2 * 6.0**2))
    volumes = {"ncct": np.where(brain, 40 - 10 * ill, -1024), "tmax": brain * 10 * ill, "cbf": brain * (60 - 40 * ill)}
    return Head("one", {name: v.astype(np.float32) for name, v in volumes.items()}, brain, np.ones(SHAPE, dtype=bool))


def middle_of(weight: np.ndarray) -> np.ndarray:
    return (positions() * weight[..., None]).sum(axis=(0, 1, 2)) / weight.sum()


def dark(head: Head) -> np.ndarray:
    return np.where(head.brain, np.clip(40 - head.volumes["ncct"], 0, None), 0) ** 2


def late(head: Head) -> np.ndarray:
    return head.volumes["tmax"] ** 2


def test_mirrored_twice_is_the_head_itself():
    head = bump_head((12, 6, 0))
    twice = mirrored(mirrored(head))
    assert all(np.array_equal(twice.volumes[name], head.volumes[name]) for name in head.volumes)
    assert np.array_equal(twice.brain, head.brain)


def test_a_mirrored_head_has_sign_and_deficit_on_the_same_other_side(spec):
    head = bump_head((12, 6, 0))
    other = Augmentation(AugmentationSettings(**NOTHING | {"mirrored_share": 1}), spec)(head, np.random.default_rng(0))
    for of in (dark, late):
        np.testing.assert_allclose(middle_of(of(head)), (12, 6, 0), atol=0.3)
        np.testing.assert_allclose(middle_of(of(other)), (-12, 6, 0), atol=0.3)


def test_a_known_shift_moves_the_maps_by_as_many_mm_and_the_image_not_at_all():
    head = bump_head((10, 5, 0))
    shift = np.array([1.5, -0.9, 1.0])
    new = moved(head, ["ncct"], np.eye(4), rigid(shift, np.zeros(3)), SPACING)
    np.testing.assert_allclose(middle_of(late(new)) - middle_of(late(head)), shift, atol=0.12)
    np.testing.assert_allclose(new.volumes["ncct"], head.volumes["ncct"], atol=1e-3)
    assert np.array_equal(new.brain, head.brain)


def test_a_known_turn_moves_image_and_maps_together():
    head = bump_head((20, 0, 0))
    quarter_of_a_radian = in_plane(0.25, 1.0)
    new = moved(head, ["ncct"], quarter_of_a_radian, quarter_of_a_radian, SPACING)
    wanted = (20 * np.cos(0.25), 20 * np.sin(0.25), 0)
    for of in (dark, late):
        np.testing.assert_allclose(middle_of(of(new)), wanted, atol=0.4)


def test_zooming_makes_the_brain_larger_by_as_much():
    head = bump_head((0, 0, 0))
    new = moved(head, ["ncct"], in_plane(0, 1.08), in_plane(0, 1.08), SPACING)
    assert new.brain.sum() / head.brain.sum() == pytest.approx(1.08**2, rel=0.03)


def test_nothing_bleeds_in_from_outside_the_brain():
    head = bump_head((0, 0, 0))
    motion = rigid(np.array([1.0, 0.7, 1.5]), np.array([0.01, 0.02, 0.03])) @ in_plane(0.05, 0.97)
    new = moved(head, ["ncct"], motion, motion, SPACING)
    assert new.volumes["ncct"][new.brain].min() > 29.9
    assert new.volumes["cbf"][new.brain & new.valid].min() > 19.9
    assert not new.volumes["cbf"][~new.valid].any()
    assert (new.volumes["ncct"][~new.brain] == -1024).all()


def test_maps_that_moved_out_of_the_study_are_not_valid():
    head = bump_head((0, 0, 0))
    half = Head(head.name, head.volumes, head.brain, positions()[..., 2] > 0)
    new = moved(half, ["ncct"], np.eye(4), rigid(np.array([0, 0, 5.0]), np.zeros(3)), SPACING)
    assert ((new.valid & head.brain) == (head.brain & (positions()[..., 2] > 5))).all()


def test_hounsfield_units_change_by_what_is_asked(spec):
    head = bump_head((0, 0, 0))
    new = Augmentation(AugmentationSettings(**NOTHING | {"hu_noise": 2.0}), spec)(head, np.random.default_rng(3))
    added = (new.volumes["ncct"] - head.volumes["ncct"])[head.brain]
    assert 0.05 < added.std() < 2.0
    assert abs(added.mean()) < 0.05
    assert np.array_equal(new.volumes["tmax"], head.volumes["tmax"])
    offset = Augmentation(AugmentationSettings(**NOTHING | {"hu_offset": 2.0}), spec)(head, np.random.default_rng(3))
    assert np.ptp((offset.volumes["ncct"] - head.volumes["ncct"])[head.brain]) < 1e-3


def test_without_any_alteration_the_head_stays_as_it_is(spec):
    head = bump_head((5, 0, 0))
    same = Augmentation(AugmentationSettings(**NOTHING), spec)(head, np.random.default_rng(1))
    assert all(np.array_equal(same.volumes[name], head.volumes[name]) for name in head.volumes)


def test_the_random_generator_alone_decides(spec):
    head, alter = bump_head((12, 6, 0)), Augmentation(AugmentationSettings(), spec)
    one, again, other = (alter(head, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert all(np.array_equal(one.volumes[name], again.volumes[name]) for name in head.volumes)
    assert not np.array_equal(one.volumes["tmax"], other.volumes["tmax"])
