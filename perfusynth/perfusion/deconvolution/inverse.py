"""Truncated inverses of an arterial input: matrices that lead from a tissue curve to its residue function.

A block-circulant matrix is diagonal in the discrete Fourier transform: its singular values are the magnitudes of the
zero-padded input's spectrum, so that truncating them is a mask of frequencies. What is kept is band-limited, and its
residue function can be had at any lag, not at whole frames only.
"""

import numpy as np

from perfusynth.perfusion.deconvolution.settings import DeconvolutionSettings

#: Distance of the lags at which a residue function is computed, s, where frames are further apart than that: the
#: parabola through three of them then finds the maximum of a function that was truncated at 0.1 Hz within 1 % of its
#: height and 0.02 s.
LAG_STEP_S = 0.5
#: Singular values below this share of the largest are rounding, not content.
RANK_TOLERANCE = 1e-5


def lags_of(frames: int, dt_s: float, settings: DeconvolutionSettings) -> np.ndarray:
    """Lags at which residue functions are computed, s, ascending; never beyond half of the padded series."""
    step = dt_s / max(1, round(dt_s / LAG_STEP_S))
    first = max(settings.earliest_s, -frames * dt_s / 2)
    last = min(settings.latest_s, (frames - 1) * dt_s)
    return step * np.arange(np.ceil(first / step), np.floor(last / step) + 1)


def circulant_spectrum(aif: np.ndarray, dt_s: float) -> np.ndarray:
    """Spectrum of the zero-padded input ``(frames + 1,)``; its magnitudes are the circulant's singular values."""
    return dt_s * np.fft.rfft(aif, 2 * len(aif))


def circulant_inverse(aif: np.ndarray, dt_s: float, kept: np.ndarray, lags_s: np.ndarray) -> np.ndarray:
    """Matrix ``(lags, frames)`` from a curve to its residue function times flow, 1/s, by the frequencies ``kept``."""
    spectrum = circulant_spectrum(aif, dt_s)
    size = 2 * len(aif)
    which = np.flatnonzero(kept)
    # Frequencies other than 0 and the highest stand for two, themselves and their conjugates.
    weight = np.where((which == 0) | (which == len(aif)), 1.0, 2.0) / size
    frame = np.arange(len(aif))
    phase = 2 * np.pi / size * which * (lags_s[:, None, None] / dt_s - frame[:, None])
    return np.real(np.exp(1j * phase) @ (weight / spectrum[which]))


def truncated(aif: np.ndarray, dt_s: float, threshold: float) -> np.ndarray:
    """Which frequencies stay: singular values above a share of the largest, bool ``(frames + 1,)``."""
    size = np.abs(circulant_spectrum(aif, dt_s))
    return size > threshold * size.max()


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
    return lags, circulant_inverse(aif, dt_s, truncated(aif, dt_s, settings.threshold), lags)


def retained_basis(aif: np.ndarray, dt_s: float, settings: DeconvolutionSettings) -> np.ndarray:
    """Orthonormal curves ``(r, frames)`` that span all of a curve that csvd or ssvd uses; r is well below frames.

    The projection of a curve gives the same maps as the curve, and white noise stays white in its coefficients.
    """
    aif = np.asarray(aif, dtype=float)
    _, inverse = inverse_of(aif, dt_s, settings)
    used = np.vstack([inverse / np.linalg.norm(inverse, 2), np.full(len(aif), len(aif) ** -0.5)])
    _, size, rows = np.linalg.svd(used, full_matrices=False)
    return rows[size > RANK_TOLERANCE * size[0]]
