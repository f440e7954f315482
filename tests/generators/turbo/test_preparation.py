"""A network made fast answers as before: precisions, the float32 islands, compiled blocks."""

import copy

import numpy as np
import pytest
import torch

from perfusynth.generators.bundles import read_bundle
from perfusynth.generators.execution import Execution, ExecutionSettings
from perfusynth.generators.turbo import preparation
from perfusynth.generators.turbo.building import trained_network
from perfusynth.generators.turbo.generator import TurboGenerator
from perfusynth.generators.turbo.network import OneStep
from perfusynth.generators.turbo.preparation import default_precision, prepared
from perfusynth.volumes.volume import Volume
from tests.generators.tiny import write_tiny_bundle

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return read_bundle(write_tiny_bundle(tmp_path_factory.mktemp("bundle") / "tiny"))


@pytest.fixture(scope="module")
def network(bundle):
    return trained_network(bundle)


@pytest.fixture(scope="module")
def head():
    rng = np.random.default_rng(0)
    x, y, _ = np.indices((48, 48, 5))
    brain = ((x - 24) / 20) ** 2 + ((y - 24) / 22) ** 2 < 1
    return {"ncct": rng.normal(35, 8, brain.shape).astype(np.float32)}, brain


def maps_at(network, bundle, head, **settings):
    own = copy.deepcopy(network)
    execution = prepared(own, CPU, ExecutionSettings(**settings))
    made = TurboGenerator(own, bundle.spec, CPU, execution).on_model_grid(*head)
    return own, {name: values[head[1]] for name, values in made.items()}


def test_precisions_answer_alike_but_not_the_same(network, bundle, head):
    _, full = maps_at(network, bundle, head, precision="fp32")
    for precision in ("mixed", "bf16"):
        _, made = maps_at(network, bundle, head, precision=precision)
        difference = np.abs(made["tmax"] - full["tmax"])
        assert 0 < difference.max() < 0.5, precision  # s; random weights answer up to 16 s
    _, same = maps_at(network, bundle, head, precision="tf32")  # a CPU has none
    assert np.array_equal(same["tmax"], full["tmax"])


@pytest.mark.parametrize(("precision", "before", "behind"), [("mixed", 32, 16), ("bf16", 16, 16), ("fp32", 32, 32)])
def test_what_runs_at_which_precision(network, bundle, head, precision, before, behind):
    own, _ = maps_at(network, bundle, head, precision=precision)
    bits = {32: torch.float32, 16: torch.bfloat16}
    ran = {}

    def note(name):
        return lambda module, inputs, output: ran.__setitem__(name, (inputs[0].dtype, output.dtype))

    for name, module in own.named_modules():
        if isinstance(module, torch.nn.Conv2d | torch.nn.Linear):
            module.register_forward_hook(note(name))
    TurboGenerator(own, bundle.spec, CPU).on_model_grid(*head)
    last = {"unet.conv_out": bits[before], "autoencoder.decoder.conv_out": bits[behind]}
    for name, (taken, given) in ran.items():
        if name in last:
            assert own.get_submodule(name).weight.dtype == torch.float32
            assert (taken, given) == (last[name], torch.float32), name
        elif name.startswith(("autoencoder.decoder", "autoencoder.post_quant_conv", "skips")):
            assert given == bits[behind], name
        elif name.startswith(("autoencoder", "unet")):
            assert given == bits[before], name
        else:
            assert given == torch.float32, name
    assert set(last) < set(ran)


def test_the_one_step_is_made_in_float32(network, bundle, head):
    """Noise and latent that bfloat16 rounds alike must leave a difference behind the step that it would not hold."""
    own, _ = maps_at(network, bundle, head, precision="mixed")
    seen = []
    own.autoencoder.decoder.conv_in.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    original = own._decoded
    own._decoded = lambda latent, features: (seen.append(latent), original(latent, features))[1]
    TurboGenerator(own, bundle.spec, CPU).on_model_grid(*head)
    latent, rounded = seen[0], seen[1]
    assert latent.dtype == torch.float32
    assert rounded.dtype == torch.bfloat16


def test_the_default_trusts_bfloat16_where_the_step_multiplies_little(network, monkeypatch):
    own = copy.deepcopy(network)
    monkeypatch.setattr(preparation, "has_fast_bf16", lambda device: False)
    assert default_precision(own, CPU) == "fp32"
    monkeypatch.setattr(preparation, "has_fast_bf16", lambda device: True)
    assert default_precision(own, CPU) == "bf16"
    own.config = own.config.model_copy(update={"one_step": OneStep(alpha_cumprod=0.00466)})
    assert own.config.one_step.gain == pytest.approx(14.6, abs=0.05)  # reference/models.md
    assert default_precision(own, CPU) == "mixed"


@pytest.mark.long
def test_compiled_blocks_answer_the_same_and_are_still_heard(network, bundle, head):
    _, plain = maps_at(network, bundle, head, precision="fp32")
    own = copy.deepcopy(network)
    execution = prepared(own, CPU, ExecutionSettings(precision="fp32", compiled=True))
    generator = TurboGenerator(own, bundle.spec, CPU, execution)
    made, view = generator.observe(*head)
    np.testing.assert_allclose(made["tmax"][head[1]], plain["tmax"], atol=1e-3)
    _, again = generator.observe(*head)
    assert len(view.features) > 0
    np.testing.assert_allclose(again.features, view.features)


def test_a_head_that_memory_did_not_hold_at_once_gets_the_same_maps_and_is_told_so(network, bundle, head):
    class Crowded(torch.nn.Module):
        """The network on a device with room for four images."""

        def __init__(self):
            super().__init__()
            self.config, self.context, self.unet = network.config, network.context, network.unet

        def forward(self, images, *context):
            made = network(images, *context)
            if len(images) > 4:
                raise torch.cuda.OutOfMemoryError("CUDA out of memory.")
            return made

    volumes, brain = head
    affine = np.diag([1.2, 1.2, 5.0, 1.0])
    scan = {"ncct": Volume(volumes["ncct"], affine), "brain": Volume(brain.astype(np.float32), affine)}
    plain = TurboGenerator(network, bundle.spec, CPU).synthesize(scan)
    crowded = TurboGenerator(Crowded(), bundle.spec, CPU, Execution(CPU, batch_slabs=64)).synthesize(scan)
    for name, volume in plain.maps.items():
        np.testing.assert_allclose(crowded.maps[name].array, volume.array, atol=1e-3)
    assert plain.provenance["times_out_of_memory"] == 0
    assert crowded.provenance["times_out_of_memory"] > 0
    assert crowded.provenance["slabs_at_a_time"] <= 2
