"""Where each scan point lies in the template and back: head pose, size, and a smooth invertible asymmetric warp."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.spatial.transform import Rotation

from perfusynth.phantom.head.atlas import atlas
from perfusynth.phantom.head.traits import Anatomy
from perfusynth.phantom.lattice import HEAD, linear_weights, sample, smooth_field, stream
from perfusynth.phantom.patient import Patient

#: Point of the template that lies at the scan's origin when the offset is 0, MNI mm.
HEAD_CENTRE = (0.0, -18.0, 5.0)
#: Smoothness of the warp's two parts, mm, and the fine part's SD relative to the coarse one.
WARP_SIGMA_MM, FINE_SIGMA_MM, FINE_SHARE = 28.0, 9.0, 0.55
#: The fine part fades between these depths below the inner table, mm: bone is smooth where gyri are not.
FINE_FADES_MM = (2.0, 14.0)
#: Spacing of the lattices on which the warp is kept and template coordinates are computed, mm.
WARP_STEP_MM, NODE_MM = 6.0, 6.0
#: Right frontal and left occipital pole, MNI mm, and how far their petalia reaches, mm.
FRONTAL_POLE, OCCIPITAL_POLE, PETALIA_SIGMA_MM = (26.0, 58.0, 8.0), (-26.0, -96.0, 2.0), 28.0
#: The inverse is iterated until no point moves by more, mm; the largest number of iterations.
INVERSE_TOLERANCE_MM, INVERSE_ITERATIONS = 0.005, 200

WARP_LATTICE = HEAD.coarser(WARP_STEP_MM)


@dataclass(frozen=True, eq=False)
class Placement:
    """From scan RAS mm to MNI mm: ``mni = t + warp(t)`` with ``t = R^T (ras - offset) / scale + centre``.

    ``anatomy`` names the template that lies there.
    """

    linear: np.ndarray
    origin: np.ndarray
    warp: np.ndarray
    anatomy: Anatomy

    def _shift(self, linear: np.ndarray) -> np.ndarray:
        index = WARP_LATTICE.index(linear)
        return np.stack(
            [ndimage.map_coordinates(w, index, order=1, mode="nearest", output=np.float32) for w in self.warp]
        )

    def to_template(self, points: np.ndarray) -> np.ndarray:
        """MNI mm of RAS points, both ``(3, n)`` float32."""
        linear = self.linear @ (points - self.origin[:, None]) + np.asarray(HEAD_CENTRE)[:, None]
        return (linear + self._shift(linear)).astype(np.float32)

    def to_head(self, points: np.ndarray) -> np.ndarray:
        """RAS mm of MNI points, both ``(3, n)``, float64: the inverse of `to_template` (error below 0.05 mm)."""
        points = np.asarray(points, dtype=float)
        linear = points - self._shift(points)
        for _ in range(INVERSE_ITERATIONS):
            following = points - self._shift(linear)
            moved = float(np.abs(following - linear).max(initial=0.0))
            linear = following
            if moved < INVERSE_TOLERANCE_MM:
                break
        return np.linalg.solve(self.linear, linear - np.asarray(HEAD_CENTRE)[:, None]) + self.origin[:, None]


def _pole(centre: tuple[float, float, float]) -> np.ndarray:
    squared = sum((axis - c) ** 2 for axis, c in zip(WARP_LATTICE.axes(), centre, strict=True))
    return np.exp(-squared / (2 * PETALIA_SIGMA_MM**2))


def placement_of(patient: Patient) -> Placement:
    """The patient's placement; the warp's SD is ``warp_mm`` per axis, slopes stay far below 1 (invertible)."""
    rotation = Rotation.from_euler("xyz", patient.head.rotation_deg, degrees=True).as_matrix()
    rng = stream(patient.seed, "warp")
    nodes = np.stack([a.ravel() for a in np.meshgrid(*map(np.ravel, WARP_LATTICE.axes()), indexing="ij")])
    depth = -sample(atlas(patient.head.anatomy).cavity, HEAD, nodes, outside=120.0).reshape(WARP_LATTICE.shape)
    low, high = FINE_FADES_MM
    fine = FINE_SHARE * np.clip((depth - low) / (high - low), 0, 1)
    warp = [
        patient.head.warp_mm
        * (smooth_field(rng, WARP_LATTICE, WARP_SIGMA_MM) + fine * smooth_field(rng, WARP_LATTICE, FINE_SIGMA_MM))
        for _ in range(3)
    ]
    frontal, occipital = patient.head.petalia_mm
    warp[1] = warp[1] - frontal * _pole(FRONTAL_POLE) + occipital * _pole(OCCIPITAL_POLE)
    linear = np.diag(1 / np.asarray(patient.head.scale)) @ rotation.T
    origin = np.asarray(patient.head.offset_mm, dtype=float)
    return Placement(linear, origin, np.stack(warp).astype(np.float32), patient.head.anatomy)


def template_coordinates(
    placement: Placement, affine: np.ndarray, ranges: tuple[np.ndarray, np.ndarray, np.ndarray]
) -> np.ndarray:
    """MNI mm at every voxel of a grid, computed on coarse nodes and interpolated linearly.

    Parameters
    ----------
    affine
        Voxel to RAS mm.
    ranges
        Voxel indices (may be fractional, ascending) along each axis.

    Returns
    -------
    float32 ``(3, len(x), len(y), len(z))``.
    """
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    nodes, weights = [], []
    for index, step in zip(ranges, spacing, strict=True):
        length = float(index[-1] - index[0]) * step
        count = max(2, int(np.ceil(length / NODE_MM)) + 1)
        node = np.linspace(index[0], max(index[-1], index[0] + 1e-3), count)
        nodes.append(node)
        weights.append(linear_weights(count, (index - node[0]) / (node[1] - node[0])))
    voxels = np.stack([n.ravel() for n in np.meshgrid(*nodes, indexing="ij")])
    coordinates = placement.to_template(affine[:3, :3] @ voxels + affine[:3, 3:4])
    result = coordinates.reshape(3, *(len(n) for n in nodes))
    for axis in range(3):
        result = np.moveaxis(np.tensordot(weights[axis], result, axes=(1, axis + 1)), 0, axis + 1)
    return np.ascontiguousarray(result, dtype=np.float32)
