"""What carries maps: formats err as their definition says, resampling and autoencoders give back what they can."""

from itertools import count

import numpy as np
import pytest
import torch

from perfusynth.evaluation.map_round_trip import __main__ as command
from perfusynth.evaluation.map_round_trip import compact
from perfusynth.evaluation.map_round_trip.carriers import (
    as_8_bits,
    as_bfloat16,
    as_float16,
    resampled,
    through,
    through_pictures,
)
from perfusynth.evaluation.map_round_trip.figures import figures_of, table
from perfusynth.generators.bundles import read_bundle
from perfusynth.phantom.render import RenderedCase
from tests.generators.tiny import write_tiny_bundle
from tests.generators.turbo.tiny_base import write_tiny_base


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return read_bundle(write_tiny_bundle(tmp_path_factory.mktemp("bundle") / "tiny", weights=False))


@pytest.fixture(scope="module")
def case():
    rng = np.random.default_rng(0)
    x, y, _ = np.indices((40, 44, 5))
    brain = ((x - 20) / 14) ** 2 + ((y - 22) / 17) ** 2 < 1
    tmax = 2 + 9 * np.exp(-((x - 12) ** 2 + (y - 22) ** 2) / 60) + rng.normal(0, 0.2, brain.shape)
    volumes = {"tmax": tmax * brain, "cbf": (60 - 4 * tmax) * brain, "brain": brain}
    volumes = {name: volume.astype(np.float32) for name, volume in volumes.items()}
    return RenderedCase(volumes, np.diag([1.2, 1.2, 5.0, 1.0]), None, None, None)


def test_formats_err_by_half_a_step(bundle, case):
    """reference: over 0-12 s the worst rounding is 0.0235 s in 8 bits, 0.0015 s in float16; here over 0-16 s."""
    steps = {as_8_bits: 16 / 255, as_float16: 16 * 2**-11 / 2}
    for carrier, step in steps.items():
        row = figures_of(1, case, carrier, bundle.spec)
        assert row["tmax_few_s"] <= step / 2 * 1.001
        assert row["tmax_few_s"] > step / 2 * 0.4
    assert figures_of(1, case, as_bfloat16, bundle.spec)["tmax_few_s"] == pytest.approx(16 / 2 * 2**-9, rel=0.6)


def test_volumes_are_counted_in_ml_and_overlap_is_dices(bundle, case):
    tmax, brain = case.volumes["tmax"], case.volumes["brain"] > 0

    def two_seconds_less(maps):
        less = maps.clone()
        less[:, 0] -= 2 / 8
        return less

    row = figures_of(7, case, two_seconds_less, bundle.spec)
    voxel_ml = 1.2 * 1.2 * 5 / 1000
    there, here = (tmax > 6) & brain, (tmax > 8) & brain
    assert row["true_ml"] == pytest.approx(there.sum() * voxel_ml)
    assert row["made_ml"] == pytest.approx(here.sum() * voxel_ml, abs=3 * voxel_ml)
    assert row["dice"] == pytest.approx(2 * here.sum() / (there.sum() + here.sum()), abs=0.02)
    assert row["tmax_mae_s"] == pytest.approx(2, abs=0.05)
    assert row["tmax_deficit_mae_s"] == pytest.approx(2, abs=0.01)


def test_a_head_without_deficit_has_no_overlap(bundle, case):
    calm = {**case.volumes, "tmax": np.minimum(case.volumes["tmax"], 4)}
    row = figures_of(1, RenderedCase(calm, case.affine, None, None, None), as_float16, bundle.spec)
    assert row["dice"] is None
    assert row["true_ml"] == row["made_ml"] == 0
    assert "| float16 | 1 |" in table({"float16": [row]})


def test_smooth_maps_survive_resampling():
    x = torch.linspace(-1, 1, 30)
    smooth = (x[:, None] * x[None]).expand(2, 2, 30, 30)
    back = resampled(2.6)(smooth)
    assert back.shape == smooth.shape
    assert (back - smooth)[..., 2:-2, 2:-2].abs().max() < 0.01


def test_pictures_pass_the_bases_autoencoder_in_the_shape_they_had(tmp_path):
    base = write_tiny_base(tmp_path / "base")
    maps = torch.rand(3, 2, 21, 18) * 2 - 1
    carried = through_pictures(base, zoom=2.0)(maps)
    assert carried.shape == maps.shape
    alone = through_pictures(base, zoom=2.0)(maps[:, 1:])
    torch.testing.assert_close(carried[:, 1:], alone, msg="each map passes by itself")


def test_a_trained_autoencoder_gives_maps_back_better_than_a_random_one(bundle, case, tmp_path, monkeypatch):
    seconds = count()
    monkeypatch.setattr(compact, "monotonic", lambda: next(seconds))
    told, file = [], tmp_path / "kept.safetensors"
    compact.trained_autoencoder(
        bundle.spec, range(3), lambda seed: case, 2.0, file, lambda share, steps, error: told.append(error)
    )
    assert len(told) == 119
    # No skips, few channels, seconds: it learns the mean and the coarse deficit, a random one gives noise.
    assert np.mean(told[-5:]) < 0.5 * told[0]
    again = compact.trained_autoencoder(bundle.spec, range(3), None, 2.0, file)
    kept = figures_of(1, case, through(again), bundle.spec)
    random = figures_of(1, case, through(compact.autoencoder_of(bundle.spec).eval()), bundle.spec)
    assert kept["tmax_mae_s"] < 0.7 * random["tmax_mae_s"]


def test_the_command_measures_every_carrier_and_goes_on_where_it_stood(case, bundle, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(command, "render_on_model_grid", lambda seed: (drawn.append(seed), case)[1])
    base = write_tiny_base(tmp_path / "base")
    asked = {"model": str(bundle.path), "minutes": 0, "base": base, "base_spacing": 0.8}
    command.main(tmp_path / "out", patients=1, **asked)
    command.main(tmp_path / "out", patients=2, **asked)
    assert drawn == [2_000_000] * 5 + [2_000_001] * 5
    lines = (tmp_path / "out" / "table.md").read_text().splitlines()[2:]
    assert [line.split(" | ")[:2] for line in lines] == [
        [f"| {name}", "2"]
        for name in ("float16", "bfloat16", "8 bits", "to the base's grid and back", "autoencoder of the base")
    ]
