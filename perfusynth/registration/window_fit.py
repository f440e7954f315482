"""`WindowFit`: two CT images brought to one place by Gauss-Newton on the edges that a window of HU shows.

It is used twice: at first on all of the head in coarse blocks, from far and wide, in milliseconds; at last on the
skull alone. Mutual information of 5 mm slices has its maximum some tenths of a millimetre off the truth; the skull's
edges, alike in both images but for a factor, have theirs nearer (docs/registration.md has both figures).
"""

import numpy as np

from perfusynth.registration.head_images import on_grid, smoothed, window
from perfusynth.registration.registration_settings import FitWindow
from perfusynth.registration.rigid_fit import Fit, RigidFit
from perfusynth.volumes.volume import Volume

#: Smoothing is at least this wide along every axis, in voxels: linear interpolation between thick slices is only true
#: for an image that is smooth there (as in `motion_settings`).
LEAST_SIGMA_VOXELS = 0.7


class WindowFit:
    """Two images prepared once, between which many transforms are refined.

    Parameters
    ----------
    fixed, moving
        HU without padding, RAS+ mm.
    region
        1 where the head is, on any grid: what of ``fixed`` is compared.
    """

    def __init__(self, fixed: Volume, moving: Volume, region: Volume, settings: FitWindow):
        self._settings = settings
        seen = self._seen(fixed)
        sigma = np.maximum(settings.block_mm / seen.spacing, LEAST_SIGMA_VOXELS)
        self._fit = RigidFit(seen.array, seen.affine, on_grid(region, seen), sigma, settings.points)
        self._moving = smoothed(self._seen(moving), settings.block_mm, LEAST_SIGMA_VOXELS)

    @property
    def determined(self) -> bool:
        """Whether the window shows edges enough."""
        return self._fit.determined

    def refine(self, start: np.ndarray) -> Fit:
        """The fit from ``start`` (4x4, RAS mm, fixed to moving); ``start`` itself where nothing is `determined`."""
        if not self.determined:
            return Fit(start, 0.0, 0.0)
        settings = self._settings
        return self._fit.align_scaled(
            self._moving.array,
            self._moving.affine,
            start,
            iterations=settings.iterations,
            step_mm=settings.step_mm,
        )

    def _seen(self, volume: Volume) -> Volume:
        settings = self._settings
        image = window(volume, settings.low_hu, settings.high_hu, settings.block_mm)
        return image.with_array(image.array - np.float32(settings.low_hu))
