"""Patients of whom a bundle has made use are refused, whatever way they were told, also those of its ancestors."""

import dataclasses

import pytest

from perfusynth.errors import InputError
from perfusynth.generators.bundles import Bundle, read_bundle
from perfusynth.generators.seen_patients import SplitRule, patient_hash, records_of, refuse_seen, refuse_seen_cases
from tests.generators.tiny import SHIPPED

RANGES = {"kind": "seed_ranges", "ranges": {"train": [100, 200], "tune": [200, 210], "calibrate": [300, 310]}}


def bundle_with(training: dict) -> Bundle:
    shipped = read_bundle(SHIPPED)
    return dataclasses.replace(shipped, spec=shipped.spec.model_copy(update={"training": training}))


def refused(bundle: Bundle, seeds, **options) -> str:
    """What the refusal says of the patients; fails where there is none."""
    with pytest.raises(InputError) as caught:
        refuse_seen(bundle, seeds, **options)
    assert caught.value.code == "seen_patients"
    return caught.value.got


def test_ranges_are_known_to_their_last_seed():
    bundle = bundle_with({"split": RANGES})
    refuse_seen(bundle, range(90, 100))
    assert refused(bundle, range(95, 101)).endswith("100 (train)")
    assert refused(bundle, range(209, 215)).endswith("209 (tune)")
    refuse_seen(bundle, range(210, 400))
    assert refused(bundle, range(210, 400), parts=("train", "tune", "calibrate")).startswith("10 of them")


def test_of_shared_seeds_those_to_test_on_remain():
    rule = SplitRule()
    bundle = bundle_with({"split": {"kind": "shared_seeds", "seeds": [0, 300], "rule": rule.model_dump()}})
    by_part = {part: [n for n in range(300) if rule.part_of(str(n)) == part] for part in rule.shares}
    refuse_seen(bundle, by_part["test"])
    assert refused(bundle, [*by_part["test"], by_part["tune"][0]])
    refuse_seen(bundle, range(300, 400))


def test_patients_of_the_bundle_that_it_began_with_are_seen_too():
    first = {"split": RANGES}
    second = {"split": {"kind": "hashed_cases", "salt": "s", "hashes": {"train": [patient_hash("s", "a")]}}}
    bundle = bundle_with(second | {"start_from": {"name": "first", "training": first}})
    assert len(records_of(bundle)) == 2
    assert refused(bundle, [150])
    refuse_seen_cases(bundle, ["b"])
    with pytest.raises(InputError):
        refuse_seen_cases(bundle, ["b", "a"])


def test_bundles_of_the_first_version_are_understood():
    bundle = bundle_with({"phantom_version": "0.1", "settings": {"train_seeds": [10, 20], "tune_seeds": [20, 22]}})
    assert refused(bundle, [15])
    assert refused(bundle, [21])
    refuse_seen(bundle, [22])


def test_a_bundle_that_tells_nothing_refuses_nobody():
    refuse_seen(bundle_with({}), range(10))
