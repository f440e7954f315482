"""The ladder's code on a CPU with a tiny network: every rung answers, and what is told of it is true."""

import numpy as np
import pytest
import torch

from perfusynth.evaluation.precision import PrecisionError, precision_error
from perfusynth.generators.bundles import read_bundle
from tests.benchmarks import ladder
from tests.benchmarks.figure import table
from tests.benchmarks.plan import QUICK
from tests.benchmarks.scan import write_scan
from tests.generators.turbo.tiny_base import network_on

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def tiny():
    spec = read_bundle(ladder.TEMPLATE).spec
    network = network_on("no base") | {"one_step": {"timestep": 999, "alpha_cumprod": 0.5}, "skip_init": 0.3}
    return spec.model_copy(update={"network": network})


@pytest.fixture(scope="module")
def head():
    rng = np.random.default_rng(0)
    x, y, _ = np.indices((64, 64, 6))
    brain = ((x - 32) / 20) ** 2 + ((y - 32) / 25) ** 2 < 1
    return {"ncct": rng.normal(35, 8, brain.shape).astype(np.float32)}, brain


def test_every_rung_answers_nearly_the_same(tiny, head):
    rungs = [rung for rung in ladder.RUNGS if not rung.compiled]
    climbed = ladder.climb(ladder.random_network(tiny, CPU), tiny, head, CPU, rungs, repeats=1)
    assert [result.rung for result in climbed] == rungs
    by_name = {result.rung.name: result for result in climbed}
    assert by_name["batched, fp32"].error == PrecisionError(0, 0, 0)
    assert by_name["slice by slice, fp32"].error.few_s < 1e-3
    assert by_name["slice by slice, fp32"].slabs == 1
    assert 1e-4 < by_name["batched, bf16"].error.few_s < 2  # of 16 s, with random weights
    assert all(result.seconds > 0 for result in climbed)


def test_what_the_one_step_multiplies_is_spared_by_the_mixed_precision(tiny, head):
    """As far from its noise as SD-Turbo's step, bfloat16 before it costs several times what it costs behind it."""
    far = tiny.network | {"one_step": {"timestep": 999, "alpha_cumprod": 0.00466}}
    rungs = [rung for rung in ladder.RUNGS if rung.slabs is None and not rung.compiled and rung.precision != "tf32"]
    spec = tiny.model_copy(update={"network": far})
    climbed = ladder.climb(ladder.random_network(spec, CPU), spec, head, CPU, rungs, repeats=1)
    errors = {result.rung.precision: result.error.absolute_s for result in climbed}
    assert 0 < 2 * errors["mixed"] < errors["bf16"]


def test_operations_are_counted_for_the_head_and_its_mirror_image(tiny, head):
    """Twice the slabs, twice the work; a convolution known by hand is in it."""
    network = ladder.random_network(tiny, CPU)
    volumes, brain = head
    half = {name: volume[..., :3] for name, volume in volumes.items()}, brain[..., :3]
    whole = ladder.counted_flops(network, tiny, head, CPU)
    assert whole == 2 * ladder.counted_flops(network, tiny, half, CPU)
    last = 2 * 6 * 48 * 64 * (2 * 4 * 9 * 2)  # both ways, slabs, rectangle, channels in and out, 3x3, two a product
    assert whole > 20 * last


def test_a_product_has_a_rate():
    assert ladder.product_rate(CPU, "fp32", side=256) > 1e8


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_without_a_gpu_the_ladder_says_so(tmp_path):
    figures = ladder.measure(write_scan(tmp_path / "scan.nii.gz", (64, 64, 20)), QUICK)
    assert [figure.what for figure in figures] == [rung.name for rung in ladder.RUNGS]
    assert {figure.note for figure in figures} == {"not run: no GPU here"}
    assert "| sd-turbo size on a GPU" in table(figures)


def test_the_error_of_a_precision_is_of_the_same_voxels():
    full = np.zeros(10000, np.float32)
    made = full.copy()
    made[:20] = 0.5
    made[20:40] = -0.5
    error = precision_error(made, full)
    assert error.mean_s == pytest.approx(0)
    assert error.absolute_s == pytest.approx(0.002)
    assert error.few_s == pytest.approx(0.5)
    assert not error.within_bar
    assert precision_error(full + 0.019, full).within_bar
    assert not precision_error(full + 0.021, full).within_bar
