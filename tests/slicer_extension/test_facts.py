"""What the extension reads in a result's document, and when intervals may stand beside its volumes."""

import copy

import pytest
from measured_cases import FIELDS, WEIGHTS, measurer_of, random_maps, server_case
from PerfuSynthLib import interval
from PerfuSynthLib.facts import NO_INTERVALS, reading_of
from PerfuSynthLib.interval import core_interval_of, interval_of, why_no_intervals
from PerfuSynthLib.measurer import Measurer
from PerfuSynthLib.number_rows import number_rows, state_text
from PerfuSynthLib.problems import Problem

from perfusynth.perfusion.measurements import Measurements
from perfusynth.perfusion.notices import NOT_VALID_FOR_PATIENTS, SYNTHETIC
from perfusynth.report import facts as servers_report

INTERVALS = {
    "level": 0.9,
    "volumes_ml": {"4": (1.0, 900.0), "6": (2.0, 800.0), "8": (0.0, 700.0), "10": (0.0, 600.0)},
    "core_ml": (3.0, 300.0),
}
CHECK = {
    "code": "thick_slices",
    "severity": "warn",
    "message": "The slices are thick.",
    "expected": "at most 5 mm",
    "got": "7.5 mm",
}
UNUSUAL = {
    "verdict": "unusual",
    "text": "Unlike the patients of the training.",
    "score": 3.1,
    "limit": 2.0,
    "percentile": 99.9,
    "unusual": ["noise 14 HU"],
}
NOT_MEASURED = {"verdict": "not measured", "text": "This model has no reference."}


@pytest.fixture(scope="module")
def case():
    return server_case(random_maps(0), intervals=INTERVALS)


@pytest.fixture(scope="module")
def cleaned(case):
    return measurer_of(case).cleaned(6.0)


def damaged(document: dict, path: str, value) -> dict:
    copied = copy.deepcopy(document)
    *blocks, last = path.split(".")
    inner = copied
    for block in blocks:
        inner = inner[block]
    if value is None:
        del inner[last]
    else:
        inner[last] = value
    return copied


def test_a_document_is_read_whole(case):
    facts = case.facts
    assert facts.notices == (SYNTHETIC, NOT_VALID_FOR_PATIENTS)
    assert facts.model.weights_sha256 == WEIGHTS
    assert facts.made_by == "ncct_perfusion_compact 0.1.0"
    assert facts.software == "perfusynth 0.1.0"
    assert facts.is_phantom
    assert facts.validated_on == "digital phantoms"
    assert facts.core_method == case.document["core"]["method"]
    assert facts.normal_cbf == pytest.approx(case.regions.normal_cbf, abs=1e-3)
    assert facts.out_of_domain is None


@pytest.mark.parametrize(
    "blocks",
    [
        {},
        {"checks": [CHECK, {**CHECK, "message": "Contrast?"}], "overrides": ["contrast"]},
        {"domain": UNUSUAL},
        {"domain": {**UNUSUAL, "verdict": "usual", "unusual": []}},
        {"domain": NOT_MEASURED, "intervals": {"withheld": "This model has no calibrated intervals."}},
        {"input": {**FIELDS["input"], "resampled": True, "notes": ["A frame was left out."], "is_phantom": False}},
    ],
    ids=["plain", "checks", "unusual", "usual", "not measured", "resampled"],
)
def test_remarks_are_those_of_the_servers_own_report(blocks):
    case = server_case(random_maps(0), **blocks)
    theirs = servers_report.remarks(Measurements.model_validate(case.document))
    assert [(r.is_warning, r.title, r.text) for r in case.facts.remarks] == [
        (r.kind == "warning", r.title, r.text) for r in theirs
    ]
    assert case.facts.warnings == tuple(r for r in case.facts.remarks if r.is_warning)


def test_an_unusual_input_is_told():
    assert server_case(random_maps(0), domain=UNUSUAL).facts.out_of_domain is True
    assert server_case(random_maps(0), domain={**UNUSUAL, "verdict": "usual"}).facts.out_of_domain is False
    assert server_case(random_maps(0), domain=NOT_MEASURED).facts.out_of_domain is None


def test_a_document_without_its_banner_bears_it_all_the_same(case):
    assert reading_of(damaged(case.document, "notices", [])).notices == (SYNTHETIC, NOT_VALID_FOR_PATIENTS)


def test_what_later_versions_add_is_passed_over(case):
    newer = {**case.document, "schema_version": "1.9", "weather": "fine"}
    newer["settings"] = {**newer["settings"], "moon": 3}
    assert reading_of(newer).measured.hypoperfusion_ml == case.facts.measured.hypoperfusion_ml


def test_a_version_that_would_be_misread_is_refused(case):
    with pytest.raises(Problem) as told:
        reading_of({**case.document, "schema_version": "2.0"})
    assert told.value.code == "newer_result"
    assert "2.0" in told.value.what
    assert "Update" in told.value.what_to_do


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("schema_version", None),
        ("origin", None),
        ("notices", None),
        ("input", None),
        ("volumes_ml", None),
        ("volumes_ml", {"4": 1.0}),
        ("volumes_ml", {"4": 1.0, "6": "many", "8": 0.0, "10": 0.0}),
        ("brain_ml", None),
        ("core.normal_cbf", None),
        ("midplane.normal", [1.0, 0.0]),
        ("midplane.normal", [-1.0, 0.0, 0.0]),
        ("settings.tmax_thresholds_s", [8.0, 4.0]),
        ("settings.hypoperfusion_s", 5.0),
        ("settings.core_reference", "the moon"),
        ("settings.minimum_ml", -1.0),
        ("model.weights_sha256", None),
        ("intervals.volumes_ml", {"6": [9.0, 3.0]}),
        ("intervals.level", None),
    ],
)
def test_a_damaged_document_is_told_in_words(case, path, value):
    with pytest.raises(Problem) as told:
        reading_of(damaged(case.document, path, value))
    assert told.value.code == "bad_result"
    assert "Traceback" not in str(told.value)


def test_intervals_stand_beside_the_named_thresholds_and_the_core(case, cleaned):
    for measured in (cleaned, case.facts.measured):
        assert why_no_intervals(case.facts, measured) == ""
        for threshold, ends in ((4.0, (1, 900)), (6.0, (2, 800)), (8.0, (0, 700)), (10.0, (0, 600))):
            found = interval_of(case.facts, measured, threshold)
            assert (found.low_ml, found.high_ml, found.level) == (*ends, 0.9)
        assert core_interval_of(case.facts, measured).text == "3.0 to 300.0 mL"


def test_intervals_are_withheld_with_the_servers_own_reason():
    reason = "The intervals were calibrated on simulated patients; they are not valid for this patient."
    case = server_case(random_maps(0), intervals={"withheld": reason})
    measured = measurer_of(case).cleaned(6.0)
    assert interval_of(case.facts, measured, 6.0).reason == reason
    assert why_no_intervals(case.facts, measured) == reason
    assert not any(row.interval for row in number_rows(case.facts, measured))


def test_without_the_block_there_are_no_intervals():
    facts = server_case(random_maps(0)).facts
    assert interval_of(facts, facts.measured, 6.0).reason == NO_INTERVALS


def test_a_free_threshold_a_provisional_and_an_edited_volume_have_no_interval(case, cleaned):
    measurer = measurer_of(case)
    free = measurer.cleaned(7.1)
    assert interval_of(case.facts, free, 7.1).reason == interval.OTHER_THRESHOLD
    assert interval_of(case.facts, free, 6.0).text == "2.0 to 800.0 mL"
    assert interval_of(case.facts, measurer.provisional(6.0), 6.0).reason == interval.IS_PROVISIONAL
    edited = measurer.edited(cleaned.region, 6.0)
    assert interval_of(case.facts, edited, 6.0).reason == interval.IS_EDITED
    assert core_interval_of(case.facts, edited).reason == interval.IS_EDITED


def test_other_settings_and_other_volumes_than_the_servers_have_no_interval(case, cleaned):
    facts = case.facts
    other = Measurer(*case.maps, facts.midplane, None, facts.settings._replace(minimum_ml=1.0)).cleaned(6.0)
    assert interval_of(facts, other, 6.0).reason == interval.OTHER_SETTINGS
    far = damaged(case.document, "volumes_ml.6", case.document["volumes_ml"]["6"] + 0.2)
    assert interval_of(reading_of(far), cleaned, 6.0).reason == interval.OTHER_VOLUME
    assert not interval_of(reading_of(far), cleaned, 4.0).reason


def test_rows_say_what_the_servers_report_says(case, cleaned):
    theirs = Measurements.model_validate(case.document)
    rows = {row.label: row for row in number_rows(case.facts, cleaned)}
    for figure in (*servers_report.headline(theirs), *servers_report.thresholds(theirs)):
        assert rows[figure.label].value == figure.value, figure.label
    assert rows["Tmax > 6 s"].interval == "2.0 to 800.0 mL"
    assert rows["Tmax > 6 s"].main
    assert not rows["Tmax > 4 s"].main
    assert rows["Core estimate"].note == "rCBF < 30%"


def test_a_free_threshold_has_a_row_of_its_own_in_its_place(case):
    rows = number_rows(case.facts, measurer_of(case).cleaned(7.1))
    labels = [row.label for row in rows]
    assert labels[:5] == ["Tmax > 4 s", "Tmax > 6 s", "Tmax > 7.1 s", "Tmax > 8 s", "Tmax > 10 s"]
    assert [row.label for row in rows if row.main] == ["Tmax > 7.1 s", "Core estimate"]


def test_provisional_rows_say_so(case):
    measured = measurer_of(case).provisional(6.0)
    assert all(row.provisional for row in number_rows(case.facts, measured))
    assert state_text(measured).startswith("Provisional")


def test_an_edited_region_comes_first_and_the_models_volumes_stay(case, cleaned):
    half = cleaned.region.copy()
    half[: half.shape[0] // 2] = False
    rows = number_rows(case.facts, measurer_of(case).edited(half, 6.0))
    assert rows[0].label == "Edited region (from Tmax > 6 s)"
    assert rows[0].main
    original = {row.label: row.value for row in number_rows(case.facts, cleaned)}
    assert [(row.label, row.value) for row in rows[1:5]] == [(key, original[key]) for key in list(original)[:4]]
    assert rows[1].note == "as the model made it"
