"""The ceiling at both ends (noise-free input; nothing but noise), and the whole command on a few patients."""

import json
from pathlib import Path

import numpy as np
import pytest

from perfusynth.evaluation.information_ceiling.__main__ import main
from perfusynth.evaluation.information_ceiling.bank import Draws
from perfusynth.evaluation.information_ceiling.ceiling import Ceiling, Patients, darker_side_is_right
from perfusynth.evaluation.information_ceiling.observer import Observer
from perfusynth.evaluation.information_ceiling.posterior import dice
from perfusynth.evaluation.information_ceiling.report import report_of
from perfusynth.evaluation.information_ceiling.run import TEST_SEED
from perfusynth.evaluation.information_ceiling.sign import SignCuts
from perfusynth.evaluation.information_ceiling.visible import NAMES, PART_COUNT, PIECE_COUNT

CUTS = SignCuts(3.0, 3.0, {}, {})


def observer_with(sd: float) -> Observer:
    gain = np.kron(np.eye(PIECE_COUNT), np.full(PART_COUNT // PIECE_COUNT, 0.5 / (PART_COUNT // PIECE_COUNT)))
    return Observer(np.full(len(NAMES), 3.0), sd**2 * np.eye(len(NAMES)), gain)


def patients_of(bank: Draws, which: np.ndarray, observer: Observer) -> Patients:
    """Draws of the bank as if they had come to the scanner, without noise."""
    truth = Draws(**{name: values[which] for name, values in vars(bank).items()})
    return Patients(truth, observer.mean + observer.summaries(truth.parts), np.stack([observer.gain] * len(which)))


def test_without_noise_the_twin_itself_dominates(small_bank: Draws):
    observer = observer_with(0.002)
    shown = np.flatnonzero((np.abs(small_bank.parts).max(axis=1) > 1) & (small_bank.region_ml > 10))[:8]
    patients = patients_of(small_bank, shown, observer)
    ceiling = Ceiling(small_bank, observer, CUTS, minimum_twins=1.0)
    for number in range(len(patients)):
        figures = ceiling.posterior(patients, number).figures
        assert figures.dice == pytest.approx(1, abs=0.01)
        assert figures.inflation == 1
        assert figures.volume_ml == pytest.approx(figures.truth_ml, rel=1e-3)
        assert figures.side_right in (1.0, None)
        assert figures.sign_clot or figures.sign_core


def test_with_nothing_but_noise_the_ceiling_is_the_prior_without_a_side(small_bank: Draws):
    observer = observer_with(1e4)
    ill = np.flatnonzero(small_bank.region_ml > 3)
    patients = patients_of(small_bank, ill[::8], observer)
    ceiling = Ceiling(small_bank, observer, CUTS)
    found = [ceiling.posterior(patients, number) for number in range(len(patients))]
    figures = [posterior.figures for posterior in found]
    assert all(f.inflation == 1 for f in figures)
    assert np.mean([f.dice for f in figures]) == pytest.approx(np.mean([f.dice_both_sides for f in figures]), abs=0.01)
    assert [f.right_probability for f in figures] == pytest.approx([0.5] * len(figures), abs=1e-3)
    deficits = float((small_bank.region_ml >= 3).mean())
    assert [f.deficit_probability for f in figures] == pytest.approx([deficits] * len(figures), abs=1e-3)
    # The set is (nearly) the same for all, so that what is expected of it must be its mean Dice over all the bank.
    marked, regions = found[0].marked, small_bank.masks(ill)
    mean = np.mean([dice(marked, region) for region in regions])
    assert mean == pytest.approx(figures[0].expected_dice, abs=0.01)


def test_more_noise_lets_less_be_known(small_bank: Draws):
    """Twins of the bank, seen by observers with more and more noise: Dice falls, intervals widen."""
    shown = np.flatnonzero((np.abs(small_bank.parts).max(axis=1) > 2) & (small_bank.region_ml > 20))[:10]
    dices, widths = [], []
    for sd in (0.05, 1.0, 30.0):
        observer = observer_with(sd)
        ceiling = Ceiling(small_bank, observer, CUTS, minimum_twins=1.0)
        patients = patients_of(small_bank, shown, observer)
        figures = [ceiling.posterior(patients, number).figures for number in range(len(patients))]
        dices.append(np.mean([f.dice for f in figures]))
        widths.append(np.mean([f.high_ml - f.low_ml for f in figures]))
    assert dices[0] > dices[1] > dices[2]
    assert widths[0] < widths[1] < widths[2]


def test_the_fixed_rule_takes_the_darker_side():
    measured = np.zeros(len(NAMES))
    measured[NAMES.index("tissue M5 right")] = -2.0
    assert darker_side_is_right(measured)
    measured[NAMES.index("tissue M5 left")] = -3.0
    assert not darker_side_is_right(measured)


def test_the_report_of_patients_whom_nobody_sees(small_bank: Draws):
    observer = observer_with(1e4)
    patients = patients_of(small_bank, np.arange(16), observer)
    ceiling = Ceiling(small_bank, observer, CUTS)
    report = report_of([ceiling.posterior(patients, number).figures for number in range(16)])
    assert report["U"]["n"] == report["patients_with_deficit"]
    assert report["strata"]["occult"]["patients"] == report["patients_with_deficit"]
    assert report["strata"]["sign"]["patients"] == 0
    assert report["volume"]["icc_all"] == pytest.approx(0, abs=0.3)
    # Nobody can be told ill from well: to spare the well, all must be given nothing.
    assert report["U_with_few_false_positives"]["without_deficit_given_15_ml"] <= 0.1


def test_the_command_writes_its_report_and_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    arguments = ["--out", str(tmp_path), "--draws", "60", "--patients", "6", "--healthy", "8", "--processes", "1"]
    assert main(arguments) == 0
    report = json.loads((tmp_path / "ceiling.json").read_text())
    assert report["patients"] == 6 == len(report["rows"])
    assert report["rows"][0]["seed"] == TEST_SEED
    assert report["parameter_hash"]
    assert 0 <= report["U"]["mean"] <= 1
    assert set(report["sign_cuts"]) == {"clot", "core", "clot_hu", "core_hu"}
    assert (tmp_path / "ceiling.png").stat().st_size > 20_000
    assert "U:" in capsys.readouterr().out
    (tmp_path / "bank.json").write_text("{}")
    assert main(arguments) == 2
    assert "another phantom" in capsys.readouterr().err
