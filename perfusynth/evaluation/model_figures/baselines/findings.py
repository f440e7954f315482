"""What a rule sees in an NCCT: dark tissue and dense arteries, each against the other side, and the darker half."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from perfusynth.evaluation.information_ceiling import arteries, regions
from perfusynth.evaluation.model_figures.baselines.template import on_grid, place
from perfusynth.evaluation.model_figures.case import EvaluationCase
from perfusynth.generators.head_images import SIDE_DIFFERENCE_HU, side_difference
from perfusynth.phantom.arteries.tree import nominal_tree
from perfusynth.phantom.lattice import BRAIN

#: HU of tissue; what lies beyond (CSF, calcification) does not count for a region's mean [d].
TISSUE_HU = (15.0, 55.0)
#: Radius of the tube in which an artery is looked for, mm [d; 4 before 7 mm, by 160 training cases].
TUBE_MM = 4.0
#: An artery's HU is this percentile of its tube, smoothed in plane (SD in voxels) [d; 97 before 90, by the same].
ARTERY_PERCENTILE, ARTERY_SMOOTHING = 97.0, 0.8
#: Beyond these HU lie air, bone and calcification; they and what is so near (voxels in plane) to them or to the brain's
#: edge hide an artery [d].
VESSEL_HU, NEAR_BONE = (0.0, 75.0), 2
#: Smoothing (SD, mm) of the difference of the sides that stands for a map [d; of 4, 8, 12, 16 the last two do best and
#: alike on 100 training patients: Dice 0.08, 0.11, 0.12, 0.12].
DARKNESS_SMOOTHING_MM = 12.0


@dataclass(frozen=True, eq=False)
class Findings:
    """Differences in HU; sides are the patient's.

    Parameters
    ----------
    artery
        By `artery_names`: how much denser the right one is than the left; the basilar artery: than brain.
    tissue
        By `regions.PAIRED`: how much darker the right region is than the left.
    right_is_darker
        How much darker the tissue of the right half is.
    """

    artery: np.ndarray
    tissue: np.ndarray
    right_is_darker: float


def artery_names() -> tuple[str, ...]:
    """Arteries in the order of `Findings.artery`."""
    return (*arteries.PAIRED_ARTERIES, arteries.MIDLINE_ARTERY)


@lru_cache(maxsize=1)
def _labels() -> tuple[np.ndarray, np.ndarray]:
    """Region (as `region_labels`) and artery (0: none, 1 + 2 i + right) of every voxel of `BRAIN`."""
    region = regions.region_labels(*BRAIN.axes())
    points = np.stack(np.broadcast_arrays(*BRAIN.axes())).reshape(3, -1).T
    tree, lines, names = nominal_tree(), [], []
    for number, artery in enumerate(artery_names()):
        for right, side in enumerate(("left", "right")):
            if artery != arteries.MIDLINE_ARTERY or not right:
                segment = tree.segments[
                    tree.index(artery, side if artery != arteries.MIDLINE_ARTERY else arteries.MIDLINE_ARTERY)
                ]
                seen = segment.points[_seen_from(artery, len(segment.points)) :]
                lines.append(seen)
                names += [1 + 2 * number + right] * len(seen)
    distance, nearest = cKDTree(np.concatenate(lines)).query(points, distance_upper_bound=TUBE_MM)
    artery_label = np.where(np.isfinite(distance), np.append(names, 0)[nearest], 0)
    return region, artery_label.reshape(BRAIN.shape)


def _seen_from(artery: str, points: int) -> int:
    """First point of an artery's course that can be seen beside bone."""
    return next(int(v.seen_from * (points - 1)) for v in arteries.vessels() if v.artery == artery)


def findings_of(case: EvaluationCase) -> Findings:
    """Look at a case on the model grid."""
    placed = place(case.brain, case.affine)
    hu = case.inputs["ncct"]
    region, artery = (on_grid(labels, BRAIN, placed, case.brain, case.affine) for labels in _labels())
    dense, seen = _smoothed_vessels(hu, case.brain)
    hu, dense, artery = hu[case.brain], dense[case.brain], np.where(seen[case.brain], artery, 0)
    tissue = (hu > TISSUE_HU[0]) & (hu < TISSUE_HU[1])
    means = ndimage.mean(hu, np.where(tissue, region, -1), np.arange(2 * len(regions.PAIRED)))
    means = np.nan_to_num(means, nan=float(hu[tissue].mean()))
    halves = [float(hu[tissue & (region >= 0) & (region % 2 == right)].mean()) for right in (0, 1)]
    return Findings(_density(dense, artery, float(hu[tissue].mean())), means[0::2] - means[1::2], halves[0] - halves[1])


def _smoothed_vessels(hu: np.ndarray, brain: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Smoothed HU, and where neither bone nor the brain's edge hides an artery."""
    hidden = ~brain | (hu < VESSEL_HU[0]) | (hu > VESSEL_HU[1])
    near = np.ones((2 * NEAR_BONE + 1, 2 * NEAR_BONE + 1, 1), dtype=bool)
    seen = ~ndimage.binary_dilation(hidden, structure=near)
    sigma = (ARTERY_SMOOTHING, ARTERY_SMOOTHING, 0.0)
    return ndimage.gaussian_filter(np.where(hidden, np.mean(TISSUE_HU), hu), sigma), seen


def _density(dense: np.ndarray, artery: np.ndarray, brain_hu: float) -> np.ndarray:
    found = []
    for number, name in enumerate(artery_names()):
        sides = [dense[artery == 1 + 2 * number + right] for right in (0, 1)]
        left, right = (float(np.percentile(v, ARTERY_PERCENTILE)) if len(v) else brain_hu for v in sides)
        found.append(left - brain_hu if name == arteries.MIDLINE_ARTERY else right - left)
    return np.array(found)


def darkness(case: EvaluationCase, smoothing_mm: float = DARKNESS_SMOOTHING_MM) -> np.ndarray:
    """How much darker each place is than its mirror image, HU, smoothed; the case lies on the model grid."""
    spacing = tuple(float(step) for step in np.linalg.norm(case.affine[:3, :3], axis=0))
    hu = np.clip(case.inputs["ncct"], *TISSUE_HU)
    return -SIDE_DIFFERENCE_HU * side_difference(hu, case.brain, smoothing_mm, spacing)  # type: ignore[arg-type]
