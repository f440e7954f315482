"""The turbo generator on the real classes with a tiny network: what must hold whatever the weights are."""

import numpy as np
import pytest
import torch

from perfusynth.errors import Cancelled, InputError
from perfusynth.generators.bundles import read_bundle
from perfusynth.generators.head_images import as_images, from_units, rectangle_around, to_units
from perfusynth.generators.loading import load_generator
from perfusynth.generators.turbo.network import TurboConfig, TurboNetwork
from perfusynth.volumes.volume import Volume
from tests.generators.tiny import NETWORK, write_tiny_bundle


@pytest.fixture(scope="module")
def generator(tmp_path_factory):
    return load_generator(read_bundle(write_tiny_bundle(tmp_path_factory.mktemp("b") / "tiny")), device="cpu")


@pytest.fixture(scope="module")
def head() -> dict[str, Volume]:
    rng = np.random.default_rng(0)
    array = rng.normal(35, 10, (96, 110, 14)).astype(np.float32)
    affine = np.diag([1.5, 1.4, 6.0, 1.0])
    affine[:3, 3] = [-70, -80, -20]
    x, y, z = np.indices(array.shape)
    brain = ((x - 48) / 40) ** 2 + ((y - 55) / 50) ** 2 + ((z - 7) / 6) ** 2 < 1
    scan = Volume(array, affine)
    return {"ncct": scan, "brain": scan.with_array(brain)}


def test_maps_lie_on_the_input_grid_inside_the_brain_and_in_range(generator, head):
    made = generator.synthesize(head)
    assert set(made.maps) == {"tmax", "cbf", "hypoperfusion_probability"}
    outside = head["brain"].array == 0
    for output in generator.spec.outputs:
        volume = made.maps[output.name]
        assert volume.shape == head["ncct"].shape
        assert np.array_equal(volume.affine, head["ncct"].affine)
        assert np.isfinite(volume.array).all()
        assert not volume.array[outside].any()
        assert volume.array.min() >= output.range[0]
        assert volume.array.max() <= output.range[1]


def test_the_same_scan_gives_the_same_maps(generator, head):
    first, second = (generator.synthesize(head).maps["tmax"].array for _ in range(2))
    assert np.array_equal(first, second)


@pytest.mark.parametrize("axes", [(0,), (1,), (2,), (0, 1, 2)])
def test_the_storage_order_of_a_scan_does_not_matter(generator, head, axes):
    def stored_backwards(volume: Volume) -> Volume:
        flip = np.eye(4)
        for axis in axes:
            flip[axis, axis], flip[axis, 3] = -1, volume.shape[axis] - 1
        return Volume(np.flip(volume.array, axes), volume.affine @ flip)

    there = generator.synthesize(head).maps["tmax"].array
    back = generator.synthesize({name: stored_backwards(v) for name, v in head.items()}).maps["tmax"].array
    np.testing.assert_allclose(np.flip(back, axes), there, atol=1e-3)


def test_axes_in_another_order_give_the_same_maps(generator, head):
    def transposed(volume: Volume) -> Volume:
        return Volume(volume.array.transpose(2, 0, 1), volume.affine[:, [2, 0, 1, 3]])

    there = generator.synthesize(head).maps["cbf"].array
    back = generator.synthesize({name: transposed(v) for name, v in head.items()}).maps["cbf"].array
    np.testing.assert_allclose(back.transpose(1, 2, 0), there, atol=1e-2)


def test_a_mirrored_head_gives_mirrored_maps(generator, head):
    """Not the same head stored otherwise, but another head: left and right exchanged on the same grid."""
    mirrored = {name: Volume(np.flip(volume.array, 0), volume.affine) for name, volume in head.items()}
    for name, volume in generator.synthesize(head).maps.items():
        np.testing.assert_allclose(
            np.flip(generator.synthesize(mirrored).maps[name].array, 0), volume.array, atol=0.01, err_msg=name
        )


def test_a_missing_modality_and_a_foreign_mask_are_refused(generator, head):
    with pytest.raises(InputError, match="missing") as caught:
        generator.synthesize({"ncct": head["ncct"]})
    assert caught.value.code == "missing_input"
    other = Volume(head["brain"].array[:-1], head["brain"].affine)
    with pytest.raises(InputError) as caught:
        generator.synthesize({"ncct": head["ncct"], "brain": other})
    assert caught.value.code == "bad_mask"
    with pytest.raises(InputError) as caught:
        generator.synthesize(head, options={"steps": 3})
    assert caught.value.code == "unknown_option"


def test_a_listener_can_cancel(generator, head):
    def stop(stage, fraction):
        raise Cancelled

    with pytest.raises(Cancelled):
        generator.synthesize(head, on_progress=stop)


def test_units_and_network_scale_are_inverse(generator):
    rng = np.random.default_rng(1)
    maps = np.stack([rng.uniform(0, 16, (4, 5, 3)), rng.uniform(0, 100, (4, 5, 3))]).astype(np.float32)
    np.testing.assert_allclose(to_units(from_units(maps, generator.spec), generator.spec), maps, atol=1e-4)
    assert to_units(np.full((1, 2, 1, 1), -9.0), generator.spec).max() == 0
    assert to_units(np.full((1, 2, 1, 1), 9.0), generator.spec).ravel().tolist() == [16.0, 100.0]


def test_channels_are_the_slab_and_its_neighbours_inside_the_brain(generator):
    ncct = np.arange(4, dtype=np.float32)[None, None, :] * 16 + np.zeros((2, 2, 1), np.float32)
    brain = np.ones(ncct.shape, bool)
    brain[0, 1] = False
    images = as_images(ncct, brain, generator.spec).numpy()
    assert images.shape == (4, 4, 2, 2)
    window = images[:, :3, 0, 0] * 24 + 32  # back to HU
    np.testing.assert_allclose(window, [[8, 8, 16], [8, 16, 32], [16, 32, 48], [32, 48, 48]], atol=1e-4)
    assert not images[:, :, 0, 1].any()


def test_the_last_channel_is_the_difference_of_the_sides(generator):
    ncct = np.full((40, 40, 9), 35, np.float32)
    ncct[28:36, 12:28, 3:6] -= 4.0
    ncct[0:3] = 1500  # bone on one side only
    brain = np.zeros(ncct.shape, bool)
    brain[4:36] = True
    last = as_images(ncct, brain, generator.spec).numpy()[:, 3] * 8  # back to HU
    assert -4.05 < last[4, 32, 20] < -2
    np.testing.assert_allclose(last, -last[:, ::-1], atol=1e-5)
    assert np.abs(last[:, 18:22]).max() < 0.5
    assert not last[:, :4].any()
    assert last[4, 8, 20] > 2


def test_the_rectangle_holds_the_brain_and_divides():
    brain = np.zeros((192, 192, 3), dtype=bool)
    brain[30:150, 8:190, 1] = True
    columns, rows = rectangle_around(brain, 16)
    assert (columns.stop - columns.start, rows.stop - rows.start) == (128, 192)
    assert columns.start <= 30 < 150 <= columns.stop
    assert (rows.start, rows.stop) == (0, 192)


def test_one_step_formula_on_known_tensors():
    """With a UNet that answers zero noise and no skips, the decoder sees latent / sqrt(alpha)."""
    torch.manual_seed(0)
    network = TurboNetwork(TurboConfig.model_validate(NETWORK)).eval()
    for skip in network.skips:
        torch.nn.init.zeros_(skip.weight)
    torch.nn.init.zeros_(network.unet.conv_out.weight)
    torch.nn.init.zeros_(network.unet.conv_out.bias)
    image = torch.randn(2, 4, 16, 16)
    with torch.no_grad():
        latent = network.autoencoder.encode(image).latent_dist.mode()
        expected = network.autoencoder.decode(latent / 0.5**0.5).sample
        torch.testing.assert_close(network(image), expected)


def test_skips_carry_the_encoder_to_the_decoder():
    torch.manual_seed(0)
    network = TurboNetwork(TurboConfig.model_validate(NETWORK)).eval()
    image = torch.randn(1, 4, 16, 16)
    with torch.no_grad():
        with_skips = network(image)
        for skip in network.skips:
            torch.nn.init.zeros_(skip.weight)
        without = network(image)
        assert (with_skips - without).abs().max() > 1e-3
    assert not network.autoencoder.decoder.up_blocks[0]._forward_pre_hooks, "hooks must not pile up"
