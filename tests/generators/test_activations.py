"""How a head looks to a network is overheard: no pass more, no map changed, whatever the batches are."""

import numpy as np
import pytest
import torch

from perfusynth.generators.activations import FEATURES_MAXIMUM, Activations, heard
from perfusynth.generators.bundles import read_bundle
from perfusynth.generators.head_statistics import STATISTICS
from perfusynth.generators.loading import load_generator
from tests.generators.tiny import write_tiny_bundle


@pytest.fixture(scope="module")
def generator(tmp_path_factory):
    return load_generator(read_bundle(write_tiny_bundle(tmp_path_factory.mktemp("b") / "tiny")), device="cpu")


@pytest.fixture(scope="module")
def head() -> tuple[dict[str, np.ndarray], np.ndarray]:
    x, y, z = np.meshgrid(*(np.arange(n) - n / 2 + 0.5 for n in (192, 192, 7)), indexing="ij")
    brain = (x / 30) ** 2 + (y / 36) ** 2 + (z / 4) ** 2 < 1
    ncct = np.where(brain, 35 + np.random.default_rng(0).normal(0, 3, brain.shape), -1024).astype(np.float32)
    return {"ncct": ncct}, brain


def test_features_are_the_layers_means_and_cost_no_pass(generator, head):
    passes, means = [], []
    hooks = [
        generator.network.register_forward_hook(lambda *_: passes.append(1)),
        generator.network.unet.mid_block.register_forward_hook(lambda _m, _i, out: means.append(out)),
    ]
    plain = generator.on_model_grid(*head)
    alone = len(passes)
    all_slabs = torch.cat(means)
    made, view = generator.observe(*head)
    for hook in hooks:
        hook.remove()
    assert len(passes) == 2 * alone
    for name, array in plain.items():
        np.testing.assert_array_equal(made[name], array)
    np.testing.assert_allclose(view.features, all_slabs.mean(dim=(0, 2, 3)).numpy(), rtol=1e-5)
    assert view.features.std() > 0
    assert list(view.statistics) == list(STATISTICS)
    assert not generator.network.unet.mid_block._forward_hooks


def test_features_do_not_depend_on_how_slabs_are_batched(generator, head, monkeypatch):
    _, whole = generator.observe(*head)
    monkeypatch.setattr(generator.execution, "batch_slabs", 3)
    _, parts = generator.observe(*head)
    np.testing.assert_allclose(parts.features, whole.features, rtol=1e-5)


def test_a_wide_layer_gives_as_many_numbers_as_a_covariance_can_bear():
    activations = Activations()
    activations.hear(torch.arange(1280.0)[None, :, None, None].expand(2, -1, 3, 3))
    features = activations.features()
    assert len(features) == FEATURES_MAXIMUM
    np.testing.assert_allclose(features, np.arange(1280.0).reshape(FEATURES_MAXIMUM, -1).mean(axis=1))


def test_a_family_without_such_a_layer_gives_no_features():
    with heard(None) as activations:
        pass
    assert activations.features().shape == (0,)
