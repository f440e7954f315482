"""One coarse look at the head that the anatomical checks share."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from perfusynth.volumes.blocks import Factors, block_factors, block_max, block_mean
from perfusynth.volumes.geometry import nearest_ras
from perfusynth.volumes.volume import Volume

_BLOCK_MM = 2.5


@dataclass(frozen=True, eq=False)
class Anatomy:
    """The head on a grid of about 2.5 mm blocks in nearest-RAS order.

    Parameters
    ----------
    mean, peak
        Block means and maxima, HU.
    inside
        bool, the brain.
    depth
        Distance from the brain's surface, mm, positive inside, negative outside.
    factors
        Voxels a block along the scan's own axes.
    """

    mean: Volume
    peak: Volume
    inside: np.ndarray
    depth: np.ndarray
    factors: Factors

    @property
    def spacing(self) -> np.ndarray:
        """Block size, mm, shape (3,)."""
        return self.mean.spacing

    @property
    def block_ml(self) -> float:
        """Volume of a block, mL."""
        return self.mean.voxel_ml


def look_at(ncct: Volume, brain: np.ndarray) -> Anatomy:
    """Reduce a head and its brain (bool, same grid, not empty) to blocks."""
    factors = block_factors(ncct.spacing, _BLOCK_MM)
    mean = nearest_ras(block_mean(ncct, factors))
    peak = nearest_ras(block_max(ncct, factors))
    inside = nearest_ras(block_mean(ncct.with_array(brain), factors)).array > 0.5
    depth = ndimage.distance_transform_edt(inside, sampling=mean.spacing)
    depth -= ndimage.distance_transform_edt(~inside, sampling=mean.spacing)
    return Anatomy(mean, peak, inside, depth.astype(np.float32), factors)
