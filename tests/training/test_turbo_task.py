"""The turbo task: what its losses weigh, what each phase moves, and that a network learns from it."""

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL

from perfusynth.errors import InputError
from perfusynth.generators.bundles import read_bundle
from perfusynth.training.heads import Head
from perfusynth.training.map_losses import map_errors, region_loss
from perfusynth.training.map_settings import PhaseSettings
from perfusynth.training.turbo_losses import FeatureDistance
from perfusynth.training.turbo_settings import AdversarialSettings, TurboSettings
from perfusynth.training.turbo_task import TurboTask
from tests.generators.tiny import write_tiny_bundle


@pytest.fixture(scope="module")
def spec(tmp_path_factory):
    return read_bundle(write_tiny_bundle(tmp_path_factory.mktemp("bundle") / "tiny", weights=False)).spec


def settings(**changes) -> TurboSettings:
    pace = PhaseSettings(steps=1, heads_per_step=2, learning_rate=1e-3)
    return TurboSettings(**{"context": pace, "slabs": pace, "crop": (32, 48)} | changes)


def head(slabs: int = 6, seed: int = 0) -> Head:
    """A brain one half of which (the lower x of even seeds) is darker, and is hypoperfused."""
    rng = np.random.default_rng(seed)
    shape = (48, 64, slabs)
    brain = np.zeros(shape, dtype=bool)
    brain[10:38, 12:52] = True
    ill = brain & ((np.arange(48)[:, None, None] < 24) == (seed % 2 == 0))
    ncct = np.where(ill, 25.0, 38.0) + rng.normal(0, 2, shape)
    volumes = {"ncct": ncct, "tmax": np.where(ill, 9.0, 1.5), "cbf": np.where(ill, 15.0, 50.0)}
    return Head("one", {name: (v * brain).astype(np.float32) for name, v in volumes.items()}, brain, brain)


def test_an_error_counts_where_it_is_asked_for_and_more_in_the_deficit():
    wanted = torch.zeros(1, 2, 2, 2)
    weight = torch.tensor([[[[4.0, 1.0], [0.0, 0.0]]]])
    made = torch.tensor([[[[0.5, 0.1], [9.0, 9.0]], [[0.0, 0.2], [9.0, 9.0]]]])
    tmax, cbf = map_errors(made, wanted, weight, absolute_weight=1.0, square_weight=2.0)
    assert tmax.item() == pytest.approx((4 * (0.5 + 2 * 0.25) + 0.1 + 2 * 0.01) / 5)
    assert cbf.item() == pytest.approx((0.2 + 2 * 0.04) / 5)


def test_the_default_weight_puts_6_s_where_a_deficit_is_likelier_than_one_in_four():
    """Of a place whose Tmax is 9.5 s (ill) or 1.8 s (well), the best answer to the squared error."""
    weight = 1 + TurboSettings().deficit_weight

    def best(p: float) -> float:
        return (p * weight * 9.5 + (1 - p) * 1.8) / (p * weight + 1 - p)

    assert best(0.24) < 6 < best(0.27)


def test_the_region_loss_falls_as_the_answer_nears_the_truth_and_bears_a_head_without_deficit():
    share = torch.zeros(2, 1, 8, 8, 4)
    share[0, :, :4] = 1
    counts = torch.ones_like(share)
    right, unsure, wrong = (
        region_loss(sign * (share * 2 - 1), share, counts).item()
        for sign in (torch.tensor(8.0), torch.tensor(0.0), torch.tensor(-8.0))
    )
    assert right < 0.05 < unsure < wrong
    outside = torch.cat([counts[..., :2], torch.zeros_like(counts[..., 2:])], -1)
    junk = share.clone()
    junk[..., 2:] = 1
    logit = torch.randn(share.shape)
    assert region_loss(logit, share, outside).item() == pytest.approx(region_loss(logit, junk, outside).item())


def test_targets_of_the_whole_head_are_means_over_its_brain(spec):
    task = TurboTask(spec, settings())
    example = task.phases[0].example(head(), np.random.default_rng(0))
    assert example["head"].shape == (1, 32, 48, 6)
    assert example["maps"].shape == (2, 8, 12, 6)
    seen = (example["maps"][0] + 1) * 8
    inside = example["counts"][0] > 0
    # Columns 8 to 39 are kept: the brain's left half ends in the middle of the fifth coarse voxel's left edge.
    assert set(np.unique(seen[inside].numpy().round(3))) == {1.5, 9.0}
    assert (seen[:4][inside[:4]] == 9).all()


@pytest.mark.parametrize("phase", ["context", "slabs", "adversarial"])
def test_an_update_moves_what_it_names(spec, phase):
    torch.manual_seed(0)
    task = TurboTask(spec, settings(adversarial=AdversarialSettings(steps=1, channels=4, layers=1)))
    found = next(p for p in task.phases if p.name == phase)
    batch = found.collate([found.example(head(n, seed=n), np.random.default_rng(n)) for n in (5, 7)])
    for update in found.updates:
        for network in task.networks.values():
            network.zero_grad(set_to_none=True)
            network.requires_grad_(False)
        for name in update.networks:
            task.networks[name].requires_grad_(True)
        losses = update.losses(task.networks, batch)
        assert all(torch.isfinite(value) for value in losses.values())
        losses["loss"].backward()
        moved = {name for name, p in task.networks["generator"].named_parameters() if p.grad is not None}
        judge = [
            p.grad is not None for p in task.networks.get("discriminator", task.networks["generator"]).parameters()
        ]
        if update.networks == ("context",):
            assert moved
            assert all(name.startswith("context.") for name in moved)
        elif update.networks == ("generator",):
            assert moved
            assert not any(name.startswith("context.") for name in moved)
            assert phase == "slabs" or not any(judge)
        else:
            assert not moved
            assert all(judge)


def test_both_phases_learn_a_plain_sign(spec):
    torch.manual_seed(0)
    task = TurboTask(spec, settings())
    rng = np.random.default_rng(0)
    for phase in task.phases:
        optimiser = torch.optim.Adam(task.networks[phase.updates[0].networks[0]].parameters(), 1e-2)
        found = []
        for _ in range(100):
            batch = phase.collate([phase.example(head(seed=k), rng) for k in range(2)])
            loss = phase.updates[0].losses(task.networks, batch)["loss"]
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            found.append(loss.item())
        assert min(found[-3:]) < 0.2 * found[0], phase.name
    one = head(seed=8)
    ill = one.volumes["tmax"] > 6
    generator = task.networks["generator"].eval()
    first = task.phases[0].predict(generator, one, torch.device("cpu"))
    assert first["tmax"][ill].mean() > first["tmax"][one.brain & ~ill].mean() + 2
    made = task.predict(generator, one, torch.device("cpu"))
    np.testing.assert_allclose(
        first["hypoperfusion_probability"][one.brain], made["hypoperfusion_probability"][one.brain], atol=0.02
    )
    assert made["tmax"][ill].mean() > made["tmax"][one.brain & ~ill].mean() + 2
    assert (
        made["hypoperfusion_probability"][ill].mean() > 0.5 > made["hypoperfusion_probability"][one.brain & ~ill].mean()
    )


def test_the_perceptual_loss_reads_weights_from_disk_and_says_when_there_are_none(tmp_path):
    with pytest.raises(InputError) as caught:
        FeatureDistance(tmp_path / "nowhere")
    assert caught.value.code == "no_perceptual_weights"
    torch.manual_seed(0)
    AutoencoderKL(
        down_block_types=["DownEncoderBlock2D"],
        up_block_types=["UpDecoderBlock2D"],
        block_out_channels=[8],
        norm_num_groups=4,
    ).save_pretrained(tmp_path / "vae")
    distance = FeatureDistance(tmp_path / "vae")
    maps = torch.rand(2, 2, 16, 16)
    assert distance(maps, maps).item() == 0
    assert distance(maps, maps.flip(2)).item() > 1e-4
    assert not any(p.requires_grad for p in distance.parameters())
