"""Signs: whether a deficit's clot or core can be seen; cuts that 5 % of patients without deficit exceed."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from perfusynth.evaluation.information_ceiling import arteries, regions
from perfusynth.evaluation.information_ceiling.observer import Observer
from perfusynth.evaluation.information_ceiling.visible import ARTERY, NAMES, TISSUE

#: Specificity of a sign's cut, each of clot and core [DESIGN].
SIGN_SPECIFICITY = 0.95
#: Regions that darken together when a large artery is blocked.
TOGETHER = {
    "deep": ("caudate", "lentiform", "capsule", "insula"),
    "lower": ("insula", "M1", "M2", "M3"),
    "upper": ("M4", "M5", "M6"),
    "MCA": ("lentiform", "insula", "M1", "M2", "M3", "M4", "M5", "M6"),
    "PCA": ("PCA", "thalamus"),
}


@dataclass(frozen=True)
class SignCuts:
    """Evidence (SD) of the best pattern that 5 % of patients without deficit exceed.

    ``clot_hu, core_hu``: what that is in HU, by pattern, when every piece or region of it changes alike.
    """

    clot: float
    core: float
    clot_hu: dict[str, float]
    core_hu: dict[str, float]


@lru_cache(maxsize=1)
def _patterns() -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Changes of 1 HU that are looked for: clots in a piece of artery or a whole one; dark regions, one or several."""
    clots, cores = {}, {}
    every = np.eye(len(NAMES))
    for vessel in arteries.vessels():
        pieces = every[ARTERY][vessel.first : vessel.first + vessel.pieces]
        for n, piece in enumerate(pieces):
            clots[arteries.piece_names()[vessel.first + n]] = piece
        clots[f"{vessel.artery} {vessel.side}"] = pieces.sum(axis=0)
    region = dict(zip(regions.NAMES, -every[TISSUE], strict=True))
    for side in ("left", "right"):
        for name, members in TOGETHER.items():
            cores[f"{name} together {side}"] = np.sum([region[f"{member} {side}"] for member in members], axis=0)
    return clots, {**region, **cores}


def _best(observer: Observer, excess: np.ndarray, patterns: dict[str, np.ndarray]) -> np.ndarray:
    return observer.evidence(np.atleast_2d(excess), np.stack(list(patterns.values()))).max(axis=1)


def sign_cuts(observer: Observer, healthy: np.ndarray) -> SignCuts:
    """Cuts at `SIGN_SPECIFICITY` from the measured summaries of patients without deficit, ``(n, summaries)``."""
    clots, cores = _patterns()
    clot, core = (
        float(np.quantile(_best(observer, healthy - observer.mean, patterns), SIGN_SPECIFICITY))
        for patterns in (clots, cores)
    )
    return SignCuts(clot, core, _in_hu(observer, clot, clots), _in_hu(observer, core, cores))


def _in_hu(observer: Observer, cut: float, patterns: dict[str, np.ndarray]) -> dict[str, float]:
    sds = {name: float(np.sqrt(1 / (pattern @ observer.precision @ pattern))) for name, pattern in patterns.items()}
    return {name: round(cut * sd, 2) for name, sd in sds.items()}


def sign_of(parts: np.ndarray, observer: Observer, cuts: SignCuts) -> dict[str, bool]:
    """Whether what a deficit adds to the NCCT (`visible_parts`, without noise) shows a clot, a core: beyond its cut."""
    excess = observer.summaries(parts)
    clot, core = (float(_best(observer, excess, patterns)[0]) for patterns in _patterns())
    return {"clot": clot > cuts.clot, "core": core > cuts.core}
