"""`RigidFit`: where a rigid object lies in another image, by Gauss-Newton on the voxels where its edges are."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.spatial.transform import Rotation

from perfusynth.registration.rigid_motion import about

#: Tukey's biweight: residuals beyond this many robust SDs count nothing. The usual 4.685 is for normal noise. Own
#: choice: for strong motion at 10 mm slices, 3 halved the median error in slabs of a fine head, but added a sixth in
#: the phantom's own series (two patients each).
TUKEY_SDS = 3.0
#: SD of a normal distribution per median absolute deviation.
SD_PER_MAD = 1.4826
#: Least gradient of a voxel that is compared, relative to the 99th percentile.
LEAST_GRADIENT = 0.1
#: Fewest voxels that determine six parameters well.
FEWEST_POINTS = 200


@dataclass(frozen=True, eq=False)
class Fit:
    """``transform``: 4x4 RAS mm, from the reference position to where the object lies in the image.

    ``correlation`` of the values at the reference's points, over the share ``in_view`` of them that the image shows.
    """

    transform: np.ndarray
    correlation: float
    in_view: float


@dataclass(frozen=True, eq=False)
class _Seen:
    """A smoothed image, and 4x4 from RAS mm to its voxel index."""

    array: np.ndarray
    to_index: np.ndarray


class RigidFit:
    """Inverse compositional alignment: the reference's gradients are computed once, images only interpolated [1].

    Parameters
    ----------
    reference
        Image ``(x, y, z)``.
    affine
        4x4, voxel index to RAS mm, of the reference and of all images.
    region
        bool ``(x, y, z)``: where the object is.
    sigma_voxels
        SD along each axis of the Gaussian by which reference and images are smoothed.
    points
        At most so many voxels are compared, evenly out of those with an edge.

    Notes
    -----
    [1] Baker and Matthews, Lucas-Kanade 20 years on: a unifying framework, Int J Comput Vis 2004;56:221. Residuals are
    weighted by Tukey's biweight, so that what does not move with the object (a headrest, the jaw) does not pull.
    """

    def __init__(
        self, reference: np.ndarray, affine: np.ndarray, region: np.ndarray, sigma_voxels: np.ndarray, points: int
    ):
        self.sigma_voxels = sigma_voxels
        self.to_index = np.linalg.inv(affine)
        image = self._smooth(reference)
        axes = [np.gradient(image, axis=a) if image.shape[a] > 1 else np.zeros_like(image) for a in range(3)]
        gradient = np.stack(axes, axis=-1) @ self.to_index[:3, :3]
        steep = np.where(region, np.linalg.norm(gradient, axis=-1), 0)
        least = LEAST_GRADIENT * np.percentile(steep[steep > 0], 99) if (steep > 0).any() else np.inf
        chosen = np.flatnonzero(steep > least)
        # A fixed step would meet one row of voxels only; a seeded choice is as repeatable and is even.
        if len(chosen) > points:
            chosen = np.sort(np.random.default_rng(0).choice(chosen, points, replace=False))
        index = np.stack(np.unravel_index(chosen, image.shape), axis=-1)
        self.points = index @ affine[:3, :3].T + affine[:3, 3]
        self.values = image.ravel()[chosen]
        if not self.determined:
            return
        self.centre = self.points.mean(axis=0)
        self.radius = float(np.linalg.norm(self.points - self.centre, axis=1).max())
        edges = gradient.reshape(-1, 3)[chosen]
        self.jacobian = np.concatenate([np.cross(self.points - self.centre, edges), edges], axis=1)

    @property
    def determined(self) -> bool:
        """Whether there are edges enough for six parameters."""
        return len(self.values) >= FEWEST_POINTS

    def align(self, image: np.ndarray, starts: list[np.ndarray], *, iterations: int, step_mm: float) -> Fit:
        """The best of the fits from some starting transforms; ``image`` is on the reference's grid."""
        seen = _Seen(self._smooth(image), self.to_index)
        fits = [self._descend(seen, start, iterations, step_mm) for start in starts]
        return max(fits, key=lambda fit: fit.correlation * fit.in_view)

    def align_scaled(
        self, image: np.ndarray, affine: np.ndarray, start: np.ndarray, *, iterations: int, step_mm: float
    ) -> Fit:
        """The fit to an image on a grid of its own, smoothed as it should be, whose values are scaled by some factor.

        Bone is a fifth brighter at 80 kV than at 120 kV; the factor is found anew at every step.
        """
        return self._descend(_Seen(image, np.linalg.inv(affine)), start, iterations, step_mm, scaled=True)

    def _smooth(self, image: np.ndarray) -> np.ndarray:
        return ndimage.gaussian_filter(image, self.sigma_voxels, mode="nearest", truncate=3.0)

    def _sample(self, image: "_Seen", transform: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        matrix = image.to_index @ transform
        index = matrix[:3, :3] @ self.points.T + matrix[:3, 3:4]
        seen = ((index >= -0.01) & (index <= np.array(image.array.shape)[:, None] - 0.99)).all(axis=0)
        return ndimage.map_coordinates(image.array, index, order=1, mode="nearest", prefilter=False), seen

    def _descend(
        self, image: "_Seen", start: np.ndarray, iterations: int, step_mm: float, *, scaled: bool = False
    ) -> Fit:
        transform = start
        factor = 1.0
        for _ in range(iterations):
            values, seen = self._sample(image, transform)
            if np.count_nonzero(seen) < FEWEST_POINTS:
                break
            if scaled:
                factor = float(values[seen] @ self.values[seen]) / max(1e-6, float(values[seen] @ values[seen]))
            residual = factor * values - self.values
            sd = SD_PER_MAD * float(np.median(np.abs(residual[seen]))) + 1e-3
            weights = seen * np.clip(1 - (residual / (TUKEY_SDS * sd)) ** 2, 0, None) ** 2
            weighted = self.jacobian * weights[:, None]
            # A trace of damping: directions without any edge (one slice) stay where they are.
            normal = weighted.T @ self.jacobian
            normal[np.diag_indices(6)] *= 1 + 1e-6
            normal[np.diag_indices(6)] += 1e-6
            step = np.linalg.solve(normal, weighted.T @ residual)
            transform = transform @ np.linalg.inv(self._about_centre(step))
            if np.linalg.norm(step[3:]) + self.radius * np.linalg.norm(step[:3]) < step_mm:
                break
        values, seen = self._sample(image, transform)
        in_view = float(seen.mean())
        if np.count_nonzero(seen) < FEWEST_POINTS or np.ptp(values[seen]) == 0:
            return Fit(transform, 0.0, in_view)
        return Fit(transform, float(np.corrcoef(values[seen], self.values[seen])[0, 1]), in_view)

    def _about_centre(self, step: np.ndarray) -> np.ndarray:
        """4x4 of a rotation vector (rad) about the points' centre and a shift (mm)."""
        return about(Rotation.from_rotvec(step[:3]).as_matrix(), self.centre, step[3:])
