"""Bone images: every frame of a series averaged to small blocks, with everything but bone cut to one flat value."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from perfusynth.registration.motion_settings import MotionSettings
from perfusynth.volumes.blocks import block_affine, block_factors
from perfusynth.volumes.series import Series


@dataclass(frozen=True, eq=False)
class BoneImages:
    """HU above ``bone_hu``.

    Parameters
    ----------
    array
        float32, shape ``(frames, x, y, z)`` of blocks.
    affine
        4x4, block index to RAS mm.
    """

    array: np.ndarray
    affine: np.ndarray

    @property
    def spacing(self) -> np.ndarray:
        """Block size along each axis, mm, shape (3,)."""
        return np.linalg.norm(self.affine[:3, :3], axis=0)


def bone_images(series: Series, settings: MotionSettings) -> BoneImages:
    """Average the bone of each frame; incomplete blocks at the far ends are left out, NaN is no bone."""
    factors = block_factors(series.spacing, settings.block_mm)
    x, y, z = (max(1, n // f) for n, f in zip(series.shape, factors, strict=True))
    fx, fy, fz = factors = tuple(min(n, f) for n, f in zip(series.shape, factors, strict=True))  # type: ignore[assignment]
    images = np.empty((series.frames, x, y, z), dtype=np.float32)
    for row in range(x):
        slab = series.array[row * fx : (row + 1) * fx, : y * fy, : z * fz].astype(np.float32)
        slab = np.fmin(np.fmax(slab, settings.bone_hu), settings.dense_hu) - np.float32(settings.bone_hu)
        means = slab.reshape(fx, y, fy, z, fz, series.frames).mean(axis=(0, 2, 4))
        images[:, row] = np.moveaxis(means, 2, 0)
    return BoneImages(images, block_affine(series.affine, factors))


def skull(image: np.ndarray, settings: MotionSettings) -> np.ndarray:
    """The large pieces of bone in one bone image and what surrounds them, bool ``(x, y, z)``."""
    labels, count = ndimage.label(image > 0)
    if count == 0:
        return np.zeros(image.shape, dtype=bool)
    mass = ndimage.sum_labels(image, labels, np.arange(1, count + 1))
    large = np.flatnonzero(mass >= settings.component_share * mass.max()) + 1
    reach = max(1, round(settings.coarse_mm / settings.block_mm))
    return ndimage.binary_dilation(np.isin(labels, large), iterations=reach)


def most_common_position(images: BoneImages, settings: MotionSettings) -> int:
    """The earliest of the frames that lie where most others lie.

    Its differences to all other frames sum to (nearly) the least, which neither a frame of noise nor one in which the
    head is away can reach.
    """
    rows = images.array.reshape(len(images.array), -1)
    some = rows[:, rows.max(axis=0) > 0][:, ::3]
    squares = np.einsum("fv,fv->f", some, some, dtype=np.float64)
    apart = np.sqrt(np.clip(squares[:, None] + squares[None, :] - 2 * (some @ some.T), 0, None)).sum(axis=1)
    return int(np.flatnonzero(apart <= (1 + settings.same_position_share) * apart.min())[0])
