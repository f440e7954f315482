"""Curves of the tissue, smoothed in space without bone, fluid, air and vessels, on a working grid, and the way back."""

from dataclasses import dataclass

import numpy as np

from perfusynth.perfusion.series.baseline import Bolus
from perfusynth.progress import OnProgress, ignore_progress
from perfusynth.volumes.blocks import Factors, block_factors, interpolate_blocks
from perfusynth.volumes.cropping import bounding_box
from perfusynth.volumes.series import Series

#: Share of an interpolated voxel that working voxels with tissue must make up.
SHOWN_MIN = 1e-3


@dataclass(frozen=True)
class SmoothingSettings:
    """How far curves are averaged over their neighbours; the project's own choice, as its digital patients' maps are.

    Parameters
    ----------
    in_plane_mm, across_mm
        SD of the Gaussian in plane and across slices; 0: none.
    thick_mm
        Slices from this thickness on are not averaged with their neighbours.
    working_mm
        In-plane size of the voxels whose curves are deconvolved, about; 0: the series' own. Maps are smoother than
        that, and nine times fewer curves are kept from 0.9 mm pixels. Never above ``in_plane_mm``: working voxels
        average over their width themselves, and so does the way back from them.
    """

    in_plane_mm: float = 2.8
    across_mm: float = 2.8
    thick_mm: float = 8.0
    working_mm: float = 2.4

    def across_of(self, slice_mm: float) -> float:
        """SD across slices of a given distance, mm: none where they are thick."""
        return self.across_mm if slice_mm < self.thick_mm else 0.0


@dataclass(frozen=True, eq=False)
class TissueCurves:
    """Curves of the working voxels that hold tissue.

    Parameters
    ----------
    curves
        HU above the baseline, float32 ``(n, frames)``.
    shown
        The working voxels they belong to, bool ``(X, Y, Z)``; ``curves`` are in the order of its flat indices.
    tissue
        Tissue on the series' own grid, bool ``(x, y, z)``.
    box, factors
        Part of the series' grid that the working grid covers, and its voxels in one working voxel.
    """

    curves: np.ndarray
    shown: np.ndarray
    tissue: np.ndarray
    box: tuple[slice, slice, slice]
    factors: Factors

    def to_voxels(self, values: np.ndarray) -> np.ndarray:
        """Values of the working voxels ``(n,)`` on the series' own grid, float32 ``(x, y, z)``; 0 outside the tissue.

        Linear in plane between working voxels with tissue; the others do not count.
        """
        volume = np.zeros(self.shown.shape, dtype=np.float32)
        volume[self.shown] = values
        within = self.tissue[self.box]
        x, y, z = within.shape
        share = interpolate_blocks(self.shown.astype(np.float32), self.factors, (x, y, z))
        fine = interpolate_blocks(volume, self.factors, (x, y, z))
        result = np.zeros(self.tissue.shape, dtype=np.float32)
        result[self.box] = np.where(within & (share > SHOWN_MIN), fine / np.maximum(share, SHOWN_MIN), 0)
        return result


def tissue_curves(
    series: Series,
    bolus: Bolus,
    tissue: np.ndarray,
    settings: SmoothingSettings | None = None,
    *,
    on_progress: OnProgress = ignore_progress,
) -> TissueCurves:
    """Smoothed enhancement of the tissue.

    The Gaussian of the tissue's enhancement over the Gaussian of the tissue itself (masked smoothing, Wack et al.,
    BMC Med Imaging 2014;14:28): each curve is a mean over tissue only.

    Parameters
    ----------
    tissue
        bool ``(x, y, z)``, not empty.
    on_progress
        Told the fraction of the slices that are read; may raise `Cancelled`.

    Memory: the working grid's frames as float32 (a 512 x 512 x 32 x 60 study: about 40 MB, nine or more times that
    on its own grid) and one slice's.
    """
    settings = settings or SmoothingSettings()
    box = bounding_box(tissue)
    target = min(settings.working_mm, settings.in_plane_mm)
    factors = (*block_factors(series.spacing, target)[:2], 1)
    within = tissue[box]
    shape = tuple(-(-n // f) for n, f in zip(within.shape, factors, strict=True))
    total = np.zeros((*shape, series.frames), dtype=np.float32)
    weight = np.zeros((*shape, 1), dtype=np.float32)
    for k in range(shape[2]):
        mask = within[:, :, k]
        values = series.array[:, :, box[2].start + k][box[:2]].astype(np.float32)
        values -= values[..., bolus.baseline].mean(axis=-1, keepdims=True)
        values[~mask] = 0
        total[:, :, k] = _block_sum(values, factors)
        weight[:, :, k] = _block_sum(mask[..., None].astype(np.float32), factors)
        on_progress("smooth", (k + 1) / shape[2])
    shown = weight[..., 0] > 0
    for axis, sigma in enumerate(_sigmas(series.spacing, factors, settings)):
        if sigma > 0:
            total, weight = (_smoothed(values, sigma, axis) for values in (total, weight))
    return TissueCurves(total[shown] / weight[shown], shown, tissue, box, factors)


def _sigmas(spacing: np.ndarray, factors: Factors, settings: SmoothingSettings) -> tuple[float, float, float]:
    """SD along each axis of the working grid, in its voxels; what the working voxels average themselves is left out."""
    across = settings.across_of(spacing[2])
    sigmas = []
    for step, factor, mm in zip(spacing, factors, (settings.in_plane_mm, settings.in_plane_mm, across), strict=True):
        own = (factor**2 - 1) * step**2 / 12
        sigmas.append(float(np.sqrt(max(mm**2 - own, 0.0)) / (factor * step)))
    return sigmas[0], sigmas[1], sigmas[2]


def _block_sum(values: np.ndarray, factors: Factors) -> np.ndarray:
    """Sums over blocks of the first two axes of ``(x, y, k)``; the last blocks may be smaller."""
    summed = np.add.reduceat(values, np.arange(0, values.shape[0], factors[0]), axis=0) if factors[0] > 1 else values
    if factors[1] == 1:
        return summed
    return np.add.reduceat(summed, np.arange(0, values.shape[1], factors[1]), axis=1)


def _smoothed(values: np.ndarray, sigma: float, axis: int) -> np.ndarray:
    """``values`` ``(x, y, z, k)`` after a Gaussian of ``sigma`` voxels along an axis, up to a constant factor."""
    apart = np.subtract.outer(np.arange(values.shape[axis]), np.arange(values.shape[axis]))
    kernel = np.exp(-0.5 * (apart / sigma) ** 2).astype(np.float32)
    if axis == 0:
        return (kernel @ values.reshape(len(kernel), -1)).reshape(values.shape)
    if axis == 1:
        return np.matmul(kernel, values.reshape(*values.shape[:2], -1)).reshape(values.shape)
    return np.matmul(kernel, values)
