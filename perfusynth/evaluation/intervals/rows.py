"""One row a digital patient: predicted and own volumes, and how his head looked to the model."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from perfusynth.evaluation.information_ceiling.sign_reader import SignReader, shipped_sign_reader
from perfusynth.evaluation.model_figures.case import REGIONS, case_of_rendered
from perfusynth.generators.base import Generator
from perfusynth.generators.bundles import read_bundle
from perfusynth.generators.head_view import HeadView
from perfusynth.generators.loading import load_generator
from perfusynth.perfusion.region_blocks import threshold_key
from perfusynth.perfusion.regions import Regions
from perfusynth.phantom.ct.scanners import SCANNERS
from perfusynth.phantom.drawn import DrawnPatients
from perfusynth.phantom.render import RenderedCase, render_on_model_grid

#: Significant digits of features and figures in a row.
DIGITS = 6


@dataclass(frozen=True)
class PatientRow:
    """Makes rows; can be handed to other processes, each of which loads the model once.

    Parameters
    ----------
    bundle
        Folder of the model.
    device
        As `load_generator`.
    drawn
        Folder of drawn patients; None: drawn anew, nothing kept.
    scanner
        Scanner of all patients; None: each one's own among those of training.
    signs
        Whether it is told if clot or core can be seen.
    """

    bundle: Path
    device: str = "auto"
    drawn: Path | None = None
    scanner: str | None = None
    signs: bool = False

    def __call__(self, seed: int) -> dict[str, Any]:
        """The row of one patient: ``about`` of `EvaluationCase`, volumes in mL, ``features``, ``statistics``."""
        case = case_of_rendered(self.case_of(seed), self.sign_reader)
        maps, view = self.generator.observe(case.inputs, case.brain)
        volumes = volumes_in_row("truth", case.true_regions) | volumes_in_row("made", case.regions_of(maps))
        return {**case.about, **volumes, **view_in_row(view)}

    def case_of(self, seed: int) -> RenderedCase:
        """The patient on the model grid."""
        if self.scanner is not None:
            return render_on_model_grid(seed, SCANNERS[self.scanner])
        return render_on_model_grid(seed) if self.drawn is None else DrawnPatients(self.drawn)(seed)

    @property
    def generator(self) -> Generator:
        """The bundle's generator, loaded once a process."""
        return _generator(self.bundle, self.device)

    @cached_property
    def sign_reader(self) -> SignReader | None:
        """Tells whether clot or core can be seen; None where nobody asks."""
        return shipped_sign_reader() if self.signs else None


@lru_cache(maxsize=1)
def _generator(bundle: Path, device: str) -> Generator:
    return load_generator(read_bundle(bundle), device=device)


def volumes_in_row(who: str, regions: Regions) -> dict[str, float | None]:
    """Volumes in mL by threshold and of the core: ``truth_ml_6``, ... of ``who`` truth, ``made_ml_6``, ... of made."""
    core = None if regions.core_ml is None else round(regions.core_ml, 3)
    by_threshold = {f"{who}_ml_{threshold_key(t)}": round(regions.tmax_ml[t], 3) for t in REGIONS.tmax_thresholds_s}
    return {**by_threshold, f"{who}_core_ml": core}


def view_in_row(view: HeadView) -> dict[str, Any]:
    """A view as plain values."""
    return {
        "features": [float(f"{value:.{DIGITS}g}") for value in view.features],
        "statistics": {name: float(f"{value:.{DIGITS}g}") for name, value in view.statistics.items()},
    }


def view_of_row(row: Mapping[str, Any]) -> HeadView:
    """The view that `view_in_row` wrote."""
    return HeadView(np.array(row["features"], dtype=float), row["statistics"])
