"""The sd-turbo size on a tiny base: what it starts as, what training moves, what is kept, and which base it takes."""

import hashlib
import json

import pytest
import torch
from diffusers import AutoencoderKL
from safetensors.torch import load_file, save_file

from perfusynth.errors import InputError
from perfusynth.generators.bundles import read_bundle
from perfusynth.generators.loading import load_generator
from perfusynth.generators.turbo.base_mark import named_base
from perfusynth.generators.turbo.base_weights import BASE_VARIABLE
from perfusynth.generators.turbo.building import trained_network, untrained_network
from perfusynth.generators.turbo.network import TurboConfig
from perfusynth.training.checkpoints import state_of, trained_names
from tests.generators.tiny import write_tiny_bundle
from tests.generators.turbo.tiny_base import network_on, write_tiny_base


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return write_tiny_base(tmp_path_factory.mktemp("base") / "tiny-turbo")


@pytest.fixture(autouse=True)
def no_variable(monkeypatch):
    monkeypatch.delenv(BASE_VARIABLE, raising=False)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def config_on(base, **changes) -> TurboConfig:
    return TurboConfig.model_validate(network_on(base, **changes))


def image() -> torch.Tensor:
    return torch.randn(2, 4, 32, 32, generator=torch.Generator().manual_seed(1))


def write_bundle(folder, network, block):
    """A bundle whose weights are those that training keeps of a network."""
    write_tiny_bundle(folder, weights=False)
    file = folder / "models" / "model.safetensors"
    weights = state_of(network, trained_names(network))
    save_file(weights, file, metadata=named_base(weights))
    path = folder / "configs" / "metadata.json"
    metadata = json.loads(path.read_text())
    metadata["perfusynth"] |= {"network": block, "weights_sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
    path.write_text(json.dumps(metadata))
    return read_bundle(folder)


@pytest.fixture(scope="module")
def trained(base):
    """A network after one step of a large step size, and the weights that it began with."""
    torch.manual_seed(3)
    network = untrained_network(config_on(base, prompt="brain"))
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    optimiser = torch.optim.SGD([weight for weight in network.parameters() if weight.requires_grad], 0.3)
    for _ in range(2):  # LoRA's second matrix is zero at first, so that the first moves in the second step only
        optimiser.zero_grad()
        loss = (network(image()) - 0.5).square().mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
    return network, before


def test_it_starts_as_the_base(base):
    network = untrained_network(config_on(base))
    theirs = AutoencoderKL.from_pretrained(base / "vae")
    seen = image()[:, :3]
    with torch.no_grad():
        latent = theirs.encode(seen).latent_dist.mode() * 0.18215
        ours, _ = network._encoded(torch.cat([seen, image()[:, 3:]], 1))
        torch.testing.assert_close(ours, latent, msg="the fourth channel is silent at first")
        for skip in network.skips:
            torch.nn.init.zeros_(skip.weight)
        features = network._encoded(image())[1]
        torch.testing.assert_close(network._decoded(latent, features), theirs.decode(latent / 0.18215).sample[:, :2])


def test_training_moves_the_adapter_and_nothing_of_the_base(trained):
    network, before = trained
    moved = {name for name, tensor in network.state_dict().items() if not torch.equal(tensor, before[name])}
    own = {name for name, weight in network.named_parameters() if weight.requires_grad}
    assert moved == own
    kinds = {"unet.conv_in.", "autoencoder.encoder.conv_in.", "autoencoder.decoder.conv_out.", "prompt", "skips."}
    assert all(".lora_" in name or any(name.startswith(kind) for kind in kinds) for name in own)
    for kind in kinds:
        assert any(name.startswith(kind) for name in own), kind
    ranks = {
        part: {tensor.shape[0] for name, tensor in before.items() if name.startswith(part) and ".lora_A" in name}
        for part in ("unet.", "autoencoder.")
    }
    assert ranks == {"unet.": {8}, "autoencoder.": {4}}


def test_the_adapter_alone_is_kept_and_gives_the_same_answer_on_its_base(trained, base, tmp_path):
    network, _ = trained
    bundle = write_bundle(tmp_path / "bundle", network, network_on(base))
    kept = load_file(bundle.weight_files[0])
    assert not any("base_layer" in name for name in kept)
    loaded = trained_network(bundle)
    assert not any("lora" in name for name, _ in loaded.named_modules()), "the adapter is merged"
    with torch.no_grad():
        torch.testing.assert_close(loaded(image()), network(image()), atol=1e-4, rtol=1e-4)
    assert load_generator(bundle, device="cpu").network.prompt.shape == (1, 7, 12)


def test_the_file_names_its_base_and_another_base_is_refused(trained, base, tmp_path, monkeypatch):
    network, _ = trained
    bundle = write_bundle(tmp_path / "bundle", network, network_on(base))
    header = bundle.weight_files[0].read_bytes()
    digest = hashlib.sha256((base / "unet" / "diffusion_pytorch_model.safetensors").read_bytes()).hexdigest()
    assert f'"base_sha256.unet":"{digest}"'.encode() in header[: 8 + int.from_bytes(header[:8], "little")]
    monkeypatch.setenv(BASE_VARIABLE, str(write_tiny_base(tmp_path / "other", seed=1)))
    with pytest.raises(InputError) as caught:
        load_generator(bundle, device="cpu")
    assert caught.value.code == "wrong_base"
    assert digest in caught.value.got + caught.value.expected


def test_a_base_that_the_metadata_does_not_name_is_refused(base):
    with pytest.raises(InputError) as caught:
        untrained_network(config_on(base, sha256={"vae": "0" * 64}))
    assert caught.value.code == "wrong_base"


def test_a_base_of_another_shape_is_refused(base):
    block = network_on(base)
    block["unet"] = block["unet"] | {"block_out_channels": [16, 16]}
    with pytest.raises(InputError, match="another shape") as caught:
        untrained_network(TurboConfig.model_validate(block))
    assert caught.value.code == "wrong_base"


@pytest.mark.parametrize("source", ["nobody/sd-turbo", "/nowhere/sd-turbo"])
def test_a_missing_base_is_told_with_its_licence_and_nothing_is_fetched(source):
    with pytest.raises(InputError) as caught:
        untrained_network(config_on(source))
    assert caught.value.code == "no_base"
    assert "licence: none: made for a test" in str(caught.value)
    assert BASE_VARIABLE in caught.value.hint
    assert "/nowhere" not in str(caught.value)


def test_a_base_that_is_not_whole_is_told(base, tmp_path, monkeypatch):
    (tmp_path / "part" / "unet").mkdir(parents=True)
    monkeypatch.setenv(BASE_VARIABLE, str(tmp_path / "part"))
    with pytest.raises(InputError, match=r"vae/config\.json") as caught:
        untrained_network(config_on(base))
    assert caught.value.code == "no_base"


def test_the_prompt_is_the_text_encoders_answer(base):
    one, same, other = (
        untrained_network(config_on(base, prompt=text)).prompt.detach() for text in ("brain", "brain", "lung")
    )
    assert torch.equal(one, same)
    assert one.shape == (1, 7, 12)
    assert (one - other).abs().max() > 0.01
    assert not untrained_network(config_on(base)).prompt.any()


def test_blocks_that_run_again_give_the_same_gradients(base):
    gradients, passes = [], []
    for save_memory in (False, True):
        torch.manual_seed(3)
        network = untrained_network(config_on(base))
        for skip in network.skips:
            torch.nn.init.normal_(skip.weight, std=0.5)
        if save_memory:
            network.checkpoint_gradients()
        ran = []
        for block in (network.unet.down_blocks[1].resnets[0], network.autoencoder.decoder.up_blocks[0].resnets[0]):
            block.conv1.register_forward_hook(lambda *_, ran=ran: ran.append(1))
        network(image()).square().mean().backward()
        passes.append(len(ran))
        gradients.append({name: w.grad for name, w in network.named_parameters() if w.grad is not None})
    assert passes == [2, 4], "two blocks, once each, then twice each"
    plain, again = gradients
    assert plain.keys() == again.keys()
    assert any(name.startswith("skips.") for name in plain)
    for name, gradient in plain.items():
        torch.testing.assert_close(again[name], gradient, msg=name)
