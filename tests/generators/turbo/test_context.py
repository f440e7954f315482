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
    return 30 + 8 * torch.randn(count, 1, 32, 48, slabs, generator=generator), brain


def test_a_context_has_every_slab_of_every_head_on_its_own_grid(network):
    found = network(*heads(2, 10))
    assert found.features.shape == (20, 8, 8, 12)
    assert found.maps.shape == (20, 2, 8, 12)
    assert found.logits.shape == (20, 2, 8, 12)


def test_a_slab_hears_of_one_far_away(network):
    images, brain = heads(1, 20)
    images.requires_grad_()
    network(images, brain).logits[18].sum().backward()
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
    nothing = Context(torch.zeros(2, 8, 8, 12), torch.zeros(2, 2, 8, 12), torch.zeros(2, 2, 8, 12))
    told = nothing._replace(maps=torch.full((2, 2, 8, 12), 0.25))
    with torch.no_grad():
        torch.testing.assert_close(network(images, told), network(images, nothing) + 0.25)
        other = network(images, nothing._replace(features=torch.ones(2, 8, 8, 12)))
    assert (other - network(images, nothing)).abs().max() > 1e-4


def test_one_hu_less_in_the_tissue_of_one_side_is_told(network):
    _, brain = heads(1, 8)
    noise = torch.randn(brain.shape, generator=torch.Generator().manual_seed(2))
    even = 32 + 3 * noise
    darker = even - (torch.arange(32)[:, None, None] < 16).float()
    before, after = (network._densities(hu, brain) for hu in (even, darker))
    inside = (brain[:, :, ::4, ::4] > 0)[:, 0]
    change = (after - before)[:, 0][inside & (torch.arange(8)[:, None, None] < 4)]
    # 1 HU in spreads of tissue, on the side that is darker, and nothing on the other.
    assert change.mean().item() == pytest.approx(-1 / 4, abs=0.03)
    assert (after - before)[:, 0][inside & (torch.arange(8)[:, None, None] >= 4)].abs().max() < 1e-5
    assert (after - before)[:, 2][inside].abs().mean().item() == pytest.approx(1 / 4, abs=0.03)


def test_fluid_and_air_do_not_count_as_tissue(network):
    _, brain = heads(1, 8)
    fluid = torch.full_like(brain, 32.0)
    fluid[:, :, :, ::2] = 5.0
    seen = network._densities(fluid, brain)
    inside = (brain[:, :, ::4, ::4] > 0)[:, 0]
    assert seen[:, 0][inside].abs().max() < 1e-5
    torch.testing.assert_close(seen[:, 4][inside], torch.full_like(seen[:, 4][inside], 0.5))
