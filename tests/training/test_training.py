"""Training: batches depend on the step alone, a killed run goes on as if nothing had happened, its bundle loads."""

import json

import pytest
import torch
from pydantic import ValidationError

from perfusynth.errors import InputError
from perfusynth.generators.bundles import read_bundle
from perfusynth.generators.loading import load_generator
from perfusynth.phantom.patient import draw_patient
from perfusynth.training.config import TrainingConfig
from perfusynth.training.engine import _check_same_patients, learning_rate, train
from perfusynth.training.export import export_bundle
from perfusynth.training.phantom_data import PhantomSlabs, draw_slabs
from perfusynth.training.turbo_task import TurboTask
from tests.generators.tiny import write_tiny_bundle

STREAM = {
    "batch_slabs": 3,
    "patient_pool": 2,
    "steps_per_patient": 2,
    "early_boost": 3.0,
    "early_boost_patients": 2,
    "crop": (128, 160),
    "crop_jitter": 6,
    "seed": 5,
}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return write_tiny_bundle(tmp_path_factory.mktemp("bundle") / "tiny", weights=False)


def settings(bundle, out, **changes) -> TrainingConfig:
    values = {
        "bundle": bundle,
        "out": out,
        "train_seeds": (10, 14),
        "tune_seeds": (20, 21),
        "steps": 4,
        "batch_slabs": 2,
        "patient_pool": 2,
        "checkpoint_every": 2,
        "tune_every": 4,
        "workers": 0,
        "bf16": False,
        "device": "cpu",
    }
    return TrainingConfig(**(values | changes))


def test_a_batch_depends_on_its_step_alone(bundle):
    spec = read_bundle(bundle).spec
    whole = iter(PhantomSlabs(spec, (10, 14), **STREAM))
    batches = [next(whole) for _ in range(4)]
    later = next(iter(PhantomSlabs(spec, (10, 14), **STREAM, first_step=3)))
    for name, tensor in batches[3].items():
        assert torch.equal(later[name], tensor), name
    assert not torch.equal(batches[2]["images"], batches[3]["images"])


def test_the_curriculum_boosts_the_core_alone_and_fades(bundle):
    data = PhantomSlabs(read_bundle(bundle).spec, (10, 14), **STREAM)
    assert [data._gain(index) for index in range(4)] == [3.0, 2.0, 1.0, 1.0]
    seed = next(s for s in range(1000, 2000) if draw_patient(s).stroke.core_target_ml > 80)
    plain, boosted = (draw_slabs(seed, data.spec, gain) for gain in (1.0, 3.0))
    assert torch.equal(plain.maps, boosted.maps)
    darker = (boosted.images[:, 1] - plain.images[:, 1]).float() * 24  # HU
    assert darker.min() < -2
    assert not darker[~plain.brain[:, 0]].any()


def test_slabs_hold_what_the_phantom_says(bundle):
    spec = read_bundle(bundle).spec
    slabs = draw_slabs(1001, spec)
    count = slabs.images.shape[0]
    assert slabs.images.shape == (count, 4, 192, 192)
    assert slabs.maps.shape == (count, 2, 192, 192)
    # The middle channel of a slab is the upper channel of the slab below.
    assert torch.equal(slabs.images[1:, 0], slabs.images[:-1, 1])
    tmax = (slabs.maps[:, :1].float() + 1) / 2 * 16
    assert not (slabs.deficit & (tmax < 5.9)).any()
    assert not (slabs.deficit & ~slabs.brain).any()


def test_the_loss_is_the_weighted_error_inside_the_brain(bundle):
    task = TurboTask(read_bundle(bundle).spec, deficit_weight=3.0, square_weight=2.0)
    maps = torch.zeros(1, 2, 2, 2)
    brain = torch.tensor([[[[True, True], [False, False]]]])
    deficit = torch.tensor([[[[True, False], [False, False]]]])
    answer = torch.tensor([[[[0.5, 0.1], [9.0, 9.0]], [[0.0, 0.2], [9.0, 9.0]]]])
    batch = {"images": torch.zeros(1, 3, 2, 2), "maps": maps, "brain": brain, "deficit": deficit}
    losses = task.loss(lambda images: answer, batch)
    assert losses["tmax"].item() == pytest.approx((4 * (0.5 + 2 * 0.25) + 0.1 + 2 * 0.01) / 5)
    assert losses["cbf"].item() == pytest.approx((0.2 + 2 * 0.04) / 5)
    assert losses["loss"].item() == pytest.approx(losses["tmax"].item() + losses["cbf"].item())


def test_a_killed_run_goes_on_to_the_same_weights(bundle, tmp_path):
    class Killed(Exception):
        pass

    def kill_at_three(step, steps, figures):
        if step == 3:
            raise Killed

    whole = train(settings(bundle, tmp_path / "whole"))
    with pytest.raises(Killed):
        train(settings(bundle, tmp_path / "killed"), kill_at_three)
    resumed = train(settings(bundle, tmp_path / "killed"))
    from safetensors.torch import load_file

    for file in ("network.safetensors", "ema.safetensors"):
        first, second = load_file(whole / file), load_file(resumed / file)
        for name, tensor in first.items():
            torch.testing.assert_close(second[name], tensor, rtol=0, atol=1e-6, msg=name)
    kinds = [json.loads(line)["kind"] for line in (tmp_path / "whole" / "log.jsonl").read_text().splitlines()]
    assert "tune" in kinds


def test_training_lowers_the_loss_and_its_bundle_loads(bundle, tmp_path):
    config = settings(
        bundle,
        tmp_path / "run",
        steps=25,
        train_seeds=(10, 11),
        patient_pool=1,
        warmup_steps=2,
        learning_rate=5e-3,
        ema_decay=0.5,
        tune_every=1000,
    )
    losses = []
    checkpoint = train(config, lambda step, steps, figures: losses.append(figures.get("loss")))
    made = export_bundle(checkpoint, config, tmp_path / "made")
    generator = load_generator(read_bundle(made), device="cpu")
    spec = generator.spec
    assert spec.training["settings"]["train_seeds"] == [10, 11]
    assert spec.training["phantom_version"]

    task = TurboTask(spec, deficit_weight=1.0, square_weight=2.0)
    batch = next(iter(PhantomSlabs(spec, (10, 11), **(STREAM | {"batch_slabs": 6, "patient_pool": 1}))))
    with torch.no_grad():
        before, after = (float(task.loss(network, batch)["loss"]) for network in (task.network, generator.network))
    assert after < 0.8 * before
    with pytest.raises(InputError):
        export_bundle(checkpoint, config, tmp_path / "made")


def test_patients_are_never_shared(bundle, tmp_path):
    with pytest.raises(ValidationError, match="share patients"):
        settings(bundle, tmp_path, tune_seeds=(13, 20))
    with pytest.raises(ValidationError):
        settings(bundle, tmp_path, train_seeds=(5, 5))
    with pytest.raises(ValidationError):
        settings(bundle, tmp_path, script="import os")


def test_a_run_does_not_go_on_with_other_patients(bundle, tmp_path):
    config = settings(bundle, tmp_path, steps=2)
    (tmp_path / "config.json").write_text(config.model_dump_json())
    _check_same_patients(config.model_copy(update={"steps": 9}))
    with pytest.raises(InputError) as caught:
        _check_same_patients(config.model_copy(update={"train_seeds": (30, 34)}))
    assert caught.value.code == "other_run"


def test_the_learning_rate_rises_then_falls(bundle, tmp_path):
    config = settings(bundle, tmp_path, steps=1000, warmup_steps=100, learning_rate=1e-3)
    rates = [learning_rate(config, step) for step in (1, 50, 100, 550, 1000)]
    assert rates[0] < rates[1] < rates[2] == 1e-3 > rates[3] > rates[4] == pytest.approx(2e-5)
