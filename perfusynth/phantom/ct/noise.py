"""CT noise with in-plane correlation: native, and exactly what averaging it to a coarser grid leaves.

Noise is what the rays through a point leave of the beam: more in the middle of the head and between the petrous bones.
"""

from functools import lru_cache

import numpy as np
from scipy import ndimage

from perfusynth.phantom.ct.scanners import AUTOCORRELATION_LAG_MM, Scanner
from perfusynth.phantom.grid import Grid
from perfusynth.phantom.head.atlas import FORAMEN_MAGNUM_Z, atlas
from perfusynth.phantom.head.pose import Placement, template_coordinates
from perfusynth.phantom.head.skull import outer_head
from perfusynth.phantom.lattice import HEAD, linear_weights, sample, upsample
from perfusynth.volumes.resampling import axis_weights

#: Grids within this of the native spacing are native (relative).
NATIVE_TOLERANCE = 0.02
#: Thickness for which a scanner's noise is stated, mm.
STATED_MM = 5.0
#: Taps of the noise filters to each side of the centre.
TAPS = 5
#: Lattice on which attenuation paths are summed, and nodes at which their effect is sampled, mm; directions.
PATH_STEP_MM, PATH_NODE_MM, PATH_ANGLES = 6.0, 8.0, 18
#: Attenuation of water at a head protocol's mean energy, 1/mm; relative to it: brain, skull; limit for a HU map.
WATER_PER_MM, BRAIN_MU, SKULL_MU, HU_MAX = 0.019, 1.03, 1.9, 1500.0
#: Thickness of an average skull, and of skull and scalp, mm.
SKULL_MM, COVER_MM = 6.5, 12.0
#: Share of a path's attenuation that bow-tie filter and tube current leave to the noise [d].
PATH_SHARE = 0.6


def correlation_at(scanner: Scanner, lag_mm: np.ndarray) -> np.ndarray:
    """In-plane autocorrelation along one axis at lags in mm: linear between the measured lags, 0 beyond."""
    known = np.arange(len(scanner.autocorrelation) + 1) * AUTOCORRELATION_LAG_MM
    return np.interp(np.abs(lag_mm), known, (*scanner.autocorrelation, 0.0))


def straightened(correlation: np.ndarray) -> np.ndarray:
    """Autocorrelation ``(n, n)`` of pixels after the linear shift that straightens a sheared stack, over all shifts."""
    before, after = np.roll(correlation, 1, axis=1), np.roll(correlation, -1, axis=1)
    return 2 / 3 * correlation + (before + after) / 6  # means of f^2 + (1-f)^2 and f (1-f) over f in 0-1


@lru_cache(maxsize=64)
def in_plane_kernel(scanner: Scanner, spacing_mm: float, axis: int) -> tuple[float, np.ndarray]:
    """SD factor and unit-energy filter that turn white noise into the scanner's noise on a grid of ``spacing_mm``.

    On the native pixel (or a finer grid) the process is sampled; on a coarser one native pixels are averaged by area:
    the covariance of the averages is the mean over all sub-pixel phases of ``w r w'``. A tilted scan is straightened
    along y (axis 1) before that.
    """
    lags = np.arange(-TAPS * 4, TAPS * 4 + 1)
    if spacing_mm <= scanner.pixel_mm * (1 + NATIVE_TOLERANCE):
        covariance = correlation_at(scanner, lags * spacing_mm)
    else:
        native_n = int(np.ceil(spacing_mm * (len(lags) + 2) / scanner.pixel_mm)) + 4
        at = np.arange(native_n) * scanner.pixel_mm
        native = correlation_at(scanner, at[:, None] - at[None])
        if axis == 1 and scanner.tilt_deg:
            native = straightened(native)
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
    distance = scanner.plane_distance_mm
    if slab_spacing_mm <= distance * (1 + NATIVE_TOLERANCE):
        return np.eye(slabs)
    native_n = int(np.ceil((slabs + 2) * slab_spacing_mm / distance)) + 2
    start = slab_spacing_mm + phase_mm
    return axis_weights(native_n, distance, 0.0, slabs, slab_spacing_mm, start).astype(float)


def noise_field(
    rng: np.random.Generator, scanner: Scanner, shape: tuple[int, int, int], spacing_mm: np.ndarray, slab_mm: float
) -> np.ndarray:
    """Noise in HU on a grid, float32 ``shape``.

    ``spacing_mm`` is along x, y and the slices' normal; ``slab_mm`` is what a slice averages over. On grids coarser
    than the scanner's, native noise is averaged to it.
    """
    sd_x, kernel_x = in_plane_kernel(scanner, round(float(spacing_mm[0]), 4), 0)
    sd_y, kernel_y = in_plane_kernel(scanner, round(float(spacing_mm[1]), 4), 1)
    mixing = slab_mixing(scanner, shape[2], float(spacing_mm[2]), float(rng.uniform(0, scanner.plane_distance_mm)))
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


@lru_cache(maxsize=1)
def _path_factor() -> np.ndarray:
    """Noise of an average head relative to the mean in its brain, on `HEAD` coarsened to ``PATH_STEP_MM``.

    The variance at a point is the mean over all in-plane directions of what the whole ray through it has lost.
    """
    lattice = HEAD.coarser(PATH_STEP_MM)
    cavity, head = upsample(atlas().cavity, HEAD, lattice), outer_head()
    face_hu = upsample(np.clip(head.hu, -1000, HU_MAX), HEAD, lattice)
    mu = np.where(cavity < COVER_MM, np.float32(1), np.float32(0))
    mu = np.where(upsample(head.surface, HEAD, lattice) > 0, 1 + face_hu / 1000, mu)
    mu = np.where(cavity < SKULL_MM, np.float32(SKULL_MU), mu)
    mu = np.where(cavity < 0, np.float32(BRAIN_MU), mu)
    variance = np.zeros(lattice.shape, dtype=np.float32)
    for angle in np.arange(PATH_ANGLES) * 180 / PATH_ANGLES:
        path = ndimage.rotate(mu, angle, axes=(0, 1), reshape=False, order=1).sum(axis=0, keepdims=True) * PATH_STEP_MM
        loss = np.broadcast_to(np.exp(np.float32(PATH_SHARE * WATER_PER_MM) * path), lattice.shape)
        variance += ndimage.rotate(loss, -angle, axes=(0, 1), reshape=False, order=1, mode="nearest")
    brain = (cavity < 0) & (lattice.axes()[2] > FORAMEN_MAGNUM_Z)
    return np.sqrt(variance / variance[brain].mean())


def noise_factor(placement: Placement, grid: Grid) -> np.ndarray:
    """Local SD of noise relative to the mean in the brain, float32, on ``grid`` (in the head's frame)."""
    nodes, weights = [], []
    for count, step in zip(grid.shape, grid.spacing, strict=True):
        node = np.linspace(0, max(count - 1, 1e-3), max(2, int(np.ceil(count * step / PATH_NODE_MM))))
        nodes.append(node)
        weights.append(linear_weights(len(node), np.arange(count) / (node[1] - node[0])))
    points = template_coordinates(placement, grid.affine, tuple(nodes)).reshape(3, -1)  # type: ignore[arg-type]
    lattice = HEAD.coarser(PATH_STEP_MM)
    factor = sample(_path_factor(), lattice, points, outside=float(_path_factor().min()))
    factor = factor.reshape(tuple(len(n) for n in nodes))
    for axis in range(3):
        factor = np.moveaxis(np.tensordot(weights[axis], factor, axes=(1, axis)), 0, axis)
    return factor


def slice_offsets(rng: np.random.Generator, scanner: Scanner, positions_mm: np.ndarray) -> np.ndarray:
    """Offset of each slice in HU, float32; independent every 5 mm and interpolated between."""
    distance = np.asarray(positions_mm, dtype=float) - float(np.min(positions_mm))
    knots = np.arange(int(distance.max() / STATED_MM) + 2)
    values = scanner.slice_offset_sd_hu * rng.standard_normal(len(knots))
    return np.interp(distance / STATED_MM, knots, values).astype(np.float32)
