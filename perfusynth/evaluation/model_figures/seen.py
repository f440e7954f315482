"""Patients that a model has seen are not evaluated on: those of its training and tuning, and of its intervals."""

from collections.abc import Sequence
from pathlib import Path

from perfusynth.errors import InputError
from perfusynth.generators.bundles import Bundle
from perfusynth.generators.seen_patients import refuse_seen, refuse_seen_cases
from perfusynth.perfusion.volume_intervals import read_intervals
from perfusynth.volumes.case_file import read_case_file


def refuse_seen_seeds(bundles: Sequence[Bundle], seeds: Sequence[int]) -> None:
    """Refuse digital patients whom any of the models has seen.

    Raises
    ------
    InputError
        Code ``seen_patients``.
    """
    for bundle in bundles:
        refuse_seen(bundle, seeds)
        _refuse_calibrated(bundle, seeds)


def refuse_seen_folders(bundles: Sequence[Bundle], folders: Sequence[Path]) -> None:
    """The same for case folders, by their names, and phantoms among them by their seeds too."""
    contents = [read_case_file(folder) for folder in folders]
    seeds = [content["seed"] for content in contents if content.get("kind") == "phantom"]
    for bundle in bundles:
        refuse_seen_cases(bundle, [folder.name for folder in folders])
    refuse_seen_seeds(bundles, seeds)


def _refuse_calibrated(bundle: Bundle, seeds: Sequence[int]) -> None:
    """Coverage on the patients that made the intervals would be no figure."""
    table = read_intervals(bundle.path)
    if table is None:
        return
    first, end = map(int, table.seeds.split(":"))
    if any(first <= seed < end for seed in seeds):
        raise InputError(
            f"The intervals of {bundle.name} were calibrated on some of these patients.",
            expected=f"seeds outside {table.seeds}",
            got=f"{min(seeds)} to {max(seeds)}",
            hint="Choose patients that the model has never seen.",
            code="seen_patients",
        )
