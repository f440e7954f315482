"""NCCT and maps of which no CT came along: aligned by what both show of the brain, for an annotator to look at."""

import numpy as np
from scipy import ndimage

from perfusynth.registration.mutual_information import Descent, MutualInformation, Similarity
from perfusynth.volumes.blocks import block_factors, block_mean
from perfusynth.volumes.geometry import nearest_ras
from perfusynth.volumes.volume import Volume

#: Blocks that both are averaged to, and SD of the smoothing, mm. All numbers in this file are the project's choice [d].
BLOCK_MM, SMOOTH_MM = 3.0, 2.0
#: The brain's window in an NCCT, HU; share of a map's values that are shown below its top (vessels lie above).
WINDOW_HU, SHOWN_SHARE = (0.0, 80.0), 0.98
#: Surroundings of the brain that are compared, mm: its edge says most.
AROUND_MM = 12.0
#: Shifts along the head that are tried, mm: maps of a short CTP may lie anywhere in a head.
SHIFTS_MM = np.arange(-60.0, 61.0, 6.0)
#: How many of them are refined.
REFINED = 3
#: Bins and points of the histograms, and how the descent steps.
BINS, POINTS = 32, 20000
DESCENT = Descent(
    bins=BINS,
    points=POINTS,
    seed=1,
    first_step_mm=2.0,
    least_step_mm=0.02,
    iterations=150,
    turn_radius_mm=70.0,
    threads=2,
)


def register_maps(flow: Volume, ncct: Volume, brain: np.ndarray) -> np.ndarray:
    """Align maps and NCCT.

    Parameters
    ----------
    flow
        A map that shows tissue (CBF), 0 outside the brain.
    ncct, brain
        HU, and bool on its grid.

    Returns
    -------
    4x4, RAS mm: x_moving = M x_fixed; fixed is the maps' frame. Nothing is known of how wrong it is.
    """
    top = float(np.quantile(flow.array[flow.array > 0], SHOWN_SHARE))
    fixed = _smooth(flow.with_array(np.clip(flow.array, 0, top)))
    low, high = WINDOW_HU
    moving = _smooth(ncct.with_array(np.clip(ncct.array, low, high) * brain))
    seen = ndimage.binary_fill_holes(fixed.array > 0)
    region = ndimage.distance_transform_edt(~seen, sampling=fixed.spacing) <= AROUND_MM
    similarity = Similarity(fixed, moving, region, None, points=POINTS, seed=1, bins=BINS)
    starts = sorted(_starts(fixed, seen, moving), key=similarity, reverse=True)[:REFINED]
    information = MutualInformation(fixed, moving, region)
    return max((information.refine(start, DESCENT) for start in starts), key=similarity)


def _starts(fixed: Volume, seen: np.ndarray, moving: Volume) -> list[np.ndarray]:
    """As the scanner's coordinates have it, and middle upon middle at several heights."""
    here, there = _middle(fixed, seen), _middle(moving, moving.array > 0)
    found = [np.eye(4)]
    for shift in SHIFTS_MM:
        start = np.eye(4)
        start[:3, 3] = there - here + [0, 0, shift]
        found.append(start)
    return found


def _middle(volume: Volume, mask: np.ndarray) -> np.ndarray:
    return np.argwhere(mask).mean(axis=0) @ volume.affine[:3, :3].T + volume.affine[:3, 3]


def _smooth(volume: Volume) -> Volume:
    blocks = block_mean(nearest_ras(volume), block_factors(volume.spacing, BLOCK_MM))
    return blocks.with_array(ndimage.gaussian_filter(blocks.array, SMOOTH_MM / blocks.spacing))
