"""The last step of a registration: the skull of two images brought to one place by Gauss-Newton.

Mutual information of 5 mm slices has its maximum some tenths of a millimetre off the truth; the skull's edges, which
look alike in both images but for a factor, have theirs nearer (docs/registration.md has both figures).
"""

import numpy as np

from perfusynth.registration.head_images import on_grid, smoothed, window
from perfusynth.registration.registration_settings import RegistrationSettings
from perfusynth.registration.rigid_fit import Fit, RigidFit
from perfusynth.volumes.volume import Volume

#: Smoothing is at least this wide along every axis, in voxels: linear interpolation between thick slices is only true
#: for an image that is smooth there (as in `motion_settings`).
LEAST_SIGMA_VOXELS = 0.7
#: At most so many steps; done when no point moves by more than this, mm. [d]
ITERATIONS, STEP_MM = 60, 0.002


class BoneRefinement:
    """Two images prepared once, between which transforms near the truth are refined.

    Parameters
    ----------
    fixed, moving
        HU without padding, RAS+ mm.
    region
        1 where the head is, on any grid: what of ``fixed`` is compared.
    """

    def __init__(self, fixed: Volume, moving: Volume, region: Volume, settings: RegistrationSettings):
        self._settings = settings
        bone = self._bone(fixed)
        sigma = np.maximum(settings.refine_mm / bone.spacing, LEAST_SIGMA_VOXELS)
        inside = on_grid(region, bone)
        self._fit = RigidFit(bone.array, bone.affine, inside, sigma, settings.refine_points)
        self._moving = smoothed(self._bone(moving), settings.refine_mm, LEAST_SIGMA_VOXELS)

    def refine(self, start: np.ndarray) -> Fit | None:
        """The fit from ``start`` (4x4, RAS mm, fixed to moving), or None where the skull cannot say better.

        That is where there is too little bone, where it does not look alike, or where it leads far away: the start is
        then the better answer.
        """
        if not self._fit.determined:
            return None
        fit = self._fit.align_scaled(
            self._moving.array, self._moving.affine, start, iterations=ITERATIONS, step_mm=STEP_MM
        )
        apart = fit.transform - start
        moved = np.linalg.norm(self._fit.points @ apart[:3, :3].T + apart[:3, 3], axis=1).mean()
        if moved > self._settings.refine_away_mm or fit.correlation < self._settings.refine_correlation:
            return None
        return fit

    def _bone(self, volume: Volume) -> Volume:
        settings = self._settings
        bone = window(volume, settings.bone_hu, settings.dense_hu, settings.refine_mm)
        return bone.with_array(bone.array - np.float32(settings.bone_hu))
