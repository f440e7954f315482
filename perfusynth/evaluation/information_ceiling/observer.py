"""The observer: what the noise of the visible summaries looks like, and whitening by it; signs and their cuts."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from sklearn.covariance import ledoit_wolf

from perfusynth.evaluation.information_ceiling import arteries
from perfusynth.evaluation.information_ceiling.measurement import measure
from perfusynth.evaluation.information_ceiling.visible import (
    ARTERY,
    MIRROR,
    NAMES,
    PIECE_COUNT,
    TISSUE,
    WHOLE,
    split_parts,
)
from perfusynth.phantom.patient import draw_patient

#: Seeds of the patients without deficit from whom the noise is estimated.
HEALTHY_SEEDS = range(5_500_000, 5_600_000)
#: Specificity of a sign's cut [DESIGN].
SIGN_SPECIFICITY = 0.95


def measure_healthy(seeds: range) -> dict[str, np.ndarray]:
    """Measured summaries of patients who were never ill: arrays ``values`` and ``gain``."""
    found = [measure(draw_patient(seed).without_deficit()) for seed in seeds]
    return {"values": np.stack([m.values for m in found]), "gain": np.stack([m.gain for m in found])}


@dataclass(frozen=True, eq=False)
class Observer:
    """Gaussian noise of the summaries: whatever an NCCT shows that has nothing to do with the deficit.

    Parameters
    ----------
    mean, covariance
        Of the summaries of patients without deficit, HU; the covariance is left-right symmetric.
    gain
        HU of each piece of artery by HU of clot in each part, ``(pieces, parts)``; symmetric under mirroring.
    """

    mean: np.ndarray
    covariance: np.ndarray
    gain: np.ndarray

    def summaries(self, parts: np.ndarray) -> np.ndarray:
        """What a deficit adds to the measured summaries, ``(n, summaries)``, from `visible_parts` ``(n, parts)``."""
        region, beside, clot = split_parts(parts)
        # What of a piece's voxels is not lumen is the tissue beside it.
        piece = clot @ self.gain.T + beside * np.clip(1 - self.gain.sum(axis=1), 0, 1)
        return np.concatenate([region, piece], axis=-1).astype(np.float32)

    @cached_property
    def precision(self) -> np.ndarray:
        """Inverse of the covariance."""
        return np.linalg.inv(self.covariance)

    def whitened(self, excess: np.ndarray) -> np.ndarray:
        """Summaries ``(n, summaries)`` less the mean, in units in which the noise is white with SD 1."""
        return np.linalg.solve(np.linalg.cholesky(self.covariance), np.atleast_2d(excess).T).T.astype(np.float32)

    def evidence(self, excess: np.ndarray) -> np.ndarray:
        """For each summary, in SD, how far it lies from what all others let expect: a change of it alone, matched."""
        return (excess @ self.precision) / np.sqrt(np.diag(self.precision))


def observer_of(values: np.ndarray, gain: np.ndarray) -> Observer:
    """The observer who has seen patients without deficit (``(n, summaries)``; ``(n, pieces, parts)``).

    Each patient's deviation from the mean stands for its mirror image, too. Between the halves' sums and differences
    there is then no covariance; Ledoit and Wolf's shrinkage is applied to their correlation.
    """
    mean = values.mean(axis=0)
    deviations = np.concatenate([values - mean, (values - mean)[:, MIRROR]])
    first = np.flatnonzero(np.arange(len(NAMES)) < MIRROR)
    centre = np.flatnonzero(np.arange(len(NAMES)) == MIRROR)
    basis = np.zeros((len(NAMES), len(NAMES)))
    for row, i in enumerate(first):
        basis[2 * row, [i, MIRROR[i]]] = np.sqrt(0.5)
        basis[2 * row + 1, [i, MIRROR[i]]] = np.sqrt(0.5), -np.sqrt(0.5)
    for row, i in enumerate(centre, start=2 * len(first)):
        basis[row, i] = 1.0
    turned = deviations @ basis.T
    sd = turned.std(axis=0) + 1e-6
    shrunk, _ = ledoit_wolf(turned / sd, assume_centered=True)
    covariance = basis.T @ (shrunk * np.outer(sd, sd)) @ basis
    pieces = arteries.mirror()
    leak = gain.mean(axis=0).reshape(PIECE_COUNT, PIECE_COUNT, -1)
    leak = (leak + leak[np.ix_(pieces, pieces)]) / 2
    return Observer(mean, covariance, leak.reshape(PIECE_COUNT, -1))


@dataclass(frozen=True)
class SignCuts:
    """Evidence (SD) above which 5 % of patients without deficit lie, for the largest of all pieces or regions.

    ``clot_hu, core_hu``: what that is in HU for each piece of artery, each region, when it alone changes.
    """

    clot: float
    core: float
    clot_hu: dict[str, float]
    core_hu: dict[str, float]


def sign_cuts(observer: Observer, healthy: np.ndarray) -> SignCuts:
    """Cuts at `SIGN_SPECIFICITY` from the healthy patients' measured summaries ``(n, summaries)``."""
    clot, core = _largest_evidence(observer, healthy - observer.mean)
    clot_cut, core_cut = (float(np.quantile(values, SIGN_SPECIFICITY)) for values in (clot, core))
    unit = 1 / np.sqrt(np.diag(observer.precision))
    clot_hu = dict(zip(NAMES[ARTERY], np.round(clot_cut * unit[ARTERY], 2).tolist(), strict=True))
    core_hu = dict(zip(NAMES[TISSUE], np.round(-core_cut * unit[TISSUE], 2).tolist(), strict=True))
    return SignCuts(clot_cut, core_cut, clot_hu, core_hu)


def _largest_evidence(observer: Observer, excess: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For a clot, for a core (dark tissue, or sulci that are filled)."""
    evidence = observer.evidence(excess)
    core = np.maximum((-evidence[..., TISSUE]).max(axis=-1), evidence[..., WHOLE].max(axis=-1))
    return evidence[..., ARTERY].max(axis=-1), core


def sign_of(parts: np.ndarray, observer: Observer, cuts: SignCuts) -> dict[str, bool]:
    """Whether a deficit's own contribution to the NCCT (`visible_parts`) shows a clot, a core: above its cut."""
    clot, core = _largest_evidence(observer, observer.summaries(parts))
    return {"clot": bool(clot > cuts.clot), "core": bool(core > cuts.core)}
