"""The observer: what the noise of the visible summaries looks like, and whitening by it."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from sklearn.covariance import ledoit_wolf

from perfusynth.evaluation.information_ceiling import arteries
from perfusynth.evaluation.information_ceiling.measurement import measure
from perfusynth.evaluation.information_ceiling.visible import MIRROR, NAMES, PIECE_COUNT, split_parts
from perfusynth.phantom.patient import draw_patient

#: Seeds of the patients without deficit from whom the noise is estimated.
HEALTHY_SEEDS = range(5_500_000, 5_600_000)


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

    def summaries(self, parts: np.ndarray, gain: np.ndarray | None = None) -> np.ndarray:
        """What a deficit adds to the measured summaries, ``(n, summaries)``, from `visible_parts` ``(n, parts)``.

        ``gain`` is that of one image; by default the mean one.
        """
        region, clot = split_parts(parts)
        pieces = clot @ (self.gain if gain is None else gain).T
        return np.concatenate([region, pieces], axis=-1).astype(np.float32)

    @cached_property
    def precision(self) -> np.ndarray:
        """Inverse of the covariance."""
        return np.linalg.inv(self.covariance)

    @cached_property
    def _whitening(self) -> np.ndarray:
        return np.linalg.inv(np.linalg.cholesky(self.covariance)).T.astype(np.float32)

    def whitened(self, excess: np.ndarray) -> np.ndarray:
        """Summaries ``(n, summaries)`` less the mean, in units in which the noise is white with SD 1."""
        return np.atleast_2d(excess) @ self._whitening

    def evidence(self, excess: np.ndarray, patterns: np.ndarray) -> np.ndarray:
        """Matched filters: SD ``(n, k)`` that summaries ``(n, summaries)`` hold of each pattern ``(k, summaries)``.

        What the other summaries let expect is taken off: a pattern is evidence only where it stands out.
        """
        filters = patterns @ self.precision
        return (excess @ filters.T) / np.sqrt((filters * patterns).sum(axis=1))


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
