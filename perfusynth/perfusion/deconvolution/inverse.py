"""Truncated inverses of an arterial input: matrices that lead from a tissue curve to its residue function.

A block-circulant matrix is diagonal in the discrete Fourier transform: its singular values are the magnitudes of the
padded input's spectrum, so that truncating them is a mask of frequencies. What is kept is band-limited, and its residue
function can be had at any lag, not at whole frames only.

A study ends while contrast recirculates. Padding such curves with zeros puts a step at their end, whose place against
the bolus depends on the tissue's delay: CBF then changes by up to 11 % with delay, and CBV falls by up to 29 % (45 s,
delay 12 s). So input and tissue curves are both continued by the same decay before the zeros (below 2 % and 7 %).
"""

import numpy as np

from perfusynth.perfusion.deconvolution.settings import DeconvolutionSettings

#: Distance of the lags at which a residue function is computed, s, where frames are further apart than that: the
#: parabola through three of them then finds the maximum of a function that was truncated at 0.1 Hz within 1 % of its
#: height and 0.02 s.
LAG_STEP_S = 0.5
#: Time constant by which curves are continued beyond the last frame, and the time at their end whose mean is continued,
#: s (the project's own choice: recirculating contrast falls by about this; 10 and 20 s give the same within 1 % of CBF
#: and 4 % of CBV).
TAIL_DECAY_S, TAIL_MEAN_S = 15.0, 4.5
#: Singular values below this share of the largest are rounding, not content.
RANK_TOLERANCE = 1e-5


def lags_of(frames: int, dt_s: float, settings: DeconvolutionSettings) -> np.ndarray:
    """Lags at which residue functions are computed, s, ascending; never beyond half of the padded series."""
    step = dt_s / max(1, round(dt_s / LAG_STEP_S))
    first = max(settings.earliest_s, -frames * dt_s / 2)
    last = min(settings.latest_s, (frames - 1) * dt_s)
    return step * np.arange(np.ceil(first / step), np.floor(last / step) + 1)


def continuation(frames: int, dt_s: float) -> np.ndarray:
    """Matrix ``(2 frames, frames)`` that continues a curve by the decay of its end, instead of by zeros."""
    matrix = np.eye(2 * frames, frames)
    end = int(np.clip(round(TAIL_MEAN_S / dt_s), 1, frames))
    matrix[frames:, frames - end :] = np.exp(-dt_s / TAIL_DECAY_S * np.arange(1, frames + 1))[:, None] / end
    return matrix


class Circulant:
    """The block-circulant matrix of an arterial input, and its truncated inverses.

    Parameters
    ----------
    aif
        Arterial input, HU, ``(frames,)``.
    dt_s
        Frame interval, s.
    """

    def __init__(self, aif: np.ndarray, dt_s: float):
        self.dt_s = dt_s
        self.continuation = continuation(len(aif), dt_s)
        self.spectrum = dt_s * np.fft.rfft(self.continuation @ aif)
        self.singular_values = np.abs(self.spectrum)

    def above(self, threshold: float) -> np.ndarray:
        """Which frequencies stay: singular values above a share of the largest, bool ``(frames + 1,)``."""
        return self.singular_values > threshold * self.singular_values.max()

    def inverse(self, kept: np.ndarray, lags_s: np.ndarray) -> np.ndarray:
        """Matrix ``(lags, frames)`` from a curve to its residue function times flow, 1/s, by the frequencies kept."""
        size = len(self.continuation)
        which = np.flatnonzero(kept)
        # Frequencies other than 0 and the highest stand for two, themselves and their conjugates.
        weight = np.where((which == 0) | (which == size // 2), 1.0, 2.0) / size
        backwards = np.exp(-2j * np.pi / size * np.outer(which, np.arange(size))) @ self.continuation
        forwards = np.exp(2j * np.pi / size / self.dt_s * np.outer(lags_s, which))
        return np.real(forwards @ ((weight / self.spectrum[which])[:, None] * backwards))


def standard_inverse(aif: np.ndarray, dt_s: float, threshold: float) -> np.ndarray:
    """Matrix ``(frames, frames)`` of the standard SVD; its lags are those of the frames.

    The convolution is discretised for an input and a residue function that are linear between frames (Ostergaard).
    """
    padded = np.concatenate([[0.0], aif, [0.0]])
    weight = (padded[:-2] + 4 * padded[1:-1] + padded[2:]) / 6
    weight[0] = (2 * aif[0] + aif[1]) / 6
    lag = np.arange(len(aif))[:, None] - np.arange(len(aif))
    matrix = dt_s * np.where(lag >= 0, weight[lag], 0)
    left, size, right = np.linalg.svd(matrix)
    kept = size > threshold * size[0]
    return (right[kept].T / size[kept]) @ left[:, kept].T


def inverse_of(aif: np.ndarray, dt_s: float, settings: DeconvolutionSettings) -> tuple[np.ndarray, np.ndarray]:
    """Lags (s), and the matrix ``(lags, frames)`` of csvd or ssvd."""
    if settings.method == "ssvd":
        lags = dt_s * np.arange(len(aif))
        within = lags <= settings.latest_s
        return lags[within], standard_inverse(aif, dt_s, settings.threshold)[within]
    lags = lags_of(len(aif), dt_s, settings)
    circulant = Circulant(aif, dt_s)
    return lags, circulant.inverse(circulant.above(settings.threshold), lags)


def area_weights(frames: int, dt_s: float) -> np.ndarray:
    """Weights ``(frames,)`` of a curve's area, its continued end included, in frames."""
    return continuation(frames, dt_s).sum(axis=0)


def retained_basis(aif: np.ndarray, dt_s: float, settings: DeconvolutionSettings) -> np.ndarray:
    """Orthonormal curves ``(r, frames)`` that span all of a curve that the method uses; r is well below frames.

    The projection of a curve gives the same maps as the curve, and white noise stays white in its coefficients.
    """
    aif = np.asarray(aif, dtype=float)
    if settings.method == "osvd":  # what any voxel may use
        circulant = Circulant(aif, dt_s)
        inverse = circulant.inverse(circulant.above(settings.least_threshold), dt_s * np.arange(2 * len(aif)))
    else:
        _, inverse = inverse_of(aif, dt_s, settings)
    area = area_weights(len(aif), dt_s)
    used = np.vstack([inverse / np.linalg.norm(inverse, 2), area / np.linalg.norm(area)])
    _, size, rows = np.linalg.svd(used, full_matrices=False)
    return rows[size > RANK_TOLERANCE * size[0]]
