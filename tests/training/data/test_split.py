"""The split: each patient in one part, always the same one, written down and held to."""

import json

import pytest
from pydantic import ValidationError

from perfusynth.errors import InputError
from perfusynth.generators.seen_patients import PARTS, SeedRanges, SharedSeeds, SplitRule
from perfusynth.training.data.split import NamedCases, check_enough, keep_split, read_split, split_cases

NAMES = [f"patient-{number}" for number in range(2000)]


def test_every_patient_is_in_one_part_and_shares_are_kept():
    split = split_cases(NAMES, SplitRule(shares={"train": 0.6, "tune": 0.2, "calibrate": 0.1, "test": 0.1}))
    assert sorted(name for names in split.names.values() for name in names) == sorted(NAMES)
    for part, share in (("train", 0.6), ("tune", 0.2), ("calibrate", 0.1), ("test", 0.1)):
        assert len(split.names[part]) / len(NAMES) == pytest.approx(share, abs=0.03), part


def test_patients_who_join_move_nobody():
    before, after = split_cases(NAMES[::3], SplitRule()), split_cases(NAMES, SplitRule())
    for part in PARTS:
        assert set(before.names[part]) <= set(after.names[part])


def test_another_salt_shares_out_otherwise():
    assert split_cases(NAMES, SplitRule(salt="a")).names != split_cases(NAMES, SplitRule(salt="b")).names


def test_seeds_are_shared_out_like_names():
    seeds = SharedSeeds(seeds=(100, 300), rule=SplitRule())
    parts = {part: list(seeds.seeds_of(part)) for part in PARTS}
    assert sorted(seed for part in parts.values() for seed in part) == list(range(100, 300))
    assert all(seeds.part_of_seed(seed) == part for part, found in parts.items() for seed in found)
    assert seeds.part_of_seed(99) is None


def test_shares_and_ranges_that_cannot_be_are_refused():
    with pytest.raises(ValidationError, match="sum to 1"):
        SplitRule(shares={"train": 0.7, "tune": 0.2})
    with pytest.raises(ValidationError, match="share no patients"):
        SeedRanges(ranges={"train": (0, 10), "tune": (9, 12)})
    with pytest.raises(ValidationError, match="one part only"):
        NamedCases(names={"train": ["a"], "test": ["a"]})


def test_a_run_keeps_its_patients(tmp_path):
    split = split_cases(NAMES[:40], SplitRule())
    keep_split(tmp_path, split)
    keep_split(tmp_path, split)
    assert read_split(tmp_path / "split.json") == split
    with pytest.raises(InputError) as caught:
        keep_split(tmp_path, split_cases(NAMES[:41], SplitRule()))
    assert caught.value.code == "other_patients"
    assert f"new: {NAMES[40]}" in caught.value.got
    with pytest.raises(InputError) as caught:
        keep_split(tmp_path, split_cases([*NAMES[:7], *NAMES[8:40]], SplitRule()))
    assert f"missing: {NAMES[7]}" in caught.value.got
    assert read_split(tmp_path / "split.json") == split


def test_a_split_without_tuning_patients_is_refused():
    with pytest.raises(InputError) as caught:
        check_enough(NamedCases(names={"train": ["a"], "test": ["b"]}), {"train": 1, "test": 1})
    assert caught.value.code == "too_few_patients"
    assert "tune" in caught.value.got


def test_a_split_file_with_a_patient_in_two_parts_is_refused(tmp_path):
    path = tmp_path / "split.json"
    for content in ({"kind": "cases", "names": {"train": ["a"], "tune": ["a"]}}, {"kind": "cases", "script": "x"}, []):
        path.write_text(json.dumps(content))
        with pytest.raises(InputError) as caught:
            read_split(path)
        assert caught.value.code == "bad_split"


def test_a_bundle_that_is_passed_on_names_no_case():
    hashed = split_cases(NAMES[:20], SplitRule()).hashed()
    assert "patient" not in hashed.model_dump_json()
    assert {hashed.part_of_case(name) for name in NAMES[:20]} <= set(PARTS)
    assert hashed.part_of_case("somebody-else") is None


def test_sessions_of_one_patient_share_his_part():
    rule = SplitRule()
    names = [f"sub-{k:04x}_ses-{session}" for k in range(40) for session in ("a1", "b2", "c3")]
    split = split_cases(names, rule)
    patients = [{name.split("_")[0] for name in split.names[part]} for part in PARTS]
    assert sum(map(len, patients)) == 40
    assert sum(len(split.names[part]) for part in PARTS) == 120
    assert min(map(len, patients)) > 0
    seen = split.hashed()
    trained = split.names["train"][0].split("_")[0]
    assert seen.part_of_case(f"{trained}_ses-never") == "train"
