"""Which patients train, tune, calibrate and test: disjoint, written down, and the same when a run goes on."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from perfusynth import atomic
from perfusynth.errors import InputError
from perfusynth.generators.seen_patients import (
    PARTS,
    HashedCases,
    Part,
    SeedRanges,
    SharedSeeds,
    SplitRule,
    patient_hash,
)

#: Name of the file in a run's folder.
SPLIT_FILE = "split.json"
#: Most cases that a refusal names.
NAMES_TOLD = 10


class NamedCases(BaseModel):
    """Case folders by name, each in one part."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["cases"] = "cases"
    salt: str = SplitRule().salt
    names: dict[Part, list[str]]

    @model_validator(mode="after")
    def _disjoint(self) -> "NamedCases":
        every = [name for names in self.names.values() for name in names]
        if len(every) != len(set(every)):
            raise ValueError("expected each case in one part only")
        return self

    def hashed(self) -> HashedCases:
        """The same without names, for a bundle that is passed on."""
        return HashedCases(
            salt=self.salt,
            hashes={
                part: sorted(patient_hash(self.salt, name) for name in names) for part, names in self.names.items()
            },
        )


Split = SharedSeeds | SeedRanges | NamedCases
_SPLIT: TypeAdapter[Split] = TypeAdapter(Annotated[Split, Field(discriminator="kind")])


def split_cases(names: Sequence[str], rule: SplitRule) -> NamedCases:
    """Share case folders out by a rule."""
    parts: dict[Part, list[str]] = {part: [] for part in PARTS}
    for name in sorted(names):
        parts[rule.part_of(name)].append(name)
    return NamedCases(salt=rule.salt, names=parts)


def read_split(path: Path) -> Split:
    """Read a ``split.json``.

    Raises
    ------
    InputError
        Code ``bad_split``: it is none, or names a patient twice.
    """
    try:
        return _SPLIT.validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        told = error.errors()[0]["msg"] if isinstance(error, ValidationError) else type(error).__name__
        raise InputError(
            "This split of patients cannot be used.",
            expected="a JSON file as a run writes it, each patient in one part",
            got=told,
            hint=f"Take the {SPLIT_FILE} of another run as an example.",
            code="bad_split",
        ) from error


def keep_split(folder: Path, split: Split) -> None:
    """Write a run's split, or compare it with the one that the run began with.

    Raises
    ------
    InputError
        Code ``other_patients``: a run that goes on with other patients would hide those that it has seen.
    """
    path = folder / SPLIT_FILE
    if not path.exists():
        atomic.write_bytes(path, (json.dumps(split.model_dump(mode="json"), indent=1) + "\n").encode())
        return
    before = read_split(path)
    if before != split:
        raise InputError(
            "This run was begun with other patients.",
            expected=f"those of its {SPLIT_FILE}: {_told(before)}",
            got=_told(split) + _differing(before, split),
            hint="Begin a new run in another folder; it may start from this one's weights.",
            code="other_patients",
        )


def check_enough(split: Split, counts: dict[Part, int]) -> None:
    """Refuse a split without patients to train or tune on.

    Raises
    ------
    InputError
        Code ``too_few_patients``.
    """
    empty = [part for part in ("train", "tune") if not counts.get(part)]  # type: ignore[call-overload]
    if empty:
        raise InputError(
            "There are too few patients.",
            expected="at least one each to train and to tune on",
            got=f"none to {' and '.join(empty)} on ({_told(split)})",
            hint="Bring more cases, change the shares, or give a split of your own.",
            code="too_few_patients",
        )


def _differing(before: Split, split: Split) -> str:
    """Which cases came or went since; a run's ``left_out.json`` says why they went."""
    if not (isinstance(before, NamedCases) and isinstance(split, NamedCases)):
        return ""
    old, new = ({name for names in one.names.values() for name in names} for one in (before, split))
    told = {"missing": sorted(old - new), "new": sorted(new - old)}
    return "".join(f"; {word}: {', '.join(names[:NAMES_TOLD])}" for word, names in told.items() if names)


def _told(split: Split) -> str:
    if isinstance(split, SharedSeeds):
        return f"seeds {split.seeds[0]}:{split.seeds[1]} shared out by salt {split.rule.salt!r}"
    if isinstance(split, SeedRanges):
        return ", ".join(f"{part} {first}:{end}" for part, (first, end) in split.ranges.items())
    return ", ".join(f"{len(names)} cases to {part}" for part, names in split.names.items())
