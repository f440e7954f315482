"""A run's patients: read or drawn, shared out, written down."""

import json
from dataclasses import dataclass
from pathlib import Path

from perfusynth import atomic
from perfusynth.generators.bundles import GeneratorSpec
from perfusynth.generators.seen_patients import Part, SeedRanges, SharedSeeds
from perfusynth.progress import OnProgress
from perfusynth.training.config import TrainingConfig
from perfusynth.training.data.kept_cases import KeptCases, keep_all, kept_before
from perfusynth.training.data.phantom_heads import PhantomHeads, draw_for
from perfusynth.training.data.split import (
    SPLIT_FILE,
    NamedCases,
    Split,
    check_enough,
    keep_split,
    read_split,
    split_cases,
)
from perfusynth.training.heads import HeadSource

#: Names in a run's folder: heads of case folders on the model grid, and the cases that could not be used.
KEPT_FOLDER, LEFT_OUT_FILE = "heads", "left_out.json"


@dataclass(frozen=True)
class Patients:
    """Those to train and to tune on, the whole split, and the cases that were left out with the reason of each."""

    train: HeadSource
    tune: HeadSource
    split: Split
    left_out: dict[str, str]


def patients_of(config: TrainingConfig, spec: GeneratorSpec, on_progress: OnProgress) -> Patients:
    """Prepare a run's patients; its folder receives ``split.json`` and, for case folders, ``left_out.json``.

    Raises
    ------
    InputError
        There are none, too few, or others than the run began with.
    """
    volumes = [*(image.name for image in spec.inputs), *spec.measured]
    left_out: dict[str, str] = {}
    split: Split
    if config.data is not None:
        kept, split, left_out = _cases(config, config.data, spec, on_progress)
        sources: dict[Part, HeadSource] = {
            part: KeptCases({name: kept[name] for name in names}) for part, names in split.names.items()
        }
    else:
        seeds = config.phantom_seeds
        assert seeds is not None  # the schema's rule: one source
        split = SeedRanges(ranges=seeds) if isinstance(seeds, dict) else SharedSeeds(seeds=seeds, rule=config.split)
        draw = draw_for(spec, volumes, config.drawn)
        wanted: tuple[Part, ...] = ("train", "tune")
        sources = {part: PhantomHeads(list(split.seeds_of(part)), volumes, draw) for part in wanted}
    check_enough(split, {part: len(source.names) for part, source in sources.items()})
    keep_split(config.out, split)
    return Patients(sources["train"], sources["tune"], split, left_out)


def _cases(
    config: TrainingConfig, data: Path, spec: GeneratorSpec, on_progress: OnProgress
) -> tuple[dict[str, Path], NamedCases, dict[str, str]]:
    """Kept heads by name, how they are shared out, and why others are left out; a run that has begun goes on with what
    it began with, whatever annotators have said since."""
    folder, limit = config.out / KEPT_FOLDER, config.registration_error_max
    before = kept_before(data, spec, folder, limit) if (config.out / SPLIT_FILE).exists() else None
    good, left_out = before or keep_all(data, spec, folder, on_progress, limit)
    if config.split_file is None:
        split = split_cases(list(good), config.split)
    else:
        given = read_split(config.split_file)
        asked = given.names if isinstance(given, NamedCases) else {}
        split = NamedCases(
            salt=config.split.salt,
            names={part: [name for name in names if name in good] for part, names in asked.items()},
        )
        named = {name for names in asked.values() for name in names}
        left_out |= {name: "not_in_split: the given split does not name it" for name in good if name not in named}
        left_out |= {name: "no_case: there is no such folder" for name in named if name not in {*good, *left_out}}
    report = json.dumps(left_out, indent=1, sort_keys=True) + "\n"
    atomic.write_bytes(config.out / LEFT_OUT_FILE, report.encode())
    return good, split, left_out
