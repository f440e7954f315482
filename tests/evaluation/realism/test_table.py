"""Verdicts, the table's text, and its place in a page."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from perfusynth.errors import InputError
from perfusynth.evaluation.page_block import put_between_markers
from perfusynth.evaluation.realism import table
from perfusynth.evaluation.realism.acceptance import ROWS
from perfusynth.evaluation.realism.estimates import mean
from perfusynth.evaluation.realism.rows import Row, within

ROW = Row("key", "NCCT", "A mean", "10 ± 1", "Nak", 9, 11, "HU", ("x",), mean)


def patients(centre: float, count: int = 100, sd: float = 1.0) -> list[dict]:
    values = np.random.default_rng(5).normal(0, 1, count)
    values = centre + sd * (values - values.mean()) / values.std()
    return [{"x": float(v), "site": "M1", "onset_h": float(k), "chronic_ica": False} for k, v in enumerate(values)]


@pytest.mark.parametrize(
    ("centre", "sd", "verdict"),
    [(10.0, 1.0, "within"), (11.0, 1.0, "within"), (11.1, 1.0, "reached by the interval"), (11.5, 1.0, "outside"),
     (8.0, 1.0, "outside"), (8.0, 12.0, "reached by the interval")],
)  # fmt: skip
def test_the_verdict_says_whether_estimate_or_interval_reach_the_range(centre: float, sd: float, verdict: str):
    found = table.measure(ROW, patients(centre, sd=sd))
    assert found.verdict == verdict
    assert found.estimate == pytest.approx(centre)
    assert found.low < found.estimate < found.high


def test_a_stated_reason_explains_only_what_lies_outside():
    row = dataclasses.replace(ROW, explanation="another protocol")
    assert table.measure(row, patients(20)).verdict == "explained"
    assert table.measure(row, patients(20)).explanation == "another protocol"
    assert table.measure(row, patients(10)).explanation == ""


def test_nine_patients_are_too_few():
    found = table.measure(ROW, patients(10, 9))
    assert (found.verdict, found.patients, found.estimate) == ("too few patients", 9, None)


def test_patients_without_a_figure_or_outside_the_selection_are_left_out():
    rows = [*patients(10), {"x": None, "site": "M1", "onset_h": 1.0}, {"site": "M1", "onset_h": 1.0}]
    assert table.measure(ROW, rows).patients == 100
    assert table.measure(dataclasses.replace(ROW, where=within(3, 20)), rows).patients == 17  # 4 to 20 h


def test_the_table_has_every_row_and_json_holds_the_same():
    results = table.measure_all(patients(10))
    assert [r.key for r in results] == [row.key for row in ROWS]
    assert len(table.markdown(results).splitlines()) == 2 + len(ROWS)
    stored = json.loads(table.as_json(results, {"patients": 100}))
    assert [row["verdict"] for row in stored["rows"]] == [r.verdict for r in results]


def test_every_row_of_the_table_of_targets_accepts_its_own_target():
    assert len({row.key for row in ROWS}) == len(ROWS)
    assert all(row.low <= row.high for row in ROWS)
    middles = {"grey_minus_white": 7.1, "noise_sd": 3.7, "left_right": 1.2, "core_nwu_3_h": 6, "core_nwu_24_h": 22,
               "hir": 0.4, "core_rcbf": 0.19, "mimic": 14, "rcbf_sensitivity": 67, "rcbf_specificity": 87,
               "rcbf_volume": 14, "rcbf_auc": 0.88, "flair_3_h": 50, "flair_6_h": 93, "core_over_70": 25,
               "core_up_to_30": 55, "zeroed_is_twin": 100}  # fmt: skip
    by_key = {row.key: row for row in ROWS}
    for key, middle in middles.items():
        assert by_key[key].low <= middle <= by_key[key].high


def test_only_what_is_between_the_markers_changes(tmp_path: Path):
    page = tmp_path / "phantom.md"
    page.write_text("before\n<!-- realism:begin -->\nold\n<!-- realism:end -->\nafter\n")
    put_between_markers(page, "realism", "new\n")
    assert page.read_text() == "before\n<!-- realism:begin -->\nnew\n<!-- realism:end -->\nafter\n"


@pytest.mark.parametrize("content", ["", "<!-- realism:end --><!-- realism:begin -->", "<!-- realism:begin -->"])
def test_a_page_without_a_place_is_refused(tmp_path: Path, content: str):
    page = tmp_path / "phantom.md"
    page.write_text(content)
    with pytest.raises(InputError):
        put_between_markers(page, "realism", "new\n")
    assert page.read_text() == content
