"""Which patients a bundle has seen: the record of its split in its metadata, and the refusal to measure it on them."""

import hashlib
import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator

from perfusynth.errors import InputError
from perfusynth.generators.bundles import Bundle

#: What patients are for: weights are fitted on ``train``; settings, stop and best weights are chosen on ``tune``;
#: intervals are fitted on ``calibrate``; figures are measured on ``test``.
Part = Literal["train", "tune", "calibrate", "test"]
PARTS: tuple[Part, ...] = get_args(Part)
#: Parts that decide on a bundle's weights.
DECIDING: tuple[Part, ...] = ("train", "tune")
#: Hexadecimal digits of a patient's hash that are kept: two of a million patients meet with a chance of 3e-8.
HASH_DIGITS = 16
#: What stands between patient and session in a case's name (BIDS): ``sub-3f2a_ses-91c0``. Sessions of one patient
#: share his part.
SESSION = "_ses-"


class SplitRule(BaseModel):
    """Shares patients out by a salted hash of the name alone: who is added moves nobody."""

    model_config = ConfigDict(extra="forbid")

    salt: str = Field("perfusynth", description="another salt shares the same patients out in another way")
    shares: dict[Part, float] = Field(
        {"train": 0.7, "tune": 0.1, "calibrate": 0.1, "test": 0.1}, description="share of the patients of each part [d]"
    )

    @model_validator(mode="after")
    def _whole(self) -> "SplitRule":
        if min(self.shares.values(), default=0) < 0 or abs(sum(self.shares.values()) - 1) > 1e-6:
            raise ValueError("expected shares >= 0 that sum to 1")
        return self

    def part_of(self, name: str) -> Part:
        """The part of the patient of that name."""
        place, reached = int(patient_hash(self.salt, name), 16) / 16**HASH_DIGITS, 0.0
        for part in PARTS:
            reached += self.shares.get(part, 0.0)
            if place < reached:
                return part
        return next(part for part in reversed(PARTS) if self.shares.get(part, 0.0) > 0)


class SharedSeeds(BaseModel):
    """Digital patients of one half-open range of seeds, shared out by a rule."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["shared_seeds"] = "shared_seeds"
    seeds: tuple[int, int]
    rule: SplitRule

    def part_of_seed(self, seed: int) -> Part | None:
        """The part of a digital patient, None where he is not among these."""
        return self.rule.part_of(str(seed)) if self.seeds[0] <= seed < self.seeds[1] else None

    def part_of_case(self, name: str) -> Part | None:
        """No case of a hospital is among digital patients."""
        return None

    def seeds_of(self, part: Part) -> Iterator[int]:
        """The seeds of a part, ascending."""
        return (seed for seed in range(*self.seeds) if self.rule.part_of(str(seed)) == part)


class SeedRanges(BaseModel):
    """Digital patients, a half-open range of seeds for each part; no two ranges share a patient."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["seed_ranges"] = "seed_ranges"
    ranges: dict[Part, tuple[int, int]]

    @model_validator(mode="after")
    def _disjoint(self) -> "SeedRanges":
        ordered = sorted(self.ranges.values())
        if any(not 0 <= first < end for first, end in ordered):
            raise ValueError("expected 0 <= first < end")
        if any(one[1] > other[0] for one, other in itertools.pairwise(ordered)):
            raise ValueError("expected ranges that share no patients")
        return self

    def part_of_seed(self, seed: int) -> Part | None:
        """The part of a digital patient, None where he is not among these."""
        return next((part for part, (first, end) in self.ranges.items() if first <= seed < end), None)

    def part_of_case(self, name: str) -> Part | None:
        """No case of a hospital is among digital patients."""
        return None

    def seeds_of(self, part: Part) -> Iterator[int]:
        """The seeds of a part, ascending."""
        return iter(range(*self.ranges.get(part, (0, 0))))


class HashedCases(BaseModel):
    """Cases of a hospital by the salted hash of their names.

    The hash keeps names out of a bundle that is passed on; whoever knows the salt and guesses a name can still test
    the guess. A hospital that numbers its cases itself gives nothing away.
    """

    model_config = ConfigDict(extra="forbid")

    kind: Literal["hashed_cases"] = "hashed_cases"
    salt: str
    hashes: dict[Part, list[str]]

    def part_of_seed(self, seed: int) -> Part | None:
        """No digital patient is among a hospital's cases."""
        return None

    def part_of_case(self, name: str) -> Part | None:
        """The part of a case, None where it is not among these."""
        wanted = patient_hash(self.salt, name)
        return next((part for part, hashes in self.hashes.items() if wanted in hashes), None)

    def seeds_of(self, part: Part) -> Iterator[int]:
        """No digital patients."""
        return iter(())


SplitRecord = Annotated[SharedSeeds | SeedRanges | HashedCases, Field(discriminator="kind")]
_RECORD: TypeAdapter[SharedSeeds | SeedRanges | HashedCases] = TypeAdapter(SplitRecord)


def patient_hash(salt: str, name: str) -> str:
    """The first `HASH_DIGITS` hexadecimal digits of SHA-256 of ``salt:patient``, the name without its session."""
    patient = name.partition(SESSION)[0]
    return hashlib.sha256(f"{salt}:{patient}".encode()).hexdigest()[:HASH_DIGITS]


def records_of(bundle: Bundle) -> list[SharedSeeds | SeedRanges | HashedCases]:
    """The patients of a bundle's training, then those of the bundle whose weights that began with, and so on."""
    return list(_records(bundle.spec.training))


def _records(training: dict[str, Any]) -> Iterator[SharedSeeds | SeedRanges | HashedCases]:
    if "split" in training:
        yield _RECORD.validate_python(training["split"])
    settings = training.get("settings", {})
    ranges = {part: settings[f"{part}_seeds"] for part in DECIDING if f"{part}_seeds" in settings}
    if ranges:  # bundles up to version 0.1 name two ranges among their settings
        yield SeedRanges(ranges=ranges)
    before = training.get("start_from")
    if before:
        yield from _records(before["training"])


def refuse_seen(bundle: Bundle, seeds: Sequence[int], parts: Sequence[Part] = DECIDING) -> None:
    """Refuse digital patients of whom a bundle has made use.

    Parameters
    ----------
    seeds
        Patients that figures are to be measured on.
    parts
        Uses that count; add ``calibrate`` where intervals are to be tested.

    Raises
    ------
    InputError
        Code ``seen_patients``.
    """
    records = records_of(bundle)
    _refuse(((str(seed), record.part_of_seed(seed)) for seed in seeds for record in records), parts)


def refuse_seen_cases(bundle: Bundle, names: Iterable[str], parts: Sequence[Part] = DECIDING) -> None:
    """`refuse_seen` for case folders, by name."""
    records = records_of(bundle)
    found = (record.part_of_case(name) for name in names for record in records)
    _refuse((("a case", part) for part in found), parts)


def _refuse(found: Iterable[tuple[str, Part | None]], parts: Sequence[Part]) -> None:
    seen = [(name, part) for name, part in found if part in parts]
    if seen:
        raise InputError(
            "These patients were used to make the model.",
            expected=f"patients of none of its parts {', '.join(parts)}",
            got=f"{len(seen)} of them, the first: {seen[0][0]} ({seen[0][1]})",
            hint="Choose patients that the model has never seen.",
            code="seen_patients",
        )
