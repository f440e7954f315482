"""The ceiling beside an evaluation: read where it was made, made where it was not."""

import json
from pathlib import Path

import pytest

from perfusynth.evaluation.model_figures import ceiling_rows as of_ceiling
from perfusynth.evaluation.model_figures.ceiling_rows import MADE_FILE, ceiling_of_seeds, ceiling_rows
from perfusynth.evaluation.model_figures.names import CEILING, CEILING_PRIOR
from perfusynth.evaluation.patient_rows import phantom_identity
from tests.evaluation.model_figures.conftest import row

SEEDS = range(3_000_000, 3_000_002)


def _quiet(stage: str, fraction: float) -> None:
    pass


def test_patients_of_a_small_bank_are_measured_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    made = ceiling_of_seeds(tmp_path, SEEDS, draws=60, on_progress=_quiet)
    assert set(made) == set(SEEDS)
    assert all(0 <= figures["right_probability"] <= 1 for figures in made.values())
    assert all(figures["dice"] is None or 0 <= figures["dice"] <= 1 for figures in made.values())
    monkeypatch.setattr(of_ceiling, "render_patients", None)
    monkeypatch.setattr(of_ceiling, "bank_of", None)
    again = ceiling_of_seeds(tmp_path, SEEDS, draws=60, on_progress=_quiet)
    assert again == json.loads(json.dumps(made, default=float), object_hook=_seeds_as_numbers)


def _seeds_as_numbers(found: dict) -> dict:
    return {int(key) if key.isdecimal() else key: value for key, value in found.items()}


def test_a_report_of_another_phantom_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    rows = [{"seed": seed, "dice": 0.9} for seed in SEEDS]
    for name in ("ceiling.json", MADE_FILE):
        (tmp_path / name).write_text(json.dumps({"parameter_hash": "0" * 64, "rows": rows}))
    monkeypatch.setattr(of_ceiling, "_made", lambda *_: {seed: {"seed": seed, "dice": 0.1} for seed in SEEDS})
    assert ceiling_of_seeds(tmp_path, SEEDS, on_progress=_quiet)[SEEDS[0]]["dice"] == 0.1


def test_a_finished_ceiling_is_only_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    rows = [{"seed": seed, "dice": 0.4} for seed in SEEDS]
    (tmp_path / "ceiling.json").write_text(json.dumps({**phantom_identity(), "rows": rows}))
    monkeypatch.setattr(of_ceiling, "_made", None)
    assert ceiling_of_seeds(tmp_path, SEEDS, on_progress=_quiet)[SEEDS[1]]["dice"] == 0.4


def test_rows_of_the_ceiling_are_of_the_same_patients_and_have_no_volumes():
    own = {"dice": 0.5, "dice_prior": 0.3, "dice_core": 0.2, "right_probability": 0.1}
    rows = [row(0), row(1, deficit=False, site="none")]
    found = ceiling_rows(rows, {0: own, 1: own})
    assert [(r["case"], r["method"]) for r in found] == [
        ("0", CEILING), ("0", CEILING_PRIOR), ("1", CEILING), ("1", CEILING_PRIOR)
    ]  # fmt: skip
    assert (found[0]["dice_6"], found[1]["dice_6"]) == (0.5, 0.3)
    assert found[0]["made_side"] == "left"
    assert found[2]["dice_6"] is None  # there is nothing to find
    assert all("made_ml_6" not in r for r in found)
    assert found[0]["truth_ml_6"] == rows[0]["truth_ml_6"]
