"""Plain figures of a head's NCCT on the model grid: what a network's own features may be blind to."""

import numpy as np
from scipy import ndimage

#: Brain that counts lies at least so many voxels inside the mask, in plane (10 mm): neither bone nor the fluid over the
#: convexity, of which one mask takes in more than another [d].
RIM_VOXELS = 8
#: HU of brain tissue, without CSF, clots, calcium; noise and edges are told from it [d].
TISSUE_HU = (15.0, 60.0)
#: HU below which brain is CSF or old scar, and above which it is blood, calcium or metal [d].
DARK_HU, BRIGHT_HU = 15.0, 55.0
#: HU to which values are clipped for mean and spread: one clip of metal must not drown the rest [d].
CLIP_HU = (-20.0, 100.0)
#: Smoothing before the sides are compared, voxels (7 mm in plane, 5 mm across) [d]; noise is what a Gaussian of so
#: many voxels takes away [d].
SIDES_SIGMA, FINE_SIGMA = (6.0, 6.0, 1.0), (2.0, 2.0, 0.0)
#: SD of a normal distribution over the median of its absolute values.
SD_OF_MAD = 1.4826

#: Figure, what it is in words.
STATISTICS = {
    "mean_hu": "mean density of the brain, HU",
    "spread_hu": "spread of density within the brain, HU",
    "noise_hu": "noise, HU",
    "grain": "grain of the noise (how far it reaches in plane)",
    "slab_step_hu": "steps between neighbouring slabs, HU",
    "slab_likeness": "likeness of the noise of neighbouring slabs",
    "dark_share": "share of fluid or scar in the brain",
    "bright_share": "share of very dense brain",
    "brain_ml": "volume of the brain, mL",
    "height_mm": "height of the brain, mm",
    "side_difference_hu": "difference of the two sides, HU",
}


def head_statistics(ncct: np.ndarray, brain: np.ndarray, spacing_mm: tuple[float, float, float]) -> dict[str, float]:
    """The figures of `STATISTICS`.

    Parameters
    ----------
    ncct
        HU, ``(x, y, slabs)`` on the model grid, the brain in the middle of x; outside the brain it may hold anything.
    brain
        bool, same shape, not empty.
    spacing_mm
        Voxel size.
    """
    inner = ndimage.binary_erosion(brain, np.ones((3, 3, 1)), iterations=RIM_VOXELS)
    inner = inner if inner.any() else brain
    values = np.clip(np.where(brain, ncct, 0), *CLIP_HU)
    inside = values[inner]
    tissue = inner & (values > TISSUE_HU[0]) & (values < TISSUE_HU[1])
    fine = values - _smoothed(values, brain, FINE_SIGMA)
    slabs = np.array([np.median(values[..., k][tissue[..., k]]) for k in range(brain.shape[2]) if tissue[..., k].any()])
    return {
        "mean_hu": float(inside.mean()),
        "spread_hu": float(inside.std()),
        "noise_hu": _sd(_differences(values, tissue, 1, 0)) / np.sqrt(2),
        "grain": _correlation(fine, tissue, 0),
        "slab_step_hu": _sd(np.diff(slabs)),
        "slab_likeness": _correlation(fine, tissue, 2),
        "dark_share": float((inside < DARK_HU).mean()),
        "bright_share": float((inside > BRIGHT_HU).mean()),
        "brain_ml": float(np.count_nonzero(brain) * np.prod(spacing_mm) / 1000),
        "height_mm": float(np.count_nonzero(brain.any(axis=(0, 1))) * spacing_mm[2]),
        "side_difference_hu": _side_difference(values, inner),
    }


def _neighbours(values: np.ndarray, mask: np.ndarray, step: int, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of values ``step`` voxels apart that both lie in the mask."""
    size = values.shape[axis]
    if size <= step:
        return np.empty(0), np.empty(0)
    one, other = (np.take(values, range(first, size - step + first), axis=axis) for first in (0, step))
    both = np.take(mask, range(size - step), axis=axis) & np.take(mask, range(step, size), axis=axis)
    return one[both], other[both]


def _differences(values: np.ndarray, mask: np.ndarray, step: int, axis: int) -> np.ndarray:
    one, other = _neighbours(values, mask, step, axis)
    return other - one


def _correlation(values: np.ndarray, mask: np.ndarray, axis: int) -> float:
    """Correlation of neighbours along an axis; 0 where there are too few to tell."""
    one, other = _neighbours(values, mask, 1, axis)
    if len(one) < 2 or one.std() == 0 or other.std() == 0:
        return 0.0
    return float(np.corrcoef(one, other)[0, 1])


def _sd(differences: np.ndarray) -> float:
    """SD of differences around 0, by the median of their size; 0 of nothing."""
    return float(np.median(np.abs(differences)) * SD_OF_MAD) if differences.size else 0.0


def _smoothed(values: np.ndarray, mask: np.ndarray, sigma: tuple[float, float, float]) -> np.ndarray:
    """Gaussian mean over the mask alone."""
    weight = ndimage.gaussian_filter(mask.astype(np.float32), sigma)
    mean = ndimage.gaussian_filter(np.where(mask, values, 0).astype(np.float32), sigma)
    return mean / np.maximum(weight, 1e-3)


def _side_difference(values: np.ndarray, inner: np.ndarray) -> float:
    """SD over the brain of the difference between a place and its mirror image, smoothed."""
    smooth = _smoothed(values, inner, SIDES_SIGMA)
    both = inner & inner[::-1]
    return float((smooth - smooth[::-1])[both].std()) if both.any() else 0.0
