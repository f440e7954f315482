"""What is known of one patient given his twins: their weights, the Dice-optimal set, volumes, side."""

from dataclasses import dataclass

import numpy as np

#: Twins that must effectively share what a patient's input shows [DESIGN, fidelity bar].
MINIMUM_EFFECTIVE_TWINS = 100.0
#: Twins that stand for a posterior; more are resampled to as many (memory and time) [d].
TWINS_KEPT = 1000
#: Sizes of sets that are tried, geometric over all sizes, then again around the best one until its neighbours differ by
#: no more than this share [d].
SIZES_TRIED, SIZES_REFINED, SIZE_TOLERANCE = 24, 12, 0.02
#: Bisections of the logarithm of the inflation; relative precision 1e-4.
BISECTIONS = 40


@dataclass(frozen=True, eq=False)
class TwinWeights:
    """Weights ``(n,)`` that sum to 1, the sample they are worth, and the covariance's inflation that it took."""

    weights: np.ndarray
    effective: float
    inflation: float


def _tempered(half_squared: np.ndarray, inflation: float) -> tuple[np.ndarray, float]:
    weights = np.exp(-(half_squared - half_squared.min()) / inflation)
    weights /= weights.sum()
    return weights, float(1 / (weights**2).sum())


def twin_weights(squared_distances: np.ndarray, minimum: float = MINIMUM_EFFECTIVE_TWINS) -> TwinWeights:
    """Gaussian weights of twins at Mahalanobis distances ``squared_distances`` ``(n,)`` from what was observed.

    Where they are worth fewer than ``minimum`` twins, the noise's covariance is inflated by the smallest factor that
    makes them worth as many (their worth rises with the factor: tempering only flattens the weights).
    """
    half = np.asarray(squared_distances, dtype=np.float64) / 2
    weights, effective = _tempered(half, 1.0)
    if effective >= minimum:
        return TwinWeights(weights, effective, 1.0)
    minimum = min(minimum, 0.999 * len(half))
    low, high = 0.0, 1.0
    while _tempered(half, np.exp(high))[1] < minimum:
        low, high = high, 2 * high
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        low, high = (low, middle) if _tempered(half, np.exp(middle))[1] >= minimum else (middle, high)
    inflation = float(np.exp(high))
    return TwinWeights(*_tempered(half, inflation), inflation)


def representatives(weights: np.ndarray, rng: np.random.Generator, kept: int = TWINS_KEPT) -> tuple[np.ndarray, ...]:
    """Indices and weights of at most ``kept`` twins that stand for all: systematic resampling, unbiased."""
    present = np.flatnonzero(weights)
    if len(present) <= kept:
        return present, weights[present]
    at = (np.arange(kept) + rng.random()) / kept
    drawn = np.minimum(np.searchsorted(np.cumsum(weights), at), len(weights) - 1)
    index, counts = np.unique(drawn, return_counts=True)
    return index, counts / kept


def dice_optimal_set(
    regions: np.ndarray, weights: np.ndarray, sizes: np.ndarray | None = None
) -> tuple[np.ndarray, float]:
    """The set of voxels with the largest expected Dice against regions that are drawn with the given weights.

    Among sets of ``k`` voxels the best one is exact: expected Dice is a sum over its voxels of
    ``2 E[in region / (k + region's size)]``, so that the ``k`` largest terms are the best set; every threshold of the
    voxelwise probability gives a set that is at most as good. Empty regions do not count: the figure is a mean over
    patients with a deficit.

    Parameters
    ----------
    regions
        ``(twins, voxels)``, 0 or 1.
    weights
        ``(twins,)``, any scale.
    sizes
        Sizes to try; by default a geometric grid, refined around the best.

    Returns
    -------
    The set ``(voxels,)`` bool and its expected Dice; empty and 0 where every region is.
    """
    found = np.zeros(regions.shape[1], dtype=bool)
    volumes = np.count_nonzero(regions, axis=1)
    counted = np.flatnonzero((volumes > 0) & (weights > 0))
    if not len(counted):
        return found, 0.0
    regions, volumes, weights = regions[counted], volumes[counted], weights[counted].astype(np.float64)
    weights /= weights.sum()
    used = np.flatnonzero(regions.any(axis=0))
    inside = np.take(regions, used, axis=1).astype(np.float32)

    def best(tried: np.ndarray) -> tuple[float, int, np.ndarray]:
        shares = (weights[None] / (tried[:, None] + volumes[None])).astype(np.float32)
        terms = 2 * (shares @ inside)
        expected = [float(np.partition(t, -k)[-k:].sum()) for t, k in zip(terms, tried, strict=True)]
        at = int(np.argmax(expected))
        return expected[at], at, np.argpartition(terms[at], -tried[at])[-tried[at] :]

    if sizes is not None:
        expected, _, chosen = best(sizes[sizes <= len(used)])
        found[used[chosen]] = True
        return found, expected
    tried = np.unique(np.geomspace(1, len(used), SIZES_TRIED).round().astype(int))
    expected, at, chosen = best(tried)
    while (high := tried[min(at + 1, len(tried) - 1)]) - (low := tried[max(at - 1, 0)]) > 2 + SIZE_TOLERANCE * high:
        tried = np.unique([*np.geomspace(low, high, SIZES_REFINED).round().astype(int), tried[at]])
        expected, at, chosen = best(tried)
    found[used[chosen]] = True
    return found, expected


def weighted_quantiles(values: np.ndarray, weights: np.ndarray, quantiles: tuple[float, ...]) -> np.ndarray:
    """Quantiles of a weighted sample: linear between the midpoints of the cumulative weights."""
    order = np.argsort(values)
    cumulative = np.cumsum(weights[order]) - weights[order] / 2
    return np.interp(np.asarray(quantiles) * weights.sum(), cumulative, np.asarray(values)[order])


def dice(one: np.ndarray, other: np.ndarray) -> float:
    """Dice of two sets of equal shape; 1 where both are empty."""
    total = np.count_nonzero(one) + np.count_nonzero(other)
    return 2 * np.count_nonzero(one & other) / total if total else 1.0
