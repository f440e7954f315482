"""The plain UNets on the real classes with tiny networks: what must hold whatever the weights are."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from perfusynth.generators.bundles import read_bundle
from perfusynth.generators.loading import load_generator
from perfusynth.generators.unet.generator import unet_of
from perfusynth.generators.unet.network import UNetConfig, UNetNetwork
from perfusynth.training.bundle_settings import settings_of
from perfusynth.training.config import config_from
from perfusynth.volumes.volume import Volume
from tests.generators.unet.tiny_unets import NAMES, NETWORKS, TEMPLATES, write_tiny_unet


@pytest.fixture(scope="module", params=NAMES)
def generator(request, tmp_path_factory):
    return load_generator(
        read_bundle(write_tiny_unet(request.param, tmp_path_factory.mktemp("b") / "tiny")), device="cpu"
    )


@pytest.fixture(scope="module")
def head() -> dict[str, Volume]:
    rng = np.random.default_rng(0)
    array = rng.normal(35, 10, (60, 66, 9)).astype(np.float32)
    affine = np.diag([2.4, 2.4, 6.0, 1.0])
    affine[:3, 3] = [-70, -80, -20]
    x, y, z = np.indices(array.shape)
    brain = ((x - 30) / 25) ** 2 + ((y - 33) / 28) ** 2 + ((z - 4.5) / 4) ** 2 < 1
    scan = Volume(array, affine)
    return {"ncct": scan, "brain": scan.with_array(brain)}


def test_outputs_lie_on_the_input_grid_inside_the_brain_and_in_range(generator, head):
    made = generator.synthesize(head).maps
    assert set(made) == {output.name for output in generator.spec.outputs}
    inside = head["brain"].array > 0
    for output in generator.spec.outputs:
        volume = made[output.name]
        assert volume.shape == head["ncct"].shape
        assert np.array_equal(volume.affine, head["ncct"].affine)
        assert not volume.array[~inside].any()
        assert volume.array.min() >= output.range[0]
        assert volume.array.max() <= output.range[1]
        assert volume.array[inside].std() > 0


def test_a_mirrored_head_gives_mirrored_outputs(generator, head):
    mirrored = {name: Volume(np.flip(volume.array, 0), volume.affine) for name, volume in head.items()}
    there, back = (generator.synthesize(one).maps for one in (head, mirrored))
    for output in generator.spec.outputs:
        span = output.range[1] - output.range[0]
        difference = np.abs(np.flip(back[output.name].array, 0) - there[output.name].array)
        assert difference.max() < 1e-4 * span, output.name


@pytest.mark.parametrize("spatial", list(NETWORKS))
def test_a_pass_sees_its_slab_or_the_whole_head(spatial):
    torch.manual_seed(0)
    network = UNetNetwork(UNetConfig.model_validate(NETWORKS[spatial]), inputs=1, outputs=2).eval()
    head = torch.randn(1, 1, 16, 16, 5)
    other = head.clone()
    other[..., 4] += 1
    with torch.no_grad():
        if spatial == "slabs":
            before, after = (network(one[0].movedim(-1, 0)).movedim(0, -1) for one in (head, other))
        else:
            before, after = (network(one)[0] for one in (head, other))
    assert before.shape == (2, 16, 16, 5)
    moved = (before - after).abs().amax(dim=(0, 1, 2)) > 1e-6
    assert moved.tolist() == ([False] * 4 + [True] if spatial == "slabs" else [True] * 5)


def test_folding_loses_nothing_and_keeps_places():
    """With a network that hands its folded channels on, what goes in comes out, voxel by voxel."""
    network = UNetNetwork(UNetConfig(spatial="head", shrink=4, channels=[8, 8, 8], norm_groups=4), inputs=1, outputs=1)
    network.unet = torch.nn.Identity()
    head = torch.randn(2, 1, 16, 24, 5)
    assert torch.equal(network(head), head)


def test_what_is_not_in_the_brain_changes_nothing(generator, head):
    volumes = {"ncct": np.full((192, 192, 6), 35.0, dtype=np.float32)}
    brain = np.zeros((192, 192, 6), dtype=bool)
    brain[60:130, 50:140] = True
    with_bone = {"ncct": np.where(brain, volumes["ncct"], 1500).astype(np.float32)}
    for name, values in generator.on_model_grid(volumes, brain).items():
        np.testing.assert_array_equal(generator.on_model_grid(with_bone, brain)[name], values)


def test_a_probability_is_the_logistic_function_of_what_the_network_says(tmp_path):
    """All weights 0, a bias of ln 3 at the end: 3 to 1, everywhere."""
    folder = write_tiny_unet("unet_segmentation", tmp_path / "tiny")
    file = folder / "models" / "model.safetensors"
    state = {name: torch.zeros_like(tensor) for name, tensor in load_file(file).items()}
    last = [name for name in state if name.startswith("unet.out") and name.endswith("bias")]
    state |= {name: torch.full_like(state[name], float(np.log(3))) for name in last}
    save_file(state, file)
    path = folder / "configs" / "metadata.json"
    metadata = json.loads(path.read_text())
    metadata["perfusynth"]["weights_sha256"] = read_bundle(folder).weights_sha256()
    path.write_text(json.dumps(metadata))
    brain = np.zeros((192, 192, 4), dtype=bool)
    brain[60:130, 50:140] = True
    made = load_generator(read_bundle(folder), device="cpu").on_model_grid({"ncct": brain * 35.0}, brain)
    np.testing.assert_allclose(made["hypoperfusion_probability"][brain], 0.75, atol=1e-3)


@pytest.mark.parametrize("name", NAMES)
def test_a_template_holds_together(name):
    bundle = read_bundle(TEMPLATES / name)
    config = config_from(settings_of(bundle.path))
    assert bundle.spec.family == config.task.family == "unet"
    assert config.bundle.name == name
    assert 1.3e6 < sum(p.numel() for p in unet_of(bundle.spec).parameters()) < 6e6
    assert (bundle.spec.probability is None) == bool(bundle.spec.maps)
