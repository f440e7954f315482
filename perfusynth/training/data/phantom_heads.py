"""Heads of digital patients by seed, drawn on the fly or read where they are kept."""

from collections.abc import Sequence
from pathlib import Path

from perfusynth.errors import InputError
from perfusynth.generators.bundles import GeneratorSpec
from perfusynth.phantom.drawn import KEPT, CaseOfSeed, DrawnPatients
from perfusynth.phantom.render import MODEL_GRID, render_on_model_grid
from perfusynth.training.heads import Head

#: Maps and images that a digital patient has when he is drawn.
RENDERED = frozenset({"ncct", "tmax", "cbf", "cbv", "mtt"})
#: Known of every digital patient, however he is drawn.
KNOWN = "core"


class PhantomHeads:
    """A `HeadSource` over seeds.

    Parameters
    ----------
    seeds
        One a patient.
    volumes
        Names of what a head is to hold, beside the core.
    draw
        Gives a patient's rendered case.
    """

    def __init__(self, seeds: Sequence[int], volumes: Sequence[str], draw: CaseOfSeed):
        self._seeds, self._volumes, self._draw = seeds, tuple(volumes), draw

    @property
    def names(self) -> list[str]:
        """The seeds as text."""
        return [str(seed) for seed in self._seeds]

    def __len__(self) -> int:
        return len(self._seeds)

    def __call__(self, index: int) -> Head:
        """The patient of that number."""
        seed = self._seeds[index]
        volumes = self._draw(seed).volumes
        return Head(
            name=str(seed),
            volumes={name: volumes[name] for name in (*self._volumes, KNOWN)},
            brain=volumes["brain"] > 0,
            valid=volumes["valid"] > 0,
        )


def draw_for(spec: GeneratorSpec, volumes: Sequence[str], kept: Path | None) -> CaseOfSeed:
    """How the digital patients of a generator are drawn.

    Parameters
    ----------
    kept
        Folder in which patients are kept once they are drawn; None: each is drawn anew whenever he is needed.

    Raises
    ------
    InputError
        Code ``no_phantom``: digital patients have no such volume, or are not drawn on the generator's grid.
    """
    grid = (spec.grid.size, spec.grid.spacing_mm, spec.grid.slab_mm)
    drawn_on = (MODEL_GRID.size, MODEL_GRID.spacing_mm, MODEL_GRID.slab_mm)
    available = frozenset(KEPT) if kept else RENDERED
    missing = sorted(set(volumes) - available)
    if missing or grid != drawn_on:
        raise InputError(
            "Digital patients cannot train this generator.",
            expected=f"a grid of {drawn_on} (voxels, mm, mm) and volumes among {', '.join(sorted(available))}",
            got=f"a grid of {grid}" + (f" and {', '.join(missing)}" if missing else ""),
            hint="Train it on case folders (--data).",
            code="no_phantom",
        )
    return DrawnPatients(kept) if kept else render_on_model_grid
