"""What a network is shown of a head on the model grid, and its answers in units: alike in all families."""

import numpy as np
import torch
from scipy.ndimage import gaussian_filter

from perfusynth.generators.bundles import GeneratorSpec

#: The largest difference between the sides that the network is told, HU (a day-old infarct: 7 HU).
SIDE_DIFFERENCE_HU = 8.0


def rectangle_around(brain: np.ndarray, divisor: int) -> tuple[slice, slice]:
    """The smallest rectangle in plane that holds the brain of every slab, with sides divisible by ``divisor``.

    Parameters
    ----------
    brain
        bool ``(x, y, slabs)``, not empty; x and y divisible by ``divisor``.
    divisor
        What the network's down-samplings ask of its images.
    """
    sides = []
    for axis in (0, 1):
        inside = np.flatnonzero(brain.any(axis=(1 - axis, 2)))
        size = brain.shape[axis]
        length = min(size, -(-(inside[-1] - inside[0] + 1) // divisor) * divisor)
        start = (inside[0] + inside[-1] + 1 - length) // 2
        start = int(np.clip(start, 0, size - length))
        sides.append(slice(start, start + int(length)))
    return sides[0], sides[1]


def as_images(ncct: np.ndarray, brain: np.ndarray, spec: GeneratorSpec) -> torch.Tensor:
    """The network's images of a head on the model grid.

    Parameters
    ----------
    ncct
        HU, shape ``(x, y, slabs)`` in nearest-RAS order, the brain in the middle of x (`map_to_grid`).
    brain
        bool, same shape; outside it the images hold 0, the middle of the window.
    spec
        Window, neighbouring slabs and smoothing, from the bundle's metadata.

    Returns
    -------
    float32 tensor ``(slabs, channels, x, y)`` in [-1, 1]: each slab between its neighbours (beyond the first and the
    last the outermost one is repeated) and, where the metadata asks for it, `side_difference`.
    """
    low, high = spec.inputs[0].window
    scaled = (np.clip((ncct - low) / (high - low), 0, 1) * 2 - 1) * brain
    reach = spec.inputs[0].slices // 2
    padded = np.pad(scaled, ((0, 0), (0, 0), (reach, reach)), mode="edge")
    channels = [padded[..., k : k + ncct.shape[2]] for k in range(spec.inputs[0].slices)]
    if spec.inputs[0].side_difference_mm is not None:
        spacing = (spec.grid.spacing_mm, spec.grid.spacing_mm, spec.grid.slab_mm)
        hounsfield = np.clip(ncct, low, high)
        channels.append(side_difference(hounsfield, brain, spec.inputs[0].side_difference_mm, spacing))
    return torch.from_numpy(np.ascontiguousarray(np.stack(channels).transpose(3, 0, 1, 2), dtype=np.float32))


def side_difference(
    ncct: np.ndarray, brain: np.ndarray, sigma_mm: float, spacing_mm: tuple[float, float, float]
) -> np.ndarray:
    """How much brighter the brain is at each place than at its mirror image, smoothed: early ischaemia's first sign.

    Parameters
    ----------
    ncct
        HU, clipped to brain tissue, shape ``(x, y, slabs)``, the brain in the middle of x.
    brain
        bool, same shape; the mean that smooths is taken over brain alone.
    sigma_mm
        Standard deviation of the Gaussian that takes the noise away, mm.
    spacing_mm
        Voxel size, mm.

    Returns
    -------
    float32 array of the same shape in [-1, 1] for -`SIDE_DIFFERENCE_HU` to `SIDE_DIFFERENCE_HU`; 0 where either side
    is not brain.
    """
    sigma = [sigma_mm / step for step in spacing_mm]
    weight = gaussian_filter(brain.astype(np.float32), sigma)
    mean = gaussian_filter(np.where(brain, ncct, 0).astype(np.float32), sigma) / np.maximum(weight, 1e-3)
    difference = np.clip((mean - mean[::-1]) / SIDE_DIFFERENCE_HU, -1, 1)
    return (difference * (brain & brain[::-1])).astype(np.float32)


def to_units(made: np.ndarray, spec: GeneratorSpec) -> np.ndarray:
    """The network's output ``(slabs, maps, x, y)`` in physical units as ``(maps, x, y, slabs)``, clipped to range."""
    low, high = (np.array([o.range[k] for o in spec.maps], dtype=np.float32)[:, None, None, None] for k in (0, 1))
    values = (np.moveaxis(made, 0, -1) + 1) / 2 * (high - low) + low
    return np.clip(values, low, high).astype(np.float32)


def whole_maps(
    made: np.ndarray,
    where: tuple[slice, slice],
    shape: tuple[int, ...],
    spec: GeneratorSpec,
    probability: np.ndarray | None = None,
) -> dict[str, np.ndarray]:
    """The network's answer to a rectangle as maps of the whole model grid.

    Parameters
    ----------
    made
        ``(slabs, maps, x, y)`` in [-1, 1], of the rectangle.
    where
        The rectangle, see `rectangle_around`.
    shape
        ``(x, y, slabs)`` of the grid.
    probability
        Of hypoperfusion, ``(x, y, slabs)`` in [0, 1], of the rectangle; needed where the metadata names it.

    Returns
    -------
    float32 arrays ``(x, y, slabs)`` in units by name; outside the rectangle the lower end of each range.
    """
    whole = np.full((shape[2], len(spec.maps), *shape[:2]), -1, dtype=np.float32)
    whole[:, :, *where] = made
    maps = dict(zip((output.name for output in spec.maps), to_units(whole, spec), strict=True))
    if spec.probability is not None and probability is not None:
        maps[spec.probability.name] = np.zeros(shape, dtype=np.float32)
        maps[spec.probability.name][where] = probability
    return maps


def from_units(maps: np.ndarray, spec: GeneratorSpec) -> np.ndarray:
    """The inverse of `to_units`: ``(maps, x, y, slabs)`` in units to ``(slabs, maps, x, y)`` in [-1, 1]."""
    low, high = (np.array([o.range[k] for o in spec.maps], dtype=np.float32)[:, None, None, None] for k in (0, 1))
    return np.moveaxis((np.clip(maps, low, high) - low) / (high - low) * 2 - 1, -1, 0).astype(np.float32)
