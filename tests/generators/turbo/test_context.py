"""The whole-head context: every slab hears of every other, no head of another, and the maps follow it."""

import pytest
import torch

from perfusynth.generators.turbo.context import Context, ContextConfig, ContextNetwork
from perfusynth.generators.turbo.network import TurboConfig, TurboNetwork
from tests.generators.tiny import NETWORK


@pytest.fixture(scope="module")
def network() -> ContextNetwork:
    torch.manual_seed(0)
    return ContextNetwork(ContextConfig(windows=[(8, 56)], stem_channels=[8], channels=[8, 8, 8]), maps=2).eval()


def heads(count: int, slabs: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    brain = torch.zeros(count, 1, 32, 48, slabs)
    brain[:, :, 4:28, 8:40] = 1
    return torch.rand(count, 1, 32, 48, slabs, generator=generator) * brain, brain


def test_a_context_has_every_slab_of_every_head_on_its_own_grid(network):
    found = network(*heads(2, 10))
    assert found.features.shape == (20, 8, 8, 12)
    assert found.maps.shape == (20, 2, 8, 12)
    assert found.logit.shape == (20, 1, 8, 12)


def test_a_slab_hears_of_one_far_away(network):
    images, brain = heads(1, 20)
    images.requires_grad_()
    network(images, brain).logit[18].sum().backward()
    assert images.grad[..., 1].abs().max() > 0


def test_a_head_is_seen_alike_alone_and_beside_a_taller_one(network):
    images, brain = heads(2, 30)
    images[0, ..., 20:], brain[0, ..., 20:] = 0, 0
    together = network(images, brain)
    alone = network(images[:1, ..., :20], brain[:1, ..., :20])
    for one, other in zip(alone, together, strict=True):
        torch.testing.assert_close(one, other[:20], rtol=0, atol=1e-4)


def test_where_the_brain_lies_is_told_whatever_the_field_of_view(network):
    _, brain = heads(1, 8)
    places = network._places(brain)[:, :3]
    inside = brain[:, :, ::4, ::4].expand_as(places) > 0
    assert places[inside].view(3, -1).mean(1).abs().max() < 1e-4
    moved = network._places(brain.roll(4, 3))[:, :3]
    torch.testing.assert_close(moved[:, :, :, 1:], places[:, :, :, :-1], rtol=0, atol=1e-4)


def test_the_maps_follow_the_context():
    torch.manual_seed(0)
    network = TurboNetwork(TurboConfig.model_validate(NETWORK)).eval()
    images = torch.rand(2, 4, 32, 48)
    nothing = Context(torch.zeros(2, 8, 8, 12), torch.zeros(2, 2, 8, 12), torch.zeros(2, 1, 8, 12))
    told = nothing._replace(maps=torch.full((2, 2, 8, 12), 0.25))
    with torch.no_grad():
        torch.testing.assert_close(network(images, told), network(images, nothing) + 0.25)
        other = network(images, nothing._replace(features=torch.ones(2, 8, 8, 12)))
    assert (other - network(images, nothing)).abs().max() > 1e-4
