"""One patient, one method: the row of figures that everything else is computed from."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from perfusynth.evaluation.model_figures.case import REGIONS, EvaluationCase
from perfusynth.evaluation.model_figures.features import features_of
from perfusynth.evaluation.model_figures.images import image_figures
from perfusynth.evaluation.model_figures.methods import Made
from perfusynth.evaluation.model_figures.mismatch import category_of
from perfusynth.evaluation.model_figures.overlap import dice, hausdorff_mm, sensitivity
from perfusynth.perfusion.cleaning import clean
from perfusynth.perfusion.region_blocks import threshold_key
from perfusynth.perfusion.regions import Regions

#: Digits that are kept: enough for every table, few enough for files of thousands of rows.
DIGITS = 5
#: Bins of equal width that a probability is compared with the truth in.
PROBABILITY_BINS = 10
HYPOPERFUSION = threshold_key(REGIONS.hypoperfusion_s)

Ranges = Mapping[str, tuple[float, float]]


def figures_of(case: EvaluationCase, made: Made, ranges: Ranges) -> dict[str, Any]:
    """All figures of what a method made of a case; None where a figure does not exist.

    Parameters
    ----------
    ranges
        Physical range of each map: the data range of the image metrics.

    Returns
    -------
    ``about`` of the case; ``deficit``; volumes in mL, Dice and sensitivity by Tmax threshold, of the core; mismatch;
    sides; errors in s and mL/100 g/min (``bias`` is made minus true); image metrics and features of each map.
    """
    regions = None if made.maps is None else case.regions_of(made.maps)
    figures: dict[str, Any] = {"case": case.name, **case.about, "deficit": case.has_deficit}
    figures |= _truth(case.true_regions)
    figures |= _regions(case, regions) if made.region is None else _region_alone(case, made.region)
    if made.maps is not None:
        for name in case.truth:
            if name in made.maps:
                figures |= _errors(case, name, made.maps[name])
                figures |= _images(case, name, made.maps[name], ranges[name])
    if made.probability is not None:
        figures |= _probability(case, made.probability)
    return {name: round(value, DIGITS) if isinstance(value, float) else value for name, value in figures.items()}


def _truth(regions: Regions) -> dict[str, Any]:
    core_ml = regions.core_ml
    side = regions.laterality.side if regions.laterality else "none"
    found: dict[str, Any] = {f"truth_ml_{threshold_key(t)}": ml for t, ml in regions.tmax_ml.items()}
    return found | {
        "truth_core_ml": core_ml,
        "truth_category": None if core_ml is None else category_of(regions.hypoperfusion_ml, core_ml),
        "truth_mismatch_ml": regions.mismatch_ml,
        "truth_side": side,
    }


def _regions(case: EvaluationCase, regions: Regions | None) -> dict[str, Any]:
    """Figures of the regions of made maps."""
    if regions is None:
        return {}
    true = case.true_regions
    spacing = np.linalg.norm(case.affine[:3, :3], axis=0)
    found: dict[str, Any] = {}
    for threshold, region in true.tmax.items():
        key = threshold_key(threshold)
        found |= {
            f"made_ml_{key}": regions.tmax_ml[threshold],
            f"dice_{key}": dice(region, regions.tmax[threshold]) if case.has_deficit else None,
            f"sensitivity_{key}": sensitivity(region, regions.tmax[threshold]) if case.has_deficit else None,
        }
    found[f"hd95_{HYPOPERFUSION}"] = (
        hausdorff_mm(true.hypoperfusion, regions.hypoperfusion, spacing) if case.has_deficit else None
    )
    return found | {
        "made_core_ml": regions.core_ml,
        "dice_core": dice(true.core, regions.core) if case.has_deficit and regions.core_ml is not None else None,
        "hd95_core": hausdorff_mm(true.core, regions.core, spacing) if case.has_deficit else None,
        "made_category": None if regions.core_ml is None else category_of(regions.hypoperfusion_ml, regions.core_ml),
        "made_mismatch_ml": regions.mismatch_ml,
        "made_side": regions.laterality.side if regions.laterality else "none",
        "made_right_share": regions.laterality.right_share if regions.laterality else None,
    }


def _region_alone(case: EvaluationCase, region: np.ndarray) -> dict[str, Any]:
    """Figures of a marked region of Tmax > 6 s, cleaned as regions of maps are."""
    spacing, voxel_ml = np.linalg.norm(case.affine[:3, :3], axis=0), _voxel_ml(case)
    marked = cleaned(case, region)
    right = case.midplane.right_of(case.brain.shape, case.affine)  # type: ignore[arg-type]
    count = np.count_nonzero(marked)
    share = np.count_nonzero(marked & right) / count if count else None
    true = case.true_regions.hypoperfusion if case.has_deficit else None
    key = HYPOPERFUSION
    return {
        f"made_ml_{key}": count * voxel_ml,
        f"dice_{key}": None if true is None else dice(true, marked),
        f"sensitivity_{key}": None if true is None else sensitivity(true, marked),
        f"hd95_{key}": None if true is None else hausdorff_mm(true, marked, spacing),
        "made_side": side_of(share),
        "made_right_share": share,
    }


def cleaned(case: EvaluationCase, region: np.ndarray) -> np.ndarray:
    """A marked region after the clean-up that regions of maps have."""
    inside, spacing = case.measured, np.linalg.norm(case.affine[:3, :3], axis=0)
    return clean(region & inside, inside, spacing, REGIONS.ball_voxels, REGIONS.minimum_ml / _voxel_ml(case))


def made_region(case: EvaluationCase, made: Made) -> np.ndarray:
    """The region of Tmax > 6 s that figures are measured on, bool."""
    if made.region is not None:
        return cleaned(case, made.region)
    if made.maps is None:
        raise ValueError("expected maps or a region")
    return case.regions_of(made.maps).hypoperfusion


def _voxel_ml(case: EvaluationCase) -> float:
    return abs(float(np.linalg.det(case.affine[:3, :3]))) / 1000


def side_of(right_share: float | None) -> str:
    """The side that a share of a region on the right stands for, as `perfusion.regions` names it."""
    if right_share is None:
        return "none"
    cut = REGIONS.side_share
    return "right" if right_share >= cut else "left" if 1 - right_share >= cut else "bilateral"


def _errors(case: EvaluationCase, name: str, made: np.ndarray) -> dict[str, Any]:
    difference = made.astype(np.float64) - case.truth[name]
    found = {}
    deficit = case.true_regions.hypoperfusion
    for where, mask in (("brain", case.measured), ("deficit", deficit if case.has_deficit else None)):
        known = mask is not None and bool(mask.any())
        found[f"mae_{name}_{where}"] = float(np.abs(difference[mask]).mean()) if known else None
        found[f"bias_{name}_{where}"] = float(difference[mask].mean()) if known else None
    return found


def _images(case: EvaluationCase, name: str, made: np.ndarray, value_range: tuple[float, float]) -> dict[str, Any]:
    inside = case.measured
    true, shown = ((values * inside).astype(np.float32) for values in (case.truth[name], made))
    found: dict[str, Any] = {
        f"{metric}_{name}": value for metric, value in image_figures(true, shown, inside, value_range).items()
    }
    for what, values in (("truth", true), ("made", shown)):
        found[f"features_{name}_{what}"] = [round(float(v), DIGITS) for v in features_of(values, value_range)]
    return found


def _probability(case: EvaluationCase, probability: np.ndarray) -> dict[str, Any]:
    """How a probability of Tmax > 6 s compares with where it is: Brier score, and voxels by tenth of probability."""
    told = np.clip(probability[case.measured].astype(np.float64), 0, 1)
    true = case.true_regions.hypoperfusion[case.measured]
    tenth = np.minimum((told * PROBABILITY_BINS).astype(int), PROBABILITY_BINS - 1)
    voxels, of_them = (np.bincount(tenth, weights=w, minlength=PROBABILITY_BINS) for w in (None, true))
    return {
        "brier": float(((told - true) ** 2).mean()),
        "probability_voxels": voxels.astype(int).tolist(),
        "probability_true": of_them.astype(int).tolist(),
    }
