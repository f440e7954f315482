"""The untrained baselines as methods: constant, mirrored, incidence map, signs only."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from perfusynth.evaluation.information_ceiling.bank import SITES
from perfusynth.evaluation.information_ceiling.prior import on_side
from perfusynth.evaluation.model_figures.baselines.findings import artery_names, darkness, findings_of
from perfusynth.evaluation.model_figures.baselines.fit import BaselineFit, patterns, read_baselines, tissue_evidence
from perfusynth.evaluation.model_figures.baselines.template import of_brain_voxels, on_grid, place
from perfusynth.evaluation.model_figures.case import EvaluationCase
from perfusynth.evaluation.model_figures.methods import Kind, Made
from perfusynth.evaluation.model_figures.names import CONSTANT, INCIDENCE, MIRRORED, SIGN_ONLY
from perfusynth.phantom.lattice import BRAIN_COARSE

#: Site that dark tissue of a pattern stands for; every other pattern stands for the M1.
SITE_OF_PATTERN = {"ACA": "A2", "PCA": "P2", "PCA together": "P2", "thalamus": "P2", "cerebellum": "basilar"}


@dataclass(frozen=True, eq=False)
class Rule:
    """A rule as a method; it works on the model grid."""

    name: str
    identity: str
    make: Callable[[EvaluationCase], Made]
    kind: Kind = "baseline"

    def __call__(self, case: EvaluationCase) -> Made:
        return self.make(case)


@lru_cache(maxsize=4)
def rules(path: Path) -> tuple[Rule, ...]:
    """All rules of a fit (`write_baselines`)."""
    fit, identity = read_baselines(path), hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    makers = {CONSTANT: _constant, MIRRORED: _mirrored, INCIDENCE: _incidence, SIGN_ONLY: _sign_only}
    return tuple(Rule(name, identity, _bound(maker, fit)) for name, maker in makers.items())


def _bound(maker: Callable[[EvaluationCase, BaselineFit], Made], fit: BaselineFit) -> Callable[[EvaluationCase], Made]:
    return lambda case: maker(case, fit)


def _constant(case: EvaluationCase, fit: BaselineFit) -> Made:
    """Normal values everywhere: the map that knows nothing."""
    shape = case.brain.shape
    values = {"tmax": fit.normal_tmax_s, "cbf": fit.normal_cbf}
    return Made({name: np.full(shape, value, dtype=np.float32) for name, value in values.items()})


def _mirrored(case: EvaluationCase, fit: BaselineFit) -> Made:
    """Each side against the other: the darker a place is than its mirror image, the longer its Tmax, the lower its CBF.

    The other side's maps are not known from an NCCT, but its HU are. The q-th quantile of darkness in training
    voxels is given the q-th quantile of their Tmax and the (1 - q)-th of their CBF: so the maps are distributed as true
    ones are, and no side or place is preferred.
    """
    dark = darkness(case)
    return Made(
        {
            "tmax": np.interp(dark, fit.darkness_hu, fit.tmax_s).astype(np.float32),
            "cbf": np.interp(dark, fit.darkness_hu, fit.cbf).astype(np.float32),
        }
    )


def _marked(case: EvaluationCase, right: np.ndarray, *sides: bool) -> Made:
    """An incidence map for the right, on sides (True: the right one)."""
    placed = place(case.brain, case.affine)
    region = np.zeros(case.brain.shape, dtype=bool)
    for side in sides:
        values = of_brain_voxels(on_side(right, right=side))
        region[case.brain] |= on_grid(values, BRAIN_COARSE, placed, case.brain, case.affine)
    return Made(None, region)


def _incidence(case: EvaluationCase, fit: BaselineFit) -> Made:
    """Where deficits lie most often, on the side whose tissue is darker: always something, never looked for."""
    return _marked(case, fit.right, findings_of(case).right_is_darker > 0)


def _sign_only(case: EvaluationCase, fit: BaselineFit) -> Made:
    """A dense artery, else dark tissue, beyond the cut of 95 % specificity: its site's incidence map; else nothing."""
    found = findings_of(case)
    score = (found.artery - fit.artery_mean) / fit.artery_sd
    paired = score[:-1]
    best = int(np.argmax(np.abs(paired)))
    if max(abs(paired[best]), score[-1]) > fit.artery_cut:
        if score[-1] > abs(paired[best]):
            return _marked(case, fit.sites[SITES.index("basilar")], True, False)
        return _marked(case, fit.sites[SITES.index(artery_names()[best])], bool(paired[best] > 0))
    evidence = tissue_evidence(found.tissue, fit.tissue_sd)
    darkest = int(np.argmax(np.abs(evidence)))
    if abs(evidence[darkest]) > fit.tissue_cut:
        site = SITE_OF_PATTERN.get(list(patterns())[darkest], "M1")
        return _marked(case, fit.sites[SITES.index(site)], bool(evidence[darkest] > 0))
    return Made(None, np.zeros(case.brain.shape, dtype=bool))
