"""How venous blood follows arterial blood: delay, transit, and the ratio of their areas, however early a scan ends."""

from dataclasses import dataclass

import numpy as np

#: Delays and mean transit times between an artery and a large vein that are tried, s; the project's own choice, wide
#: about the 4-10 s that separate their peaks.
DELAYS_S = np.arange(0.0, 12.1, 0.5)
TRANSITS_S = np.array([0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0])
#: Steps of the fine time axis in one frame.
FINE = 8
#: Curves that are compared with all templates at once: 20 MB.
CHUNK = 16_384


@dataclass(frozen=True, eq=False)
class Passage:
    """The best explanation of curves by an arterial one, arrays ``(n,)``.

    Parameters
    ----------
    area_ratio
        Area of the whole curve relative to the arterial one, tails beyond the last frame included.
    lag_s
        Delay and mean transit time together: the distance of the curves' centres of gravity.
    correlation
        Of the curve with its explanation, 0-1: how venous its shape is.
    """

    area_ratio: np.ndarray
    lag_s: np.ndarray
    correlation: np.ndarray


def passage_of(curves: np.ndarray, arterial: np.ndarray, interval_s: float) -> Passage:
    """Explain curves by an arterial one that is delayed and spread by an exponential transit.

    Parameters
    ----------
    curves
        HU above the baseline, ``(n, frames)``.
    arterial
        HU above the baseline, ``(frames,)``.

    Notes
    -----
    What flows in flows out: both areas are equal where blood fills the voxel, whatever the transit. At the last frame
    the vein has received less of it than the artery, so that the areas up to there must not be compared. The fit
    compares what has arrived. The exponential is one shape of a transit; of another, with the same mean, the ratio
    differs by little, because only the tail beyond the last frame depends on it: by 6 % at most for rectangular and
    triangular ones when the series ends 10 s after the vein's peak, by 17 % when it ends 5 s after it.
    """
    templates, lags = _templates(np.asarray(arterial, dtype=float), interval_s)
    # Of the shapes only: an error of the baseline is no area.
    centred = templates - templates.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(centred, axis=1)
    ratio, lag, correlation = (np.empty(len(curves)) for _ in range(3))
    for start in range(0, len(curves), CHUNK):
        part = slice(start, start + CHUNK)
        chunk = curves[part]
        products = chunk @ centred.T.astype(np.float32)
        best = (products / norms).argmax(axis=1)
        product = products[np.arange(len(chunk)), best]
        length = np.maximum(np.linalg.norm(chunk - chunk.mean(axis=1, keepdims=True), axis=1), 1e-6)
        ratio[part], lag[part] = product / norms[best] ** 2, lags[best]
        correlation[part] = np.clip(product / (norms[best] * length), 0, 1)
    return Passage(ratio, lag, correlation)


def _templates(arterial: np.ndarray, interval_s: float) -> tuple[np.ndarray, np.ndarray]:
    """The arterial curve after each delay and transit, ``(k, frames)``, and their sums, s ``(k,)``."""
    frames = len(arterial)
    step = interval_s / FINE
    fine = np.interp(np.arange((frames - 1) * FINE + 1) / FINE, np.arange(frames), arterial)
    templates, lags = [], []
    for transit in TRANSITS_S:
        edges = np.arange(len(fine) + 1) * step
        kernel = -np.diff(np.exp(-edges / transit))
        spread = np.convolve(fine, kernel)[: len(fine)]
        # The mean of a bin of the kernel lies half a step after its beginning.
        for delay in DELAYS_S:
            at = np.arange(frames) * interval_s - delay + step / 2
            templates.append(np.interp(at, np.arange(len(fine)) * step, spread, left=0.0))
            lags.append(delay + transit)
    return np.array(templates), np.array(lags)
