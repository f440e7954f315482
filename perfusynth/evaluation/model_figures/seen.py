"""Patients that a model has seen are not evaluated on: those of its training and tuning."""

from collections.abc import Sequence
from pathlib import Path

from perfusynth.evaluation.model_figures.case_folders import read_content
from perfusynth.generators.bundles import Bundle
from perfusynth.generators.seen_patients import refuse_seen, refuse_seen_cases


def refuse_seen_seeds(bundles: Sequence[Bundle], seeds: Sequence[int]) -> None:
    """Refuse digital patients whom any of the models has seen.

    Raises
    ------
    InputError
        Code ``seen_patients``.
    """
    for bundle in bundles:
        refuse_seen(bundle, seeds)


def refuse_seen_folders(bundles: Sequence[Bundle], folders: Sequence[Path]) -> None:
    """The same for case folders, by their names, and phantoms among them by their seeds too."""
    contents = [read_content(folder) for folder in folders]
    seeds = [content["seed"] for content in contents if content.get("kind") == "phantom"]
    for bundle in bundles:
        refuse_seen_cases(bundle, [folder.name for folder in folders])
        refuse_seen(bundle, seeds)
