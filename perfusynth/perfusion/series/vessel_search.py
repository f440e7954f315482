"""Which voxels of a perfusion series may be arteries or veins, and clusters of the best among their neighbours."""

from dataclasses import dataclass, fields

import numpy as np
from scipy.spatial import cKDTree

from perfusynth.perfusion.series.baseline import Bolus, curves_of, frame_interval_s, half_rise_frame
from perfusynth.perfusion.series.surroundings import extremes, from_bone, smoothed_in_time
from perfusynth.volumes.series import Series

#: Frames at the largest HU of a series from which on a curve is clipped.
CLIPPED_FRAMES = 2


@dataclass(frozen=True, eq=False)
class Candidates:
    """Voxels that brighten, ``(n, ...)`` each.

    Parameters
    ----------
    voxels
        Indices, int ``(n, 3)``.
    position_mm
        RAS mm, ``(n, 3)``.
    curves, smooth
        HU above the baseline, and the same smoothed a little in time, ``(n, frames)``.
    peak_hu
        Of the smoothed curve.
    rise_s
        From the first frame until half the peak.
    unsteady
        SD during the baseline relative to the peak.
    off_bone_mm
        Distance from bone in the slice.
    """

    voxels: np.ndarray
    position_mm: np.ndarray
    curves: np.ndarray
    smooth: np.ndarray
    peak_hu: np.ndarray
    rise_s: np.ndarray
    unsteady: np.ndarray
    off_bone_mm: np.ndarray

    def of(self, rows: np.ndarray) -> "Candidates":
        """Some of them."""
        return Candidates(*(getattr(self, part.name)[rows] for part in fields(self)))

    def preferring(self, better: np.ndarray, count: int) -> "Candidates":
        """Those that are ``better`` (bool ``(n,)``), where there are ``count`` of them; all of them otherwise."""
        return self.of(np.flatnonzero(better)) if np.count_nonzero(better) >= count else self


def candidates_in(series: Series, bolus: Bolus, mask: np.ndarray, off_bone_mm: np.ndarray) -> Candidates:
    """The voxels of a mask (bool ``(x, y, z)``) as candidates; those whose curves are clipped are left out.

    ``off_bone_mm``: each voxel's distance from bone, ``(x, y, z)``.
    """
    curves = curves_of(series, bolus, mask)
    voxels = np.argwhere(mask)
    clipped = np.count_nonzero(series.array[mask] >= series.array.max(), axis=1) >= CLIPPED_FRAMES
    smooth = smoothed_in_time(curves)
    peak = np.maximum(smooth.max(axis=1), 1e-3)
    found = Candidates(
        voxels=voxels,
        position_mm=voxels @ series.affine[:3, :3].T + series.affine[:3, 3],
        curves=curves,
        smooth=smooth,
        peak_hu=peak,
        rise_s=half_rise_frame(smooth) * frame_interval_s(series),
        unsteady=curves[:, bolus.baseline].std(axis=1) / peak,
        off_bone_mm=off_bone_mm[mask],
    )
    return found.of(np.flatnonzero(~clipped))


def bright_candidates(
    series: Series, bolus: Bolus, brain: np.ndarray, *, from_bone_mm: float, share: float, least_hu: float
) -> Candidates:
    """The voxels of the brain that brighten most.

    ``share`` of the brain off bone (at least ``from_bone_mm`` from it in the slice), those that change by ``least_hu``.
    """
    least, largest = extremes(series, brain)
    off_bone_mm = from_bone(least, series.spacing, 0.0)
    off_bone = brain & (off_bone_mm > from_bone_mm)
    change = np.where(off_bone, largest - least, 0)
    count = max(1, round(share * np.count_nonzero(off_bone)))
    bright = change >= max(least_hu, float(np.partition(change.ravel(), -count)[-count]))
    return candidates_in(series, bolus, bright, off_bone_mm)


def arterial_score(found: Candidates, arrival_s: float, interval_s: float) -> np.ndarray:
    """Peak over width times time to peak, HU/s2 ``(n,)``: high for the high, narrow and early.

    The criterion M of automatic AIF selection (as in Yin et al., J Magn Reson Imaging 2015, doi 10.1002/jmri.24642).
    """
    width = np.count_nonzero(found.smooth > found.peak_hu[:, None] / 2, axis=1) * interval_s
    to_peak = found.smooth.argmax(axis=1) * interval_s - arrival_s + interval_s
    return found.peak_hu / np.maximum(width * np.maximum(to_peak, interval_s), interval_s**2)


def similarity(found: Candidates, curve: np.ndarray) -> np.ndarray:
    """Pearson correlation of the smoothed curves with another, ``(n,)``."""
    other = smoothed_in_time(curve)
    other = other - other.mean()
    own = found.smooth - found.smooth.mean(axis=1, keepdims=True)
    return own @ other / np.maximum(np.linalg.norm(own, axis=1) * np.linalg.norm(other), 1e-6)


def best_cluster(position_mm: np.ndarray, score: np.ndarray, count: int, radius_mm: float) -> np.ndarray:
    """Rows of the ``count`` best voxels around one, where their scores' sum is the highest.

    Fewer where there are not so many within ``radius_mm``; only neighbours of the 1000 best voxels are looked at.
    """
    top = np.argsort(-score, kind="stable")[:1000]
    best, total = top[:1], -np.inf
    for near in cKDTree(position_mm[top]).query_ball_point(position_mm[top], radius_mm):
        rows = top[np.sort(near)[:count]]
        if score[rows].sum() > total:
            best, total = rows, float(score[rows].sum())
    return best


def blended(position_mm: np.ndarray, values: np.ndarray, radius_mm: float) -> np.ndarray:
    """Mean of each candidate's value and its neighbours' within a radius: less is left of noise to choose by."""
    near = cKDTree(position_mm).query_ball_point(position_mm, radius_mm)
    return np.array([values[rows].mean() for rows in near])
