"""An evaluation from end to end: rows that continue, refusals, and a report whose numbers are those of the rows."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from perfusynth.errors import InputError
from perfusynth.evaluation.model_figures import rows as of_rows
from perfusynth.evaluation.model_figures.baselines.fit import shipped_baselines
from perfusynth.evaluation.model_figures.evaluate import ROWS_FILE, evaluate_seeds
from perfusynth.evaluation.model_figures.names import CEILING, CEILING_PRIOR, CONSTANT
from perfusynth.evaluation.model_figures.plan import Plan
from perfusynth.evaluation.patient_rows import phantom_identity, read_rows
from perfusynth.generators.bundles import read_bundle
from perfusynth.perfusion.notices import NOT_VALID_FOR_PATIENTS, SYNTHETIC
from perfusynth.perfusion.volume_intervals import INTERVALS_FILE, IntervalTable, VolumeGroup
from tests.evaluation.model_figures.drawn_by_hand import seeds_where, write_by_hand
from tests.generators.tiny import write_tiny_bundle

FIRST = 3_000_000
MODEL = "tiny"


@pytest.fixture(scope="module")
def seeds() -> range:
    """Ten patients in a row, some of them with a deficit and some without."""
    found = range(FIRST, FIRST + 10)
    assert 0 < len([s for s in found if s in seeds_where(FIRST, 10, site=True)]) < 10
    return found


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory, seeds: range) -> Plan:
    folder = tmp_path_factory.mktemp("evaluation")
    ill = set(seeds_where(FIRST, len(seeds), site=True))
    for seed in seeds:
        write_by_hand(folder / "drawn", seed, 4 + seed % 9 if seed in ill else 0)
    bundle = write_tiny_bundle(folder / MODEL)
    return Plan((bundle,), shipped_baselines(), None, folder / "drawn", "cpu")


@pytest.fixture(scope="module")
def ceiling(tmp_path_factory: pytest.TempPathFactory, seeds: range) -> Path:
    folder = tmp_path_factory.mktemp("ceiling")
    figures = {"dice": 0.5, "dice_prior": 0.3, "dice_core": 0.2, "right_probability": 0.9}
    report = {**phantom_identity(), "rows": [{"seed": seed, **figures} for seed in seeds]}
    (folder / "ceiling.json").write_text(json.dumps(report))
    return folder


@pytest.fixture(scope="module")
def evaluated(plan: Plan, seeds: range, ceiling: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out")
    evaluate_seeds(plan, seeds, out, ceiling=ceiling)
    return out


def test_the_reports_numbers_are_those_of_the_rows(evaluated: Path, seeds: range):
    report = json.loads((evaluated / "report.json").read_text())
    rows = [row for row in read_rows(evaluated / ROWS_FILE) if row["method"] == MODEL]
    assert report["patients"] == len(rows) == len(seeds)
    ill = [row for row in rows if row["deficit"]]
    assert report["patients_with_deficit"] == len(ill) > 0
    found = report["methods"][MODEL]
    assert found["overlap"]["dice_6"]["value"] == pytest.approx(np.mean([r["dice_6"] for r in ill]), abs=1e-4)
    bias = np.mean([r["made_ml_6"] - r["truth_ml_6"] for r in ill])
    assert found["volumes"]["tmax_6"]["deficit"]["bias_ml"]["value"] == pytest.approx(bias, abs=1e-3)
    assert found["errors"]["mae_tmax_brain"]["value"] == pytest.approx(
        np.mean([r["mae_tmax_brain"] for r in rows]), abs=1e-4
    )
    skill = (found["overlap"]["dice_6"]["value"] - 0.3) / (0.5 - 0.3)
    assert found["skill"]["value"] == pytest.approx(skill, abs=1e-3)
    assert report["methods"][CONSTANT]["overlap"]["dice_6"]["value"] == 0
    assert report["methods"][CEILING]["overlap"]["dice_6"]["value"] == 0.5
    assert report["methods"][CEILING_PRIOR]["overlap"]["dice_6"]["value"] == 0.3


def test_truth_is_what_was_written_by_hand(evaluated: Path):
    rows = [row for row in read_rows(evaluated / ROWS_FILE) if row["method"] == CONSTANT and row["deficit"]]
    assert all(row["truth_side"] == row["side"] for row in rows)
    assert len({row["truth_ml_6"] for row in rows}) > 1


def test_every_patient_is_in_the_table_once_for_each_method(evaluated: Path, seeds: range):
    with (evaluated / "patients.csv").open() as stream:
        lines = list(csv.DictReader(stream))
    counted: dict[str, int] = {}
    for line in lines:
        counted[line["method"]] = counted.get(line["method"], 0) + 1
    assert set(counted.values()) == {len(seeds)}
    assert len(counted) == 7
    assert "features_tmax_made" not in lines[0]


def test_the_page_stands_alone_and_says_what_it_is(evaluated: Path):
    page = (evaluated / "report.html").read_text()
    for text in (SYNTHETIC, NOT_VALID_FOR_PATIENTS, "Clinical default", "The ten worst", "incidence map"):
        assert text in page
    assert "http" not in page.replace("http-equiv", "")
    assert "<script" not in page
    assert (evaluated / "pictures" / "volumes.png").stat().st_size > 5000


def test_a_run_goes_on_where_it_was_and_makes_nothing_twice(
    plan: Plan, seeds: range, evaluated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path, cases = tmp_path / ROWS_FILE, [str(seed) for seed in seeds]
    of_rows.rows_of_cases(path, plan, cases[:4])
    # As if it had been stopped while it wrote: the last line lacks its end.
    path.write_text(path.read_text()[:-20])
    made: list[of_rows.Job] = []
    honest = of_rows._rows_of_job
    monkeypatch.setattr(of_rows, "_rows_of_job", lambda job, **more: made.append(job) or honest(job, **more))
    rows = of_rows.rows_of_cases(path, plan, cases)
    assert [(job.case, len(job.methods)) for job in made] == [(cases[3], 1), *((case, 5) for case in cases[4:])]
    timings = ("seconds", "seconds_figures")
    whole = {(row["case"], row["method"]): row for row in read_rows(evaluated / ROWS_FILE)}
    for row in rows:
        expected = whole[row["case"], row["method"]]
        assert {k: v for k, v in row.items() if k not in timings} == {
            k: v for k, v in expected.items() if k not in timings
        }


def test_another_model_under_the_name_is_not_mixed_in(plan: Plan, seeds: range, evaluated: Path, tmp_path: Path):
    text = (evaluated / ROWS_FILE).read_text()
    identity = read_rows(evaluated / ROWS_FILE)[0]["identity"]
    (tmp_path / ROWS_FILE).write_text(text.replace(identity, "0" * 12))
    with pytest.raises(InputError) as caught:
        evaluate_seeds(plan, seeds, tmp_path)
    assert caught.value.code == "other_model"


def test_patients_that_the_model_has_seen_are_refused(plan: Plan, tmp_path: Path):
    bundle = write_tiny_bundle(tmp_path / "seen")
    path = bundle / "configs" / "metadata.json"
    metadata = json.loads(path.read_text())
    metadata["perfusynth"]["training"] = {"settings": {"train_seeds": [FIRST + 5, FIRST + 9]}}
    path.write_text(json.dumps(metadata))
    with pytest.raises(InputError) as caught:
        evaluate_seeds(Plan((bundle,)), range(FIRST, FIRST + 10), tmp_path / "out")
    assert caught.value.code == "seen_patients"
    assert not (tmp_path / "out").exists()


def _with_intervals(bundle: Path, seeds: str, weights: str) -> Path:
    """Intervals that hold everything of Tmax > 6 s, as if calibrated on ``seeds``."""
    group = {"above_ml": -1, "low": -100.0, "high": 100.0, "patients": 1000}
    table = IntervalTable(
        level=0.9, groups={"6": [VolumeGroup(**group)]}, patients=1000, seeds=seeds, phantom_version="1.0",
        phantom_hash="0" * 64, calibrated_on="digital phantoms", weights_sha256=weights, regions={},
    )  # fmt: skip
    (bundle / INTERVALS_FILE).write_text(table.model_dump_json())
    return bundle


def test_intervals_of_a_bundle_are_tested_unless_they_are_of_other_weights(
    plan: Plan, seeds: range, evaluated: Path, tmp_path: Path
):
    for name, weights in (("same", read_bundle(plan.models[0]).spec.weights_sha256), ("other", "1" * 64)):
        bundle = _with_intervals(write_tiny_bundle(tmp_path / name / MODEL), "9000000:9001000", weights)
        out = tmp_path / f"out {name}"
        shutil.copytree(evaluated, out)  # its rows: nothing is measured again
        report = evaluate_seeds(Plan((bundle,), plan.baselines, None, plan.drawn, "cpu"), seeds, out)
        page = (out / "report.html").read_text()
        if name == "same":
            assert report["intervals"][MODEL]["6"]["all"]["coverage"] == 1
            assert "calibrated 90% intervals" in page
        else:
            assert report["intervals"] == {}
            assert "calibrated 90% intervals" not in page


def test_patients_that_calibrated_the_intervals_are_refused(plan: Plan, seeds: range, tmp_path: Path):
    bundle = _with_intervals(write_tiny_bundle(tmp_path / MODEL), f"{FIRST + 3}:{FIRST + 4}", "1" * 64)
    with pytest.raises(InputError) as caught:
        evaluate_seeds(Plan((bundle,)), seeds, tmp_path / "out")
    assert caught.value.code == "seen_patients"


def test_two_models_of_one_name_are_refused(plan: Plan, tmp_path: Path):
    with pytest.raises(InputError) as caught:
        Plan((plan.models[0], write_tiny_bundle(tmp_path / MODEL))).bundles()
    assert caught.value.code == "same_name"


def test_a_listener_can_stop_it_and_what_was_made_stays(plan: Plan, seeds: range, tmp_path: Path):
    class Stopped(Exception):
        pass

    def stop_after_two(stage: str, fraction: float) -> None:
        if stage.startswith("patient 2"):
            raise Stopped

    with pytest.raises(Stopped):
        evaluate_seeds(plan, seeds, tmp_path, on_progress=stop_after_two)
    assert len({row["case"] for row in read_rows(tmp_path / ROWS_FILE)}) == 2
    assert not (tmp_path / "report.json").exists()
