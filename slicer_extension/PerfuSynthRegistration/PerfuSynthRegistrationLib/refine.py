"""Automatic again from here: mutual information followed uphill from where the annotator left the moving image.

Slicer's own SimpleITK does it, on the images that are loaded: no server, no waiting in a queue. It looks no further
than the start's surroundings; the search over all turns is the server's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import SimpleITK as sitk
from PerfuSynthLib.grid_volume import GridVolume
from PerfuSynthLib.problems import Problem

from .blocks import block_means
from .look_outline import BONE_HU
from .look_settings import CTP, NCCT, ImageKind
from .rigid import rigid_of
from .skull import enclosed, grown
from .transform_text import RAS_LPS, set_mapping


class _Level(NamedTuple):
    """Blocks and smoothing (sigma), mm; points compared; first and last step of the descent, mm."""

    block_mm: float
    smooth_mm: float
    points: int
    first_step_mm: float
    least_step_mm: float


#: Coarse to fine. [d] On ten simulated pairs, from starts 6 mm off, the third level brings the mean error from 0.66 to
#: 0.30 mm and the worst from 1.3 to 0.6 mm, and takes three quarters of the time.
LEVELS = (
    _Level(4.0, 3.0, 6000, 4.0, 0.2),
    _Level(2.0, 2.0, 25000, 1.0, 0.02),
    _Level(1.0, 1.0, 60000, 0.5, 0.005),
)
#: Bins of the joint histogram along each axis, steps a level at most, seed of the choice of points. [d]
BINS, ITERATIONS, SEED = 40, 100, 1
#: A turn counts as the way of a point so far from the head's centre, mm. [d]
TURN_RADIUS_MM = 70.0
#: What is compared: the skull, what it encloses and so much around it, mm. [d]
AROUND_MM = 8.0
#: Fewest voxels of a region that can be compared. [d]
FEWEST = 500


def refine(
    fixed: GridVolume,
    moving: GridVolume,
    fixed_to_moving: np.ndarray,
    cancelled: Callable[[], bool] = lambda: False,
    kind: ImageKind = CTP,
) -> np.ndarray:
    """The rigid transform (4x4, RAS, mm, fixed to moving) that mutual information leads to from a start.

    It touches no scene, so that any thread may do it; some 2 s on one core. The same images and start give the same.

    Parameters
    ----------
    fixed, moving
        The images as `RegistrationScene.show` takes them.
    fixed_to_moving
        The start.
    cancelled
        Asked at every step; when it is true the work is given up.
    kind
        What ``fixed`` is.

    Raises
    ------
    Problem
        Code ``no_overlap``: the images lie beside each other; ``cancelled``; ``bad_transform``.
    """
    matrix = rigid_of(fixed_to_moving)
    for level in LEVELS:
        if cancelled():
            raise _cancelled()
        matrix = _descend(fixed, moving, matrix, level, kind, cancelled)
    return rigid_of(matrix)


def _descend(
    fixed: GridVolume,
    moving: GridVolume,
    matrix: np.ndarray,
    level: _Level,
    kind: ImageKind,
    cancelled: Callable[[], bool],
) -> np.ndarray:
    blocks = block_means(fixed, level.block_mm, kind.compared)
    region = _region(blocks, kind)
    index = np.argwhere(region)
    centre = index.mean(axis=0) @ blocks.affine[:3, :3].T + blocks.affine[:3, 3]
    transform = sitk.Euler3DTransform()
    set_mapping(transform, matrix, centre)
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(BINS)
    method.SetMetricSamplingStrategy(method.RANDOM)
    method.SetMetricSamplingPercentage(min(1.0, level.points / region.size), SEED)
    method.SetMetricFixedMask(_image(GridVolume(region.astype(np.uint8), blocks.affine)))
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(
        level.first_step_mm, level.least_step_mm, ITERATIONS, relaxationFactor=0.5, gradientMagnitudeTolerance=1e-8
    )
    method.SetOptimizerScales([TURN_RADIUS_MM**2] * 3 + [1.0] * 3)
    method.SetInitialTransform(transform, inPlace=True)
    method.AddCommand(sitk.sitkIterationEvent, lambda: method.StopRegistration() if cancelled() else None)
    prepared = block_means(moving, level.block_mm, NCCT.compared)
    try:
        method.Execute(_smoothed(blocks, level.smooth_mm), _smoothed(prepared, level.smooth_mm))
    except RuntimeError as fault:
        raise Problem(
            "no_overlap",
            "The images do not overlap enough to be compared.",
            "Move the NCCT over the CTP by its handles first, then try again.",
            str(fault),
        ) from None
    if cancelled():
        raise _cancelled()
    return _matrix(transform, centre)


def _region(blocks: GridVolume, kind: ImageKind) -> np.ndarray:
    """The skull, what it encloses and what lies near; of an image without a skull what is brighter than its outside."""
    bone = blocks.array > BONE_HU
    region = grown(bone | enclosed(bone, blocks.spacing), blocks.spacing, AROUND_MM)
    if np.count_nonzero(region) < FEWEST:
        region = blocks.array > max(kind.head_above, kind.compared[0])
    if np.count_nonzero(region) < FEWEST:
        raise Problem("empty_fixed", "The fixed image shows no head.", "Mark the case as failed, with this as reason.")
    return region


def _smoothed(volume: GridVolume, sigma_mm: float) -> sitk.Image:
    return sitk.DiscreteGaussian(_image(volume), sigma_mm**2)


def _image(volume: GridVolume) -> sitk.Image:
    """An image of an orthogonal grid, in LPS."""
    lps, spacing = RAS_LPS @ volume.affine, volume.spacing
    image = sitk.GetImageFromArray(np.ascontiguousarray(volume.array.T))
    image.SetSpacing(spacing)
    image.SetOrigin(lps[:3, 3].tolist())
    image.SetDirection((lps[:3, :3] / spacing).ravel().tolist())
    return image


def _matrix(transform: sitk.Euler3DTransform, centre: np.ndarray) -> np.ndarray:
    about, lps = RAS_LPS[:3, :3] @ centre, np.eye(4)
    lps[:3, :3] = np.array(transform.GetMatrix()).reshape(3, 3)
    lps[:3, 3] = np.array(transform.GetTranslation()) + about - lps[:3, :3] @ about
    return RAS_LPS @ lps @ RAS_LPS


def _cancelled() -> Problem:
    return Problem("cancelled", "The automatic registration was given up.", "")
