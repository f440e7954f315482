"""Maps for a generator that does nothing: smooth inside an ellipsoid as large as a brain, zero outside, always equal.

Real results look like that, so that they pack like that: noise, zeros everywhere or a constant would not.
"""

import os
from functools import lru_cache

import numpy as np

Shape = tuple[int, int, int]

#: Tells servers and their workers the shape whose maps they make before they are asked.
SHAPE_VARIABLE = "BENCHMARK_SHAPE"
#: Half axes of the ellipsoid as shares of the field of view: 1.4 L of a field of 250 x 250 x 175 mm.
_HALF_AXES = (0.27, 0.33, 0.34)
_DEFICIT_CENTRE, _DEFICIT_WIDTHS = (0.35, 0.5, 0.55), (0.08, 0.12, 0.12)
_WAVES = 6


@lru_cache(maxsize=4)
def maps(shape: Shape) -> dict[str, np.ndarray]:
    """``tmax`` (s, one deficit on one side) and ``cbf`` (mL/100 g/min) as float32 arrays of ``shape``."""
    deficit = np.exp(-0.5 * _distance(shape, _DEFICIT_CENTRE, _DEFICIT_WIDTHS)).astype(np.float32)
    return {
        "tmax": (_waves(shape, 1, 0.5, 3.5) + 8 * deficit) * _brain(shape),
        "cbf": (_waves(shape, 2, 15, 70) * (1 - 0.7 * deficit)) * _brain(shape),
    }


def shape_of_run() -> Shape:
    """What `SHAPE_VARIABLE` says."""
    x, y, z = (int(part) for part in os.environ[SHAPE_VARIABLE].split(","))
    return x, y, z


def whole_image(shape: Shape) -> np.ndarray:
    """A smooth map without any zeros: the most that a writer can be given."""
    return _waves(shape, 3, 1, 12)


def _waves(shape: Shape, seed: int, low: float, high: float) -> np.ndarray:
    """A sum of waves, 1 to 4 periods an axis, between two values."""
    random = np.random.default_rng(seed)
    total = np.zeros(shape, dtype=np.float32)
    for _ in range(_WAVES):
        x, y, z = (
            np.cos(np.linspace(0, random.uniform(2, 9) * np.pi, n) + random.uniform(0, np.pi)).astype(np.float32)
            for n in shape
        )
        total += x[:, None, None] * y[:, None] * z
    total -= total.min()
    total *= np.float32((high - low) / total.max())
    return total + np.float32(low)


def _brain(shape: Shape) -> np.ndarray:
    return _distance(shape, (0.5, 0.5, 0.5), _HALF_AXES) <= 1


def _distance(shape: Shape, centre: tuple[float, ...], widths: tuple[float, ...]) -> np.ndarray:
    """Squared distance from ``centre`` in units of ``widths``; both are shares of the field of view."""
    axes = (((np.arange(n) + 0.5) / n - c) / w for n, c, w in zip(shape, centre, widths, strict=True))
    x, y, z = axes
    return x[:, None, None] ** 2 + y[:, None] ** 2 + z**2
