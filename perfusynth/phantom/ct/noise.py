"""CT noise with in-plane correlation: native, and exactly what averaging it to a coarser grid leaves."""

from functools import lru_cache

import numpy as np
from scipy import ndimage

from perfusynth.phantom.ct.scanners import AUTOCORRELATION_LAG_MM, Scanner
from perfusynth.volumes.resampling import axis_weights

#: Grids within this of the native spacing are native (relative).
NATIVE_TOLERANCE = 0.02
#: Thickness for which a scanner's noise is stated, mm.
STATED_MM = 5.0
#: Taps of the noise filters to each side of the centre.
TAPS = 5


def correlation_at(scanner: Scanner, lag_mm: np.ndarray) -> np.ndarray:
    """In-plane autocorrelation along one axis at lags in mm: linear between the measured lags, 0 beyond."""
    known = np.arange(len(scanner.autocorrelation) + 1) * AUTOCORRELATION_LAG_MM
    return np.interp(np.abs(lag_mm), known, (*scanner.autocorrelation, 0.0))


@lru_cache(maxsize=64)
def in_plane_kernel(scanner: Scanner, spacing_mm: float) -> tuple[float, np.ndarray]:
    """SD factor and unit-energy filter that turn white noise into the scanner's noise on a grid of ``spacing_mm``.

    On the native pixel (or a finer grid) the process is sampled; on a coarser one native pixels are averaged by area:
    the covariance of the averages is the mean over all sub-pixel phases of ``w r w'``.
    """
    lags = np.arange(-TAPS * 4, TAPS * 4 + 1)
    if spacing_mm <= scanner.pixel_mm * (1 + NATIVE_TOLERANCE):
        covariance = correlation_at(scanner, lags * spacing_mm)
    else:
        native_n = int(np.ceil(spacing_mm * (len(lags) + 2) / scanner.pixel_mm)) + 4
        at = np.arange(native_n) * scanner.pixel_mm
        native = correlation_at(scanner, at[:, None] - at[None])
        covariance = np.zeros(len(lags))
        phases = np.linspace(0, scanner.pixel_mm, 8, endpoint=False)
        for phase in phases:
            start = spacing_mm + phase
            weights = axis_weights(native_n, scanner.pixel_mm, 0.0, len(lags), spacing_mm, start).astype(float)
            covariance += (weights @ native @ weights.T)[len(lags) // 2] / len(phases)
    power = np.clip(np.fft.fft(np.fft.ifftshift(covariance)).real, 0, None)
    kernel = np.fft.fftshift(np.fft.ifft(np.sqrt(power)).real)[len(lags) // 2 - TAPS : len(lags) // 2 + TAPS + 1]
    return float(np.sqrt(covariance[len(lags) // 2])), kernel / np.sqrt((kernel**2).sum())


def slab_mixing(scanner: Scanner, slabs: int, slab_spacing_mm: float, phase_mm: float) -> np.ndarray:
    """How native slices' independent noise mixes into slabs ``(slabs, slices)``; identity on the native grid."""
    if slab_spacing_mm <= scanner.spacing_mm * (1 + NATIVE_TOLERANCE):
        return np.eye(slabs)
    native_n = int(np.ceil((slabs + 2) * slab_spacing_mm / scanner.spacing_mm)) + 2
    start = slab_spacing_mm + phase_mm
    return axis_weights(native_n, scanner.spacing_mm, 0.0, slabs, slab_spacing_mm, start).astype(float)


def noise_field(
    rng: np.random.Generator, scanner: Scanner, shape: tuple[int, int, int], spacing_mm: np.ndarray, slab_mm: float
) -> np.ndarray:
    """Noise in HU on a grid, float32 ``shape``.

    ``slab_mm`` is what a slice averages over; on grids coarser than the scanner's, native noise is averaged to it.
    """
    sd_x, kernel_x = in_plane_kernel(scanner, round(float(spacing_mm[0]), 4))
    sd_y, kernel_y = in_plane_kernel(scanner, round(float(spacing_mm[1]), 4))
    mixing = slab_mixing(scanner, shape[2], float(spacing_mm[2]), float(rng.uniform(0, scanner.spacing_mm)))
    native = mixing.shape[0] == mixing.shape[1]
    thickness = slab_mm if native else scanner.slice_mm
    sd = scanner.noise_sd_hu_at_5mm * float(np.sqrt(STATED_MM / thickness)) * sd_x * sd_y
    white = rng.standard_normal(shape, dtype=np.float32)
    field = ndimage.correlate1d(white, kernel_x, axis=0, mode="wrap")
    field = ndimage.correlate1d(field, kernel_y, axis=1, mode="wrap")
    if not native:
        factor = np.linalg.cholesky(mixing @ mixing.T + 1e-9 * np.eye(shape[2])).astype(np.float32)
        field = field @ factor.T
    return np.float32(sd) * field


def slice_offsets(rng: np.random.Generator, scanner: Scanner, positions_mm: np.ndarray) -> np.ndarray:
    """Offset of each slice in HU, float32; independent every 5 mm and interpolated between."""
    distance = np.asarray(positions_mm, dtype=float) - float(np.min(positions_mm))
    knots = np.arange(int(distance.max() / STATED_MM) + 2)
    values = scanner.slice_offset_sd_hu * rng.standard_normal(len(knots))
    return np.interp(distance / STATED_MM, knots, values).astype(np.float32)
