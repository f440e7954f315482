"""Figures of one patient's maps and arterial input against the truth."""

from typing import Any

import numpy as np

from perfusynth.ctp_maps.series_maps import SeriesMaps
from perfusynth.evaluation.ctp_agreement.truth import HYPOPERFUSION_S, Truth
from perfusynth.perfusion.regions import measure_regions
from perfusynth.perfusion.series.arteries import VesselCurve
from perfusynth.perfusion.series.baseline import half_rise_frame

Figures = dict[str, Any]


def dice(first: np.ndarray, second: np.ndarray) -> float | None:
    """Overlap of two regions 0-1 (Dice); ``None`` where both are empty."""
    both = np.count_nonzero(first) + np.count_nonzero(second)
    return 2 * np.count_nonzero(first & second) / both if both else None


def region_figures(found: SeriesMaps, truth: Truth) -> Figures:
    """Hypoperfusion as thresholded and as measured (cleaned), mL, against the true one; scale of CBF and Tmax."""
    tmax, cbf = found.maps["tmax"], found.maps["cbf"]
    seen = found.brain.mask & found.valid
    regions = measure_regions(tmax, cbf, seen, None)
    cleaned, raw = regions.hypoperfusion, (tmax.array > HYPOPERFUSION_S) & seen
    phantom = truth.measured.tmax > HYPOPERFUSION_S
    healthy = truth.healthy
    shared = healthy & truth.tissue & (truth.measured.cbf > 0) & (cbf.array > 0)
    ml = tmax.voxel_ml
    return {
        "dice_raw": dice(raw, truth.deficit),
        "dice": dice(cleaned, truth.deficit),
        "dice_phantom": dice(cleaned, phantom),
        "ml": float(cleaned.sum() * ml),
        "raw_ml": float(raw.sum() * ml),
        "false_ml": float((cleaned & healthy).sum() * ml),
        "raw_false_ml": float((raw & healthy).sum() * ml),
        "cbf_ratio": float(np.median(cbf.array[shared]) / np.median(truth.measured.cbf[shared])),
        "tmax_shift_s": float(np.median(tmax.array[shared]) - np.median(truth.measured.tmax[shared])),
        "shown_share": float((truth.tissue & (cbf.array > 0)).sum() / truth.tissue.sum()),
        "deficit_shown_share": float((truth.deficit & (cbf.array > 0)).sum() / max(truth.deficit.sum(), 1)),
    }


def true_figures(truth: Truth, voxel_ml: float) -> Figures:
    """The true volume, and how well the phantom's own measurement, which knows the artery, finds the region."""
    measured = truth.measured.tmax > HYPOPERFUSION_S
    return {
        "true_ml": float(truth.deficit.sum() * voxel_ml),
        "phantom_ml": float(measured.sum() * voxel_ml),
        "phantom_dice": dice(measured, truth.deficit & truth.measured.valid),
    }


def curve_figures(curve_hu: np.ndarray, true_hu: np.ndarray, interval_s: float) -> Figures:
    """Correlation, ratios of peak and area, and how much later the curve rises, s."""
    rise, true_rise = half_rise_frame(np.stack([curve_hu, true_hu])) * interval_s
    return {
        "correlation": float(np.corrcoef(curve_hu, true_hu)[0, 1]),
        "peak_ratio": float(curve_hu.max() / true_hu.max()),
        "area_ratio": float(curve_hu.sum() / true_hu.sum()),
        "late_s": float(rise - true_rise),
    }


def input_figures(found: SeriesMaps, truth: Truth) -> Figures:
    """AIF (as deconvolved by) and VOF against the true curves, and in which vessels their voxels lie."""
    times, arteries = found.series.times_s, found.arteries
    interval = float(times[1] - times[0])
    aif = curve_figures(arteries.input_hu, truth.bolus.aif_at(times), interval)
    vof = curve_figures(arteries.vof.curve_hu, truth.bolus.vof_at(times), interval)

    def share(vessel: VesselCurve, where: np.ndarray) -> float:
        return float(where[tuple(found.in_stored_order(vessel.voxels).T)].mean())

    return {
        **{f"aif_{name}": value for name, value in aif.items()},
        **{f"vof_{name}": value for name, value in vof.items()},
        "partial_volume_factor": arteries.partial_volume_factor,
        "aif_in_open_artery": share(arteries.aif, truth.open),
        "aif_behind_clot": share(arteries.aif, truth.behind),
        "aif_in_vein": share(arteries.aif, truth.venous),
        "vof_in_vein": share(arteries.vof, truth.venous),
        "aif_position_mm": [round(float(x), 1) for x in arteries.aif.position_mm],
        "vof_position_mm": [round(float(x), 1) for x in arteries.vof.position_mm],
    }
