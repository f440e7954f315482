"""A table of intervals: its ends, when they are shown, and why they are withheld."""

import json

import numpy as np
import pytest

from perfusynth.errors import InputError
from perfusynth.perfusion.measurements import Intervals
from perfusynth.perfusion.volume_intervals import (
    INTERVALS_FILE,
    NO_TABLE,
    NOT_A_PHANTOM,
    OTHER_REGIONS,
    OTHER_WEIGHTS,
    UNUSUAL_INPUT,
    IntervalTable,
    intervals_block,
    read_intervals,
)

GROUPS = [
    {"above_ml": -1, "low": 0, "high": 5, "patients": 60},
    {"above_ml": 0, "low": -3, "high": 2, "patients": 100},
    {"above_ml": 100, "low": -4, "high": 1, "patients": 100},
]
CONTENT = {
    "level": 0.9,
    "groups": {"6": GROUPS, "core": GROUPS},
    "patients": 1000,
    "seeds": "9000000:9001000",
    "phantom_version": "1.0",
    "phantom_hash": "cd" * 32,
    "calibrated_on": "digital phantoms",
    "weights_sha256": "ab" * 32,
    "regions": {"minimum_ml": 3.0},
}
SHOWN = {
    "weights_sha256": "ab" * 32,
    "regions": {"minimum_ml": 3.0},
    "validated_on": "digital phantoms",
    "is_phantom": True,
    "is_unusual": False,
}


def test_ends_are_offsets_of_the_square_root_and_never_below_zero():
    low, high = IntervalTable(**CONTENT).ends_ml("6", np.array([0, 4, 49, 100, 121]))
    np.testing.assert_allclose(low, [0, 0, 16, 49, 49])
    np.testing.assert_allclose(high, [25, 16, 81, 144, 144])


def test_a_phantom_is_shown_its_intervals():
    block = intervals_block(IntervalTable(**CONTENT), {"6": 49.0, "8": 10.0, "core": 0.0}, **SHOWN)
    assert Intervals(**block) == Intervals(level=0.9, volumes_ml={"6": (16, 81)}, core_ml=(0, 25))


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"weights_sha256": "ef" * 32}, OTHER_WEIGHTS),
        ({"is_phantom": False}, NOT_A_PHANTOM),
        ({"is_phantom": False, "validated_on": "300 patients of two hospitals"}, NOT_A_PHANTOM),
        ({"is_unusual": True}, UNUSUAL_INPUT),
        ({"regions": {"minimum_ml": 1.0}}, OTHER_REGIONS),
    ],
)
def test_intervals_are_withheld_with_the_reason(changes, why):
    block = intervals_block(IntervalTable(**CONTENT), {"6": 49.0}, **(SHOWN | changes))
    assert Intervals(**block) == Intervals(withheld=why)


def test_without_a_table_there_are_none(tmp_path):
    assert read_intervals(tmp_path) is None
    assert intervals_block(None, {"6": 49.0}, **SHOWN) == {"withheld": NO_TABLE}


def test_a_table_that_was_calibrated_on_patients_serves_patients():
    table = IntervalTable(**(CONTENT | {"calibrated_on": "300 patients"}))
    shown = SHOWN | {"is_phantom": False, "validated_on": "300 patients"}
    assert Intervals(**intervals_block(table, {"6": 49.0}, **shown)).withheld is None


def test_a_table_is_read_back_and_a_broken_one_refused(tmp_path):
    path = tmp_path / INTERVALS_FILE
    path.parent.mkdir()
    table = IntervalTable(**CONTENT)
    path.write_text(table.model_dump_json())
    assert read_intervals(tmp_path) == table
    descending = {"groups": {"6": GROUPS[::-1]}}
    for broken in ("{", json.dumps(CONTENT | descending), json.dumps(CONTENT | {"more": 1})):
        path.write_text(broken)
        with pytest.raises(InputError) as caught:
            read_intervals(tmp_path)
        assert caught.value.code == "bad_intervals"
