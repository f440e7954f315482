"""What the report says: numbers as text, verdicts by the bars and only where patients are enough, who is shown."""

import pytest

from perfusynth.evaluation.model_figures.patient_table import PatientTable
from perfusynth.evaluation.model_figures.report import patients_shown, tables
from perfusynth.evaluation.model_figures.report.page import Section, render_page
from perfusynth.evaluation.model_figures.report.verdict import verdicts
from perfusynth.evaluation.model_figures.summary import summary_of
from tests.evaluation.model_figures.conftest import row


@pytest.mark.parametrize(
    ("found", "options", "text"),
    [
        ({"value": 0.456, "low": 0.4, "high": 0.5, "n": 9}, {}, "0.46 (0.40 to 0.50)"),
        ({"value": 0.456, "low": None, "high": None, "n": 3}, {}, "0.46"),
        ({"value": None, "low": None, "high": None, "n": 0}, {}, "–"),
        ({"value": 0.958, "low": 0.9, "high": 1.0, "n": 9}, {"percent": True}, "96 % (90 to 100)"),
        ({"value": -0.001, "low": None, "high": None, "n": 3}, {}, "0.00"),
        (None, {}, "–"),
    ],
)
def test_numbers_as_text(found, options, text):
    assert tables.estimated(found, **options) == text


def _rows(patients: int, **differs) -> list[dict]:
    return [row(case, "model", **differs) for case in range(patients)]


def test_verdicts_follow_the_bars():
    good = verdicts(summary_of(_rows(20)), "model")
    assert [v.good for v in good if "right side" in v.text] == [True]
    bad = verdicts(summary_of(_rows(20, made_side="left")), "model")
    assert [v.good for v in bad if "right side" in v.text] == [False]


def test_false_alarms_fall_short_above_their_bar():
    without = {"deficit": False, "dice_6": None, "site": "none", "side": "none"}
    rows = [row(case, "model", **without, made_ml_6=20.0 if case < 2 else 0.0) for case in range(10)]
    said = verdicts(summary_of([*rows, *[row(c, "model") for c in range(10, 20)]]), "model")
    assert [v.good for v in said if "without a deficit" in v.text] == [False]


def test_too_few_patients_give_no_verdict():
    assert verdicts(summary_of(_rows(5)), "model") == []


def test_a_model_must_beat_every_baseline():
    def said(of_rule: float) -> list[bool]:
        rows = [row(case, "model", dice_6=0.5 + case / 100) for case in range(12)]
        rows += [row(case, "rule", kind="baseline", dice_6=of_rule) for case in range(12)]
        return [v.good for v in verdicts(summary_of(rows), "model") if "verlap" in v.text]

    assert said(0.2) == [True]
    assert said(0.6) == [False]


def test_the_worst_are_those_with_the_largest_error_of_the_volume():
    rows = [row(case, "model", made_ml_6=100.0 + (-1) ** case * case) for case in range(15)]
    found = [int(r["case"]) for r in patients_shown.worst(PatientTable(rows), "model")]
    assert found == list(range(14, 4, -1))


def test_typical_patients_lie_in_the_middle_of_their_group():
    rows = [row(case, "model", dice_6=case / 10, sign_clot=case % 2 == 0) for case in range(10)]
    found = {int(r["case"]) for r in patients_shown.typical(PatientTable(rows), "model")}
    assert {4, 5} <= found
    assert not {0, 1, 8, 9} & found


def test_only_patients_whom_all_methods_were_given_are_compared():
    rows = [*[row(case, "a") for case in range(5)], *[row(case, "b") for case in range(3, 9)]]
    assert PatientTable(rows).cases == ["3", "4"]


def test_everything_on_the_page_is_escaped():
    evil = "<script>alert(1)</script>"
    table = tables.Table(evil, [evil], [(evil, [evil]), (evil, [])])
    page = render_page(evil, evil, [evil], [], [], [evil], [Section(evil, [evil], [table])], {evil: evil})
    assert "<script" not in page
    assert page.count("&lt;script") >= 10
