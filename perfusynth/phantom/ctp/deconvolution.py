"""Perfusion maps from time curves: block-circulant singular value decomposition (delay-insensitive).

A block-circulant matrix is diagonal in the discrete Fourier transform: its singular values are the magnitudes of the
zero-padded arterial input's spectrum, so that truncating them is a mask of frequencies.
"""

import numpy as np

#: Singular values below this share of the largest are dropped (literature: 0.1-0.2).
RELATIVE_THRESHOLD = 0.10
#: Haematocrit of large against small vessels (0.73-0.85 in use), and density of brain, g/mL.
KH, RHO = 0.73, 1.05
#: mL/100 g/min of a residue function of 1/s, and mL/100 g of a ratio of areas.
FLOW_UNIT, VOLUME_UNIT = 6000 * KH / RHO, 100 * KH / RHO
#: Lags among which the maximum of a residue function is looked for, s: later ones belong to curves that were cut off.
SEARCH_S = (-4.0, 20.0)
#: Singular values below this share of the largest are rounding.
RANK_TOLERANCE = 1e-5
#: Limits of Tmax, s, as maps show it.
TMAX_LIMITS_S = (0.0, 16.0)


def _pseudo_inverse(aif: np.ndarray, dt_s: float, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """Lags (s), and the matrix ``(lags, t)`` from a tissue curve to its residue function times flow (1/s) at them."""
    padded = 2 * len(aif)
    spectrum = dt_s * np.fft.rfft(aif, padded)
    kept = np.abs(spectrum) > threshold * np.abs(spectrum).max()
    impulse = np.fft.irfft(np.where(kept, 1 / np.where(kept, spectrum, 1), 0), padded)
    first, last = (int(np.clip(round(lag / dt_s), -len(aif) // 2, len(aif) - 1)) for lag in SEARCH_S)
    lags = np.arange(first, last + 1)
    return lags * dt_s, impulse[(lags[:, None] - np.arange(len(aif))) % padded]


def _peak(residues: np.ndarray, lags_s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Height and lag (s) of the maxima of curves ``(n, lags)``, by a parabola through three samples."""
    at = residues.argmax(axis=1)
    middle = np.clip(at, 1, len(lags_s) - 2)
    rows = np.arange(len(residues))
    before, top, after = (residues[rows, middle + step] for step in (-1, 0, 1))
    bend = np.minimum(before - 2 * top + after, -1e-12)
    # A maximum at the end of the window has no parabola.
    shift = np.where(at == middle, np.clip(0.5 * (before - after) / bend, -0.5, 0.5), 0)
    height = residues[rows, at] - 0.25 * (before - after) * shift
    return height, lags_s[at] + shift * (lags_s[1] - lags_s[0])


def retained_basis(aif: np.ndarray, dt_s: float, *, threshold: float = RELATIVE_THRESHOLD) -> np.ndarray:
    """Orthonormal curves ``(r, t)`` that span all of a tissue curve that `deconvolve` uses; r is well below t.

    The projection of a curve gives the same maps as the curve, and white noise stays white in its coefficients.
    """
    _, inverse = _pseudo_inverse(np.asarray(aif, dtype=float), dt_s, threshold)
    used = np.vstack([inverse / np.linalg.norm(inverse, 2), np.full(len(aif), len(aif) ** -0.5)])
    _, size, rows = np.linalg.svd(used, full_matrices=False)
    return rows[size > RANK_TOLERANCE * size[0]]


def deconvolve(
    curves: np.ndarray, aif: np.ndarray, dt_s: float, *, threshold: float = RELATIVE_THRESHOLD
) -> dict[str, np.ndarray]:
    """Maps of many voxels.

    Parameters
    ----------
    curves
        Enhancement in HU above the baseline, ``(n, t)``.
    aif
        The same of the arterial input, ``(t,)``.
    dt_s
        Frame interval, s.
    threshold
        Relative threshold of the singular values.

    Returns
    -------
    float32 ``(n,)`` each: ``tmax`` [s], ``cbf`` [mL/100 g/min], ``cbv`` [mL/100 g], ``mtt`` [s].

    CBV is the ratio of areas, which is also the area of the residue function, since the circulant keeps the zero
    frequency. CBF is the maximum of the residue function, plain: the truncation lowers it, most where the transit is
    short, and nothing is done about that here.
    """
    aif = np.asarray(aif, dtype=float)
    curves = np.asarray(curves, dtype=np.float32)
    lags, inverse = _pseudo_inverse(aif, dt_s, threshold)
    height, time = _peak(curves @ inverse.T.astype(np.float32), lags)
    height, area = np.clip(height, 0, None), np.clip(curves.sum(axis=1) / aif.sum(), 0, None)
    cbf = FLOW_UNIT * height
    cbv = VOLUME_UNIT * area
    mtt = np.where(cbf > 0, 60 * cbv / np.maximum(cbf, 1e-6), 0)
    maps = {"tmax": np.clip(time, *TMAX_LIMITS_S), "cbf": cbf, "cbv": cbv, "mtt": mtt}
    return {name: values.astype(np.float32) for name, values in maps.items()}
