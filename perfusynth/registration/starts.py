"""Where a registration may begin: turns and shifts tried all over, the most alike refined coarsely, the best kept.

Turns are rotation vectors on an even grid. With each, the centres of the two heads are brought together, and then
apart again along the head's axis: a slab of 2 or 8 cm may lie anywhere in a whole head.
"""

import itertools

import numpy as np
from scipy.spatial.transform import Rotation

from perfusynth.registration.mutual_information import Similarity
from perfusynth.registration.registration_settings import SearchSettings
from perfusynth.registration.rigid_motion import apart_mm
from perfusynth.registration.window_fit import WindowFit
from perfusynth.volumes.volume import Volume


def likely_starts(
    similarity: Similarity, moving_region: Volume, coarse: WindowFit, settings: SearchSettings, count: int
) -> list[np.ndarray]:
    """At most ``count`` transforms (4x4, RAS mm, fixed to moving), the most alike first, no place twice.

    Parameters
    ----------
    similarity
        Of the two images on coarse blocks.
    moving_region
        1 where the moving image's head is.
    coarse
        Refines each of the ``settings.refined`` best.
    """
    tried = best_of_turns(similarity, moving_region, settings)[: settings.refined]
    refined = [coarse.refine(start).transform for start in tried]
    refined.sort(key=similarity, reverse=True)
    kept: list[np.ndarray] = []
    for transform in refined:
        if len(kept) < count and all(
            apart_mm(transform, other, similarity.points) > settings.distinct_mm for other in kept
        ):
            kept.append(transform)
    return kept


def best_of_turns(similarity: Similarity, moving_region: Volume, settings: SearchSettings) -> list[np.ndarray]:
    """For each turn the shift along the head with which the images are most alike; the most alike turn first."""
    fixed_centre = similarity.points.mean(axis=0)
    moving = np.argwhere(moving_region.array > 0.5) @ moving_region.affine[:3, :3].T + moving_region.affine[:3, 3]
    fixed_height, moving_height = np.ptp(similarity.points[:, 2]), np.ptp(moving[:, 2])
    slack = abs(moving_height - fixed_height) / 2 + settings.beyond_mm
    steps = max(1, round(slack / settings.step_mm))
    heights = settings.step_mm * np.arange(-steps, steps + 1)
    centres = [_centre_at(moving, height, min(fixed_height, moving_height)) for height in heights]
    best = []
    for turn in _turns(settings):
        candidates = []
        for centre in centres:
            start = np.eye(4)
            start[:3, :3], start[:3, 3] = turn, centre - turn @ fixed_centre
            candidates.append((similarity(start), start))
        best.append(max(candidates, key=lambda candidate: candidate[0]))
    best.sort(key=lambda candidate: -candidate[0])
    return [start for _, start in best]


def _turns(settings: SearchSettings) -> list[np.ndarray]:
    """Rotation matrices, even over all directions and sizes; the unturned one first."""
    steps = int(settings.furthest_deg // settings.step_deg)
    vectors = settings.step_deg * np.array(list(itertools.product(range(-steps, steps + 1), repeat=3)))
    length = np.linalg.norm(vectors, axis=1)
    vectors = vectors[np.argsort(length, kind="stable")][: np.count_nonzero(length <= settings.furthest_deg)]
    return list(Rotation.from_rotvec(vectors, degrees=True).as_matrix())


def _centre_at(points: np.ndarray, off_mm: float, height_mm: float) -> np.ndarray:
    """Centre of the part of a head that a slab of that height about a place on its axis shows; RAS mm (3,)."""
    middle = (points[:, 2].min() + points[:, 2].max()) / 2 + off_mm
    shown = points[np.abs(points[:, 2] - middle) <= height_mm / 2]
    at = shown if len(shown) else points
    return np.array([at[:, 0].mean(), at[:, 1].mean(), middle])
