"""The plain UNets' task: what its losses weigh, that it learns, and where the region of a probability begins."""

import numpy as np
import pytest
import torch

from perfusynth.errors import InputError
from perfusynth.generators.bundles import read_bundle
from perfusynth.training.config import config_from
from perfusynth.training.families import task_of
from perfusynth.training.heads import Head
from perfusynth.training.map_settings import PhaseSettings
from perfusynth.training.tuning import figure_names, tuning_figures
from perfusynth.training.unet_settings import UNetSettings
from perfusynth.training.unet_task import UNetTask
from tests.generators.tiny import write_tiny_bundle
from tests.generators.unet.tiny_unets import NAMES, write_tiny_unet

PACE = PhaseSettings(steps=1, heads_per_step=2, learning_rate=1e-3)


@pytest.fixture(scope="module")
def specs(tmp_path_factory):
    return {name: read_bundle(write_tiny_unet(name, tmp_path_factory.mktemp("b") / name)).spec for name in NAMES}


def task(specs, name: str, **changes) -> UNetTask:
    torch.manual_seed(0)
    return UNetTask(specs[name], UNetSettings(**{"supervised": PACE, "crop": (32, 48)} | changes))


def head(slabs: int = 6, seed: int = 0, left: bool = True) -> Head:
    """A brain one half of which is darker, and is hypoperfused."""
    rng = np.random.default_rng(seed)
    shape = (48, 64, slabs)
    brain = np.zeros(shape, dtype=bool)
    brain[10:38, 12:52] = True
    ill = brain & ((np.arange(48)[:, None, None] < 24) == left)
    ncct = np.where(ill, 25.0, 38.0) + rng.normal(0, 2, shape)
    volumes = {"ncct": ncct, "tmax": np.where(ill, 9.0, 1.5), "cbf": np.where(ill, 15.0, 50.0)}
    return Head(f"{seed}", {name: (v * brain).astype(np.float32) for name, v in volumes.items()}, brain, brain)


class Heads:
    """Some of these patients."""

    names = ("0", "1")

    def __call__(self, index: int) -> Head:
        return head(seed=index, left=index == 0)


class Answers(torch.nn.Module):
    """Says the same of every voxel, whatever it is shown."""

    def __init__(self, values: list[float]):
        super().__init__()
        self.values = torch.nn.Parameter(torch.tensor(values))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        shape = (len(images), len(self.values), *images.shape[2:])
        return self.values.reshape(1, -1, *[1] * (images.ndim - 2)).expand(shape)


def batch_of(one: UNetTask, *heads: Head):
    phase = one.phases[0]
    return phase.collate([phase.example(each, np.random.default_rng(0)) for each in heads])


@pytest.mark.parametrize("name", ["unet_regression", "unet_regression_head"])
def test_the_error_of_a_constant_answer_is_that_by_hand(specs, name):
    """0 in the network's scale is 8 s and 50 mL/100 g/min; half of the brain is ill and weighs 1 + 2."""
    one = task(specs, name, absolute_weight=1.0, square_weight=2.0, deficit_weight=2.0)
    losses = one.phases[0].updates[0].losses({"generator": Answers([0.0, 0.0])}, batch_of(one, head(4), head(6)))
    ill, well = abs(9.0 - 8) / 8, abs(1.5 - 8) / 8
    tmax = (3 * (ill + 2 * ill**2) + (well + 2 * well**2)) / 4
    away = 35 / 50
    cbf = 3 * (away + 2 * away**2) / 4
    assert losses["tmax"].item() == pytest.approx(tmax, rel=1e-4)
    assert losses["cbf"].item() == pytest.approx(cbf, rel=1e-4)
    assert losses["loss"].item() == pytest.approx(tmax + cbf, rel=1e-4)


@pytest.mark.parametrize("name", ["unet_segmentation", "unet_segmentation_head"])
def test_the_region_loss_of_a_constant_answer_is_that_by_hand(specs, name):
    """Probability 3/4 everywhere, half of the brain ill: cross entropy by hand, Dice 2 * 3/4 * 1/2 / (3/4 + 1/2)."""
    one = task(specs, name, region_weight=0.5)
    losses = one.phases[0].updates[0].losses({"generator": Answers([float(np.log(3))])}, batch_of(one, head(5)))
    entropy = -(np.log(0.75) + np.log(0.25)) / 2
    assert losses["region"].item() == pytest.approx(entropy + 1 - 0.75 / 1.25, abs=0.01)
    assert losses["loss"].item() == pytest.approx(0.5 * losses["region"].item())


@pytest.mark.parametrize("name", NAMES)
def test_heads_of_different_height_are_one_batch_and_every_weight_is_moved(specs, name):
    one = task(specs, name)
    batch = batch_of(one, head(5), head(7))
    slabs = 7 if name.endswith("head") else 2
    assert batch["images"].shape[2:] == (32, 48, slabs)
    assert batch["counts"].shape == (2, 1, 32, 48, slabs)
    one.phases[0].updates[0].losses(one.networks, batch)["loss"].backward()
    still = [key for key, p in one.networks["generator"].named_parameters() if p.grad is None or not p.grad.any()]
    assert not still


@pytest.mark.parametrize("name", NAMES)
def test_a_plain_sign_is_learnt_in_60_steps(specs, name):
    one = task(specs, name)
    phase, network = one.phases[0], one.networks["generator"]
    optimiser = torch.optim.Adam(network.parameters(), 1e-2)
    rng = np.random.default_rng(0)
    found = []
    for step in range(60):
        heads = (head(seed=step, left=True), head(seed=step + 100, left=False))
        loss = phase.updates[0].losses(one.networks, phase.collate([phase.example(h, rng) for h in heads]))["loss"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        found.append(loss.item())
    assert np.mean(found[-3:]) < 0.3 * found[0]
    figures = tuning_figures(one, network.eval(), Heads(), 2, torch.device("cpu"))
    assert figures["dice_tmax6"] > 0.8
    assert figures["volume_error_ml"] < 0.3 * 24 * 40 * 6 * 1.2**2 * 5 / 1000


def test_the_region_begins_where_it_overlaps_best(specs):
    """Of a probability of 0.6 in the deficit and 0.4 beside it, 0.45 to 0.6 are best, and one of them is told."""

    class Known(UNetTask):
        def predict(self, network, shown, device):
            share = np.where(shown.volumes["tmax"] > 6, 0.6, 0.4)
            return {"hypoperfusion_probability": share}

    one = Known(specs["unet_segmentation"], UNetSettings(supervised=PACE))
    assert figure_names(one.spec) == ["dice_tmax6", "volume_error_ml", "volume_bias_ml"]
    figures = tuning_figures(one, one.networks["generator"], Heads(), 2, torch.device("cpu"))
    assert 0.45 <= figures["region_above"] <= 0.6
    assert figures["dice_tmax6"] == 1
    assert figures["volume_error_ml"] == figures["volume_bias_ml"] == 0


def test_settings_and_bundle_are_of_one_family(specs, tmp_path):
    settings = config_from({"bundle": "b", "out": "o", "phantom_seeds": (0, 9), "task": {"family": "unet"}}).task
    assert isinstance(task_of(specs["unet_regression"], settings), UNetTask)
    other = read_bundle(write_tiny_bundle(tmp_path / "tiny", weights=False)).spec
    with pytest.raises(InputError) as caught:
        task_of(other, settings)
    assert caught.value.code == "other_family"


def test_a_crop_that_the_network_cannot_halve_is_refused(specs):
    with pytest.raises(InputError, match="crop") as caught:
        task(specs, "unet_regression_head", crop=(32, 44))
    assert caught.value.expected == "sides divisible by 8 voxels"
