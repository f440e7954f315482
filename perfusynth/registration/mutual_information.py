"""Mattes' mutual information of two images: its value at a transform, and SimpleITK's descent on it."""

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from perfusynth.registration.rigid_motion import RAS_LPS
from perfusynth.volumes.volume import Volume

#: The descent ends where the metric's gradient is this flat.
FLAT = 1e-8
#: A step that went too far is followed by one of this share of its length.
RELAXATION = 0.5


@dataclass(frozen=True)
class Descent:
    """How far SimpleITK's regular-step gradient descent goes; lengths in mm.

    ``turn_radius_mm``: a turn counts as the way of a point so far from the centre. ``points``: share of the mask's
    voxels that are drawn, seeded. ``threads``: fixed, since sums in another order differ in the last digit.
    """

    bins: int
    points: int
    seed: int
    first_step_mm: float
    least_step_mm: float
    iterations: int
    turn_radius_mm: float
    threads: int


class MutualInformation:
    """Two images, prepared once, between which many transforms are refined.

    Parameters
    ----------
    fixed, moving
        Smoothed, any units; RAS+ mm.
    region
        bool on the grid of ``fixed``: what is compared.
    moving_region
        bool on the grid of ``moving``; None: all of it.
    """

    def __init__(self, fixed: Volume, moving: Volume, region: np.ndarray, moving_region: np.ndarray | None = None):
        self._fixed, self._moving = _image(fixed.array, fixed.affine), _image(moving.array, moving.affine)
        self._region = _image(region.astype(np.uint8), fixed.affine)
        self._moving_region = None
        if moving_region is not None:
            self._moving_region = _image(moving_region.astype(np.uint8), moving.affine)
        self._voxels = region.size
        index = np.argwhere(region)
        self.centre = index.mean(axis=0) @ fixed.affine[:3, :3].T + fixed.affine[:3, 3]

    def refine(self, start: np.ndarray, descent: Descent) -> np.ndarray:
        """The transform (4x4, RAS mm, fixed to moving) that the descent reaches from ``start``.

        ``start`` itself where the images do not overlap enough for any step.
        """
        transform = self._transform(start)
        method = sitk.ImageRegistrationMethod()
        method.SetNumberOfThreads(descent.threads)
        method.SetMetricAsMattesMutualInformation(descent.bins)
        method.SetMetricSamplingStrategy(method.RANDOM)
        method.SetMetricSamplingPercentage(min(1.0, descent.points / self._voxels), descent.seed)
        method.SetMetricFixedMask(self._region)
        if self._moving_region is not None:
            method.SetMetricMovingMask(self._moving_region)
        method.SetInterpolator(sitk.sitkLinear)
        method.SetOptimizerAsRegularStepGradientDescent(
            descent.first_step_mm,
            descent.least_step_mm,
            descent.iterations,
            relaxationFactor=RELAXATION,
            gradientMagnitudeTolerance=FLAT,
        )
        method.SetOptimizerScales([descent.turn_radius_mm**2] * 3 + [1.0] * 3)
        method.SetInitialTransform(transform, inPlace=True)
        try:
            method.Execute(self._fixed, self._moving)
        except RuntimeError as fault:
            if "map outside" in str(fault) or "overlap" in str(fault) or "No valid points" in str(fault):
                return start
            raise
        return self._matrix(transform)

    def _transform(self, matrix: np.ndarray) -> sitk.Euler3DTransform:
        lps, centre = RAS_LPS @ matrix @ RAS_LPS, RAS_LPS[:3, :3] @ self.centre
        transform = sitk.Euler3DTransform()
        transform.SetCenter(centre.tolist())
        transform.SetMatrix(lps[:3, :3].ravel().tolist(), 1e-6)
        transform.SetTranslation((lps[:3, :3] @ centre + lps[:3, 3] - centre).tolist())
        return transform

    def _matrix(self, transform: sitk.Euler3DTransform) -> np.ndarray:
        centre = RAS_LPS[:3, :3] @ self.centre
        lps = np.eye(4)
        lps[:3, :3] = np.array(transform.GetMatrix()).reshape(3, 3)
        lps[:3, 3] = np.array(transform.GetTranslation()) + centre - lps[:3, :3] @ centre
        return RAS_LPS @ lps @ RAS_LPS


class Similarity:
    """How alike two images are at some of the fixed one's voxels, quickly: for comparing many transforms.

    Parameters
    ----------
    fixed, moving
        Smoothed, RAS+ mm.
    region, moving_region
        As of `MutualInformation`.
    points, seed
        At most so many voxels, drawn by this seed.
    bins
        Of the joint histogram along each axis.
    """

    def __init__(
        self,
        fixed: Volume,
        moving: Volume,
        region: np.ndarray,
        moving_region: np.ndarray | None,
        *,
        points: int,
        seed: int,
        bins: int,
    ):
        chosen = np.flatnonzero(region)
        if len(chosen) > points:
            chosen = np.sort(np.random.default_rng(seed).choice(chosen, points, replace=False))
        index = np.stack(np.unravel_index(chosen, fixed.shape), axis=-1)
        self.points = index @ fixed.affine[:3, :3].T + fixed.affine[:3, 3]
        self.bins = bins
        self._row = _binned(fixed.array, bins).ravel()[chosen] * bins
        column = _binned(moving.array, bins)
        if moving_region is not None:
            column = np.where(moving_region, column, -1)
        # A border of -1 around the image: whatever lies outside is clipped to it.
        self._column = np.pad(column, 1, constant_values=-1)
        self._limit = np.array(self._column.shape)[:, None] - 1
        self._to_index = np.linalg.inv(moving.affine)

    def __call__(self, transform: np.ndarray) -> float:
        """Mutual information (nats) times the share of the points that the moving image shows."""
        matrix = self._to_index @ transform
        at = matrix[:3, :3] @ self.points.T + (matrix[:3, 3:4] + 1.5)
        at = np.clip(at, 0, self._limit).astype(np.intp)
        column = self._column[at[0], at[1], at[2]]
        seen = column >= 0
        count = int(np.count_nonzero(seen))
        if count == 0:
            return 0.0
        pairs = np.bincount(self._row[seen] + column[seen], minlength=self.bins**2)
        joint = pairs.reshape(self.bins, self.bins) / count
        apart = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True)
        some = joint > 0
        return float((joint[some] * np.log(joint[some] / apart[some])).sum()) * count / len(seen)


def _binned(array: np.ndarray, bins: int) -> np.ndarray:
    low, high = float(array.min()), float(array.max())
    return np.minimum((array - low) * (bins / max(high - low, 1e-6)), bins - 1).astype(np.int32)


def _image(array: np.ndarray, affine: np.ndarray) -> sitk.Image:
    """An image of an orthogonal grid, in LPS."""
    lps = RAS_LPS @ affine
    spacing = np.linalg.norm(lps[:3, :3], axis=0)
    image = sitk.GetImageFromArray(np.ascontiguousarray(array.T))
    image.SetSpacing(spacing.tolist())
    image.SetOrigin(lps[:3, 3].tolist())
    image.SetDirection((lps[:3, :3] / spacing).ravel().tolist())
    return image
