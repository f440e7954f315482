"""Agreement of volumes, and bootstrap intervals over patients."""

import numpy as np

#: Resamplings of the bootstrap, and its confidence.
RESAMPLINGS, CONFIDENCE = 2000, 0.95


def icc(measurements: np.ndarray) -> float | None:
    """Intraclass correlation ICC(A,1): two-way, absolute agreement, single measurement (McGraw and Wong 1996).

    ``measurements`` is ``(patients, methods)``; None where fewer than three patients or one single value leave nothing
    to compare.
    """
    rows = np.asarray(measurements, dtype=np.float64)
    n, k = rows.shape
    if n < 3 or np.ptp(rows) == 0:
        return None
    grand = rows.mean()
    between = k * ((rows.mean(axis=1) - grand) ** 2).sum() / (n - 1)
    columns = n * ((rows.mean(axis=0) - grand) ** 2).sum() / (k - 1)
    residual = rows - rows.mean(axis=1, keepdims=True) - rows.mean(axis=0, keepdims=True) + grand
    error = (residual**2).sum() / ((n - 1) * (k - 1))
    return float((between - error) / (between + (k - 1) * error + k * (columns - error) / n))


def mean_with_interval(values: np.ndarray, seed: int = 0) -> dict[str, float | int | None]:
    """Mean, percentile bootstrap interval and count; all None without values."""
    values = np.asarray(values, dtype=np.float64)
    if not len(values):
        return {"mean": None, "low": None, "high": None, "n": 0}
    rng = np.random.default_rng(seed)
    means = values[rng.integers(len(values), size=(RESAMPLINGS, len(values)))].mean(axis=1)
    low, high = np.quantile(means, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return {"mean": _rounded(values.mean()), "low": _rounded(low), "high": _rounded(high), "n": len(values)}


def _rounded(value: float) -> float:
    return round(float(value), 4)
