"""The study's rows: three sets apart, resumed, refused when registered otherwise; its table and pictures."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib import image

from perfusynth.errors import InputError
from perfusynth.evaluation.registration_error import pairs, study
from perfusynth.evaluation.registration_error.__main__ import study as command
from perfusynth.evaluation.registration_error.fit import SIGNS, fit_model, probabilities
from perfusynth.evaluation.registration_error.pairs import SEEDS_A_BLOCK, SimulatedPair
from perfusynth.evaluation.registration_error.picture import draw_pairs, draw_probabilities
from perfusynth.evaluation.registration_error.study import (
    BLOCKS,
    is_wrong,
    jobs_of,
    measure_pairs,
    registered,
    settings_hash,
    usable,
)
from perfusynth.evaluation.registration_error.table import markdown, summary
from perfusynth.registration import error_probability, register
from perfusynth.registration.registration_settings import RegistrationSettings
from perfusynth.volumes.volume import Volume


def made_up(job):
    """A row as if it had been registered: figures that tell the error, blurred."""
    part, seed, hard = job
    rng = np.random.default_rng([seed, hard])
    kinds = ("turned", "thin", "motion", "wrong patient")
    kind = kinds[seed % 4] if hard else "ordinary"
    error = None if kind == "wrong patient" else float(rng.choice([0.3, 1.0, 3.0, 20.0]))
    bad = 10.0 if error is None else error
    figures = {name: sign * (np.log(bad) + rng.normal(scale=0.5)) for name, sign in SIGNS.items()}
    row = {"part": part, "seed": seed, "hard": hard, "kind": kind, "heads": ["1", "1"]}
    if seed % 37 == 5:
        return [{**row, "refused": "nothing_to_register"}]
    row |= {"displaced": False, "error_mm": error, "figures": figures, "seconds": 1.0}
    return [row] if error is None else [row, row | {"displaced": True, "error_mm": error + 1.5}]


def test_sets_lie_in_blocks_of_their_own():
    jobs = jobs_of()
    assert len(jobs) == len(set(jobs)) == 100 + 52 + 200 + 25 + 12 + 24
    assert sum(part == "report" and hard for part, _, hard in jobs) == 200
    for part, seed, _ in jobs:
        assert seed // SEEDS_A_BLOCK == BLOCKS[part]
    assert set(jobs_of(0.1)) < set(jobs)


def test_rows_are_kept_and_not_made_again(tmp_path, monkeypatch):
    made = []
    monkeypatch.setattr(study, "row_of", lambda job: made.append(job) or made_up(job))
    jobs = jobs_of(0.05)
    first = measure_pairs(tmp_path, jobs[:5])
    rows = measure_pairs(tmp_path, jobs)
    assert made == list(jobs)
    assert [row for row in rows if (row["part"], row["seed"], row["hard"]) in jobs[:5]] == first
    told = []
    measure_pairs(tmp_path, jobs, on_progress=lambda *counts: told.append(counts))
    assert told == []


def test_rows_of_other_settings_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(study, "row_of", made_up)
    measure_pairs(tmp_path, jobs_of(0.01)[:2])
    before = settings_hash()
    monkeypatch.setattr(study, "RegistrationSettings", lambda: RegistrationSettings(bins=17))
    assert settings_hash() != before
    with pytest.raises(InputError):
        measure_pairs(tmp_path, jobs_of(0.01)[:3])


def test_two_patients_and_errors_above_two_millimetres_are_wrong():
    assert [is_wrong({"error_mm": error}) for error in (None, 2.01, 2.0, 0.0)] == [True, True, False, False]


@pytest.fixture(scope="module")
def rows():
    return [row for job in jobs_of(0.5) for row in made_up(job)]


@pytest.fixture(scope="module")
def model(rows):
    return fit_model(usable(rows, "fit"), usable(rows, "check"))


def test_refused_pairs_take_no_part(rows):
    assert any("refused" in row for row in rows)
    assert all("figures" in row for row in usable(rows, "fit"))
    assert not any(row["displaced"] for row in registered(rows, "fit"))
    assert all(row["hard"] for row in registered(rows, "report", hard=True))


def test_the_table_counts_what_the_rows_hold(rows, model):
    hard = registered(rows, "report", hard=True)
    wrong = sum(map(is_wrong, hard))
    found = summary(hard, model)
    assert (found["rows"], found["wrong"]) == (len(hard), wrong)
    text = markdown(rows, model)
    assert f"Reported on {len(hard)} hard pairs, {wrong} of them wrong" in text
    two = [row for row in hard if row["kind"] == "wrong patient"]
    kept = sum(p <= 0.2 for p in probabilities(model, two))
    assert f"| wrong patient | {len(two)} | none (two patients) | {len(two)} | {kept} | 0 |" in text
    json.dumps(model, allow_nan=False)


def test_pictures_are_drawn(rows, model, tmp_path):
    hard = registered(rows, "report", hard=True)
    draw_probabilities(hard, probabilities(model, hard), tmp_path / "error.png")
    assert image.imread(tmp_path / "error.png").std() > 0.05


def test_in_pictures_of_pairs_the_patients_left_is_on_the_right(tmp_path):
    """A dense left half (RAS x < 0), stored from left to right and from right to left."""
    hu = np.full((60, 60, 3), -1000.0, dtype=np.float32)
    hu[5:30, 5:55] = 1000.0
    affine = np.diag([3.0, 3.0, 5.0, 1.0])
    affine[:3, 3] = (-88.5, -88.5, 0.0)
    flip = np.diag([-1.0, 1.0, 1.0, 1.0])
    flip[0, 3] = 59
    fixed, moving = Volume(hu, affine), Volume(hu[::-1], affine @ flip)
    pair = SimulatedPair(0, "ordinary", ("1", "1"), fixed, moving, np.eye(4), np.zeros((1, 3)), np.zeros((1, 3)))
    draw_pairs([(pair, np.eye(4), "text")], tmp_path / "pairs.png")
    shown = image.imread(tmp_path / "pairs.png")[..., :3].mean(axis=2)
    below_titles = shown[shown.shape[0] // 3 :]
    for panel in np.array_split(below_titles, 3, axis=1):
        dark = panel < 0.1
        image_columns = np.flatnonzero(dark.any(axis=0))
        panel = panel[:, image_columns[0] : image_columns[-1]]
        left, right = np.array_split(panel[panel.shape[0] // 3 : -panel.shape[0] // 3], 2, axis=1)
        assert right.mean() > left.mean() + 0.3


def test_the_command_fits_reports_and_puts_the_model_in_force(tmp_path, monkeypatch):
    monkeypatch.setattr(study, "row_of", made_up)
    # The pictures' pairs, without heads and registration.
    hu = Volume(np.zeros((20, 20, 3)), np.diag([10.0, 10.0, 5.0, 1.0]))
    still = SimulatedPair(0, "ordinary", ("1", "1"), hu, hu, np.eye(4), np.zeros((1, 3)), np.zeros((1, 3)))
    monkeypatch.setattr(pairs, "simulated_pair", lambda seed, hard: still)
    monkeypatch.setattr(register, "register", lambda fixed, moving: SimpleNamespace(fixed_to_moving=np.eye(4)))
    monkeypatch.setattr(error_probability, "MODEL_FILE", tmp_path / "in_force.json")
    docs = tmp_path / "docs"
    docs.mkdir()
    page = "before\n<!-- registration-error:begin -->\nold\n<!-- registration-error:end -->\nafter\n"
    (docs / "registration.md").write_text(page)
    command(out=tmp_path / "out", share=0.3, processes=1, keep=True, docs=docs)
    model = json.loads((tmp_path / "in_force.json").read_text())
    assert model == json.loads((tmp_path / "out" / "error_probability.json").read_text())
    assert model["fitted_on"]["seeds"][0] == BLOCKS["fit"] * SEEDS_A_BLOCK
    text = (docs / "registration.md").read_text()
    assert "old" not in text
    assert "Brier score" in text
    assert text.startswith("before")
    assert text.endswith("after\n")
    assert {path.name for path in (docs / "pictures").iterdir()} == {"registration_error.png", "registration_pairs.png"}
