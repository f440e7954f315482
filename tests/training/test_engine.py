"""The engine: phases in order, the same curve however often it is stopped, what it measures, keeps and refuses."""

import json
import math

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from perfusynth.errors import Cancelled, InputError, PerfusynthError
from perfusynth.generators.bundles import read_bundle
from perfusynth.generators.weights import read_weights
from perfusynth.training import steps, stopping
from perfusynth.training.checkpoints import read_network
from perfusynth.training.config import OptimiserSettings, TrainingConfig, config_from
from perfusynth.training.data.augmentation import Augmentation
from perfusynth.training.data.loader import StepBatches
from perfusynth.training.data.order import Order
from perfusynth.training.data.patients import patients_of
from perfusynth.training.engine import train
from perfusynth.training.run_state import RunState
from perfusynth.training.task import Phase, Update
from perfusynth.training.turbo_settings import TurboSettings
from perfusynth.training.turbo_task import TurboTask
from perfusynth.volumes.case_registration import CaseRegistration, keep_registration
from tests.training.small_cases import QUICK, small_bundle, write_cases
from tests.training.small_task import SmallTask, make_task

QUIET = {name: value for name, value in QUICK.items() if name != "task"}
#: Names that depend on the machine's pace.
TIMES = ("s", "data_wait_s")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return small_bundle(tmp_path_factory.mktemp("bundle") / "tiny")


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    folder = write_cases(tmp_path_factory.mktemp("data") / "cases", 6)
    split = {"kind": "cases", "names": {"train": [f"case{n:02d}" for n in range(4)], "tune": ["case04", "case05"]}}
    (folder.parent / "split.json").write_text(json.dumps(split))
    return folder


def config(bundle, cases, out, **changes) -> TrainingConfig:
    values = {"bundle": bundle, "out": out, "data": cases, "split_file": cases.parent / "split.json", **QUIET}
    return config_from(values | changes)


def curve(out) -> list[dict]:
    lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if name not in TIMES} for line in lines]


@pytest.fixture(scope="module")
def whole(bundle, cases, tmp_path_factory):
    """A run that nobody stopped."""
    out = tmp_path_factory.mktemp("whole") / "run"
    assert train(config(bundle, cases, out), make_task=make_task).finished
    return out


def same_weights(one, other) -> bool:
    files = ("maker.safetensors", "judge.safetensors", "average.safetensors")
    states = [[load_file(out / "checkpoint" / name) for name in files] for out in (one, other)]
    return all(
        torch.equal(tensor, second[name])
        for first, second in zip(*states, strict=True)
        for name, tensor in first.items()
    )


def test_phases_follow_each_other_and_all_of_it_is_logged(whole):
    lines = curve(whole)
    trained = [(line["phase"], line["step"]) for line in lines if line["kind"] == "train"]
    assert trained == [("regression", n) for n in (1, 2, 3, 4)] + [("gan", n) for n in (5, 6, 7)]
    gan = next(line for line in lines if line["phase"] == "gan" and line["kind"] == "train")
    assert {"maker_loss", "judge_loss", "maker_gradient_norm", "judge_gradient_norm", "learning_rate"} <= set(gan)
    measured = [line["step"] for line in lines if line["kind"] == "tune"]
    assert measured == [3, 4, 7]
    tune = next(line for line in lines if line["kind"] == "tune")
    assert {"mae_tmax", "mae_cbf", "dice_tmax6", "volume_error_ml", "volume_bias_ml"} <= set(tune)
    assert list((whole / "tensorboard").iterdir())


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("stop_at", [3, 4, 5])
def test_a_run_that_died_goes_on_to_the_same_curve_bit_by_bit(whole, bundle, cases, tmp_path, stop_at, workers):
    class Died(Exception):
        pass

    def die(told):
        if told.step == stop_at:
            raise Died

    settings = config(bundle, cases, tmp_path, workers=workers)
    with pytest.raises(Died):
        train(settings, die, make_task=make_task)
    assert train(settings, make_task=make_task).finished
    assert curve(tmp_path) == curve(whole)
    assert same_weights(tmp_path, whole)


def test_cancelling_writes_the_checkpoint_first(whole, bundle, cases, tmp_path):
    def cancel(told):
        if told.step == 3:
            raise Cancelled

    settings = config(bundle, cases, tmp_path, checkpoint_every=1000)
    with pytest.raises(Cancelled, match="step 3 of 7"):
        train(settings, cancel, make_task=make_task)
    told = []
    train(settings, told.append, make_task=make_task)
    assert [(t.phase, t.step, t.of) for t in told[:2]] == [("regression", 4, 7), ("gan", 5, 7)]
    assert told[-1].seconds_left == 0
    assert curve(tmp_path) == curve(whole)


def test_minutes_stop_cleanly_and_the_parts_equal_one_run(whole, bundle, cases, tmp_path, monkeypatch):
    settings = config(bundle, cases, tmp_path, minutes=1.0, checkpoint_every=1000)
    clock = [0.0]
    monkeypatch.setattr(stopping.time, "monotonic", lambda: clock[0])

    def half_a_minute_passes(told):
        clock[0] += 30

    reached = []
    for _ in range(8):
        ended = train(settings, half_a_minute_passes, make_task=make_task)
        reached.append(ended.step)
        if ended.finished:
            break
    assert reached[:3] == [2, 4, 6]
    assert ended.finished
    assert curve(tmp_path) == curve(whole)
    assert same_weights(tmp_path, whole)


def test_a_finished_run_is_left_as_it_is(whole, bundle, cases):
    before = (whole / "log.jsonl").read_bytes()
    ended = train(config(bundle, cases, whole), make_task=make_task)
    assert ended.finished
    assert (whole / "log.jsonl").read_bytes() == before


def test_a_phase_ends_when_nothing_has_become_better_for_long(bundle, cases, tmp_path):
    class Stuck(SmallTask):
        def predict(self, network, head, device):
            return {name: 0 * head.volumes[name] for name in ("tmax", "cbf")}

    settings = config(bundle, cases, tmp_path, tuning={"every": 1, "heads": 1, "patience": 2})
    ended = train(settings, make_task=lambda spec, config: Stuck(spec, steps=(50, 50)))
    assert ended.finished
    phases = [line["phase"] for line in curve(tmp_path) if line["kind"] == "train"]
    assert phases == ["regression"] * 3 + ["gan"] * 3
    best = json.loads((tmp_path / "best" / "gan.json").read_text())
    assert best["step"] == 1
    assert best["figures"]["mae_tmax"] > 0


def test_the_best_weights_are_those_of_the_best_measurement(bundle, cases, tmp_path):
    kept = {}

    class Foretold(SmallTask):
        errors = iter([5.0, 3.0, 4.0, 6.0])

        def predict(self, network, head, device):
            error = next(self.errors)
            kept[error] = {name: tensor.clone() for name, tensor in network.state_dict().items()}
            return {name: head.volumes[name] + error for name in ("tmax", "cbf")}

    settings = config(bundle, cases, tmp_path, tuning={"every": 1, "heads": 1})
    train(settings, make_task=lambda spec, config: Foretold(spec, steps=(4, 0)))
    best = load_file(tmp_path / "best" / "regression.safetensors")
    assert all(torch.equal(tensor, kept[3.0][name]) for name, tensor in best.items())
    assert json.loads((tmp_path / "best" / "regression.json").read_text())["step"] == 2


def test_tuning_figures_are_those_of_a_known_error(bundle, cases, tmp_path):
    class Late(SmallTask):
        def predict(self, network, head, device):
            return {"tmax": head.volumes["tmax"] + 1.5, "cbf": head.volumes["cbf"] - 4}

    train(config(bundle, cases, tmp_path), make_task=lambda spec, config: Late(spec, steps=(1, 0)))
    (tune,) = (line for line in curve(tmp_path) if line["kind"] == "tune")
    assert tune["mae_tmax"] == pytest.approx(1.5, abs=1e-4)
    assert tune["mae_cbf"] == pytest.approx(4, abs=1e-3)
    assert tune["volume_bias_ml"] == tune["volume_error_ml"] > 0
    assert 0 < tune["dice_tmax6"] < 1


def test_fine_tuning_begins_at_the_weights_and_their_average_forgets_slowly(bundle, tmp_path):
    spec = read_bundle(bundle).spec
    torch.manual_seed(9)
    task = TurboTask(spec, TurboSettings())
    state = RunState(task, OptimiserSettings(), tmp_path / "checkpoint", torch.device("cpu"))
    before = {name: tensor.clone() for name, tensor in state.exported.state_dict().items()}
    state.start_from(read_bundle(bundle))
    stored = load_file(bundle / "models" / "model.safetensors")
    assert any(not torch.equal(before[name], tensor.float()) for name, tensor in stored.items())
    for name, tensor in stored.items():
        assert torch.equal(state.exported.state_dict()[name], tensor.float())
    with torch.no_grad():
        for weight in state.exported.parameters():
            weight += 1
    state.update_average()
    for name, tensor in state.average.state_dict().items():
        torch.testing.assert_close(tensor, stored[name].float() + 0.002, atol=1e-4, rtol=0)


def test_fine_tuning_starts_at_the_loss_of_the_weights(bundle, cases, tmp_path):
    settings = config(bundle, cases, tmp_path / "begun", task=QUICK["task"], start_from=bundle)
    train(settings)
    patients = patients_of(settings, read_bundle(bundle).spec, lambda stage, fraction: None)
    task = TurboTask(read_bundle(bundle).spec, settings.task)
    task.networks["generator"].load_state_dict(read_weights(read_bundle(bundle)))
    phase = task.phases[0]
    order = Order(4, phase.heads_per_step, seed=0, phase=0)
    data = StepBatches(patients.train, phase, order, Augmentation(settings.augmentation, task.spec), (0, 0))
    with torch.no_grad():
        wanted = phase.updates[0].losses(task.networks, data[0])["loss"]
    assert curve(tmp_path / "begun")[0]["loss"] == pytest.approx(float(wanted), rel=1e-5)


def test_weights_of_another_network_are_refused(bundle, cases, tmp_path):
    with pytest.raises(InputError) as caught:
        train(config(bundle, cases, tmp_path, start_from=bundle), make_task=make_task)
    assert caught.value.code == "other_network"


def test_a_run_does_not_go_on_with_other_patients(bundle, cases, tmp_path):
    train(config(bundle, cases, tmp_path), make_task=make_task)
    with pytest.raises(InputError) as caught:
        train(config(bundle, cases, tmp_path, split_file=None), make_task=make_task)
    assert caught.value.code in ("other_patients", "too_few_patients")


def test_a_verdict_after_a_run_has_begun_leaves_it_its_patients(bundle, tmp_path, whole):
    data = write_cases(tmp_path / "cases", 6)
    split = tmp_path / "split.json"
    split.write_text((whole / "split.json").read_text())

    def stop_at_four(told):
        if told.step == 4:
            raise Cancelled

    settings = config(bundle, data, tmp_path / "run", split_file=split)
    with pytest.raises(Cancelled):
        train(settings, stop_at_four, make_task=make_task)
    failed = CaseRegistration(np.eye(4), "automatic", 0.1, "fail", "two patients")
    keep_registration(data / "case01", failed, b"a transform")
    assert train(settings, make_task=make_task).finished
    assert curve(tmp_path / "run") == curve(whole)
    assert json.loads((tmp_path / "run" / "left_out.json").read_text()) == {}
    train(config(bundle, data, tmp_path / "next", split_file=split), make_task=make_task)
    assert "two patients" in json.loads((tmp_path / "next" / "left_out.json").read_text())["case01"]


def test_patients_whom_the_split_does_not_name_are_listed(bundle, cases, tmp_path):
    split = tmp_path / "split.json"
    names = {"train": ["case00", "case01", "nobody"], "tune": ["case05"]}
    split.write_text(json.dumps({"kind": "cases", "names": names}))
    train(config(bundle, cases, tmp_path / "run", split_file=split), make_task=make_task)
    left_out = json.loads((tmp_path / "run" / "left_out.json").read_text())
    assert set(left_out) == {"case02", "case03", "case04", "nobody"}
    assert left_out["nobody"].startswith("no_case")


def test_a_loss_that_is_no_number_ends_the_run_and_the_checkpoint_stays(bundle, cases, tmp_path):
    class Bursting(SmallTask):
        def _errors(self, networks, batch):
            losses = super()._errors(networks, batch)
            self.made = getattr(self, "made", 0) + 1
            return losses | {"loss": losses["loss"] * (math.nan if self.made == 4 else 1)}

    with pytest.raises(PerfusynthError, match="cannot go on"):
        train(config(bundle, cases, tmp_path), make_task=lambda spec, config: _rewired(Bursting(spec)))
    assert all(tensor.isfinite().all() for tensor in read_network(tmp_path / "checkpoint", "maker").values())


def _rewired(task):
    first = task.phases[0]
    task.phases = (
        Phase(**{**vars(first), "updates": (Update(("maker",), task._errors),)}),
        *task.phases[1:],
    )
    return task


def test_an_unknown_tuning_figure_is_refused_before_any_work(bundle, cases, tmp_path):
    with pytest.raises(InputError) as caught:
        train(config(bundle, cases, tmp_path / "run", tuning={"best_by": "beauty"}), make_task=make_task)
    assert caught.value.code == "unknown_figure"
    assert not (tmp_path / "run").exists()


def test_the_learning_rate_rises_then_falls():
    settings = OptimiserSettings(warmup_steps=100)
    rates = [steps.learning_rate(1e-3, settings, step, 1000) for step in (1, 50, 100, 550, 1000)]
    assert rates[0] < rates[1] < rates[2] == 1e-3 > rates[3] > rates[4] == pytest.approx(2e-5)


def test_a_phase_leaves_the_networks_alone_that_none_of_its_updates_names(bundle, cases, tmp_path):
    train(config(bundle, cases, tmp_path), make_task=lambda spec, config: SmallTask(spec, steps=(4, 0)))
    torch.manual_seed(0)
    begun = SmallTask(read_bundle(bundle).spec).networks
    for name, moved in (("maker", True), ("judge", False)):
        ended = read_network(tmp_path / "checkpoint", name)
        assert any(not torch.equal(ended[key], tensor) for key, tensor in begun[name].state_dict().items()) == moved
