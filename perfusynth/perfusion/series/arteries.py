"""The arterial input function (AIF) and the venous output function (VOF) of a perfusion series."""

from dataclasses import dataclass, field

import numpy as np

from perfusynth.errors import InputError
from perfusynth.perfusion.series.artery_settings import ArterySettings
from perfusynth.perfusion.series.baseline import Bolus, frame_interval_s, half_rise_frame
from perfusynth.perfusion.series.surroundings import smoothed_in_time
from perfusynth.perfusion.series.venous_passage import passage_of
from perfusynth.perfusion.series.vessel_search import (
    Candidates,
    arterial_score,
    best_cluster,
    blended,
    bright_candidates,
    candidates_in,
    similarity,
)
from perfusynth.volumes.series import Series


@dataclass(frozen=True, eq=False)
class VesselCurve:
    """A vessel's enhancement as measured.

    Parameters
    ----------
    curve_hu
        HU above the baseline, ``(frames,)``: the mean of ``voxels``.
    voxels
        Indices in the series' grid, int ``(n, 3)``.
    position_mm
        Mean of the voxels' centres, RAS mm, ``(3,)``.
    """

    curve_hu: np.ndarray
    voxels: np.ndarray
    position_mm: np.ndarray


@dataclass(frozen=True, eq=False)
class Arteries:
    """The input to the brain and its output.

    Parameters
    ----------
    aif, vof
        As measured.
    partial_volume_factor
        By which the AIF is multiplied to be rid of partial volume, at least 1; 1 where that was not asked for.
    notes
        What the reader must know, a sentence each.
    """

    aif: VesselCurve
    vof: VesselCurve
    partial_volume_factor: float
    notes: tuple[str, ...] = field(default=())

    @property
    def input_hu(self) -> np.ndarray:
        """The arterial input to deconvolve by, corrected for partial volume, HU ``(frames,)``."""
        return self.partial_volume_factor * self.aif.curve_hu


def choose_arteries(
    series: Series,
    bolus: Bolus,
    brain: np.ndarray,
    settings: ArterySettings | None = None,
    aif: VesselCurve | None = None,
) -> Arteries:
    """Choose AIF and VOF.

    Parameters
    ----------
    series
        Frames of a head that lies still, even in time.
    bolus
        Of this series.
    brain
        bool ``(x, y, z)``: the inside of the skull that every frame shows.
    aif
        An artery that the reader chose (`artery_at`); ``None``: the best cluster of early, high and narrow curves.

    Raises
    ------
    InputError
        ``no_artery``, ``no_vein``: no voxels have such curves. ``bolus_truncated``: the last frame comes before the
        veins' peak.
    """
    settings = settings or ArterySettings()
    interval = frame_interval_s(series)
    found = bright_candidates(
        series,
        bolus,
        brain,
        from_bone_mm=settings.from_bone_mm,
        share=settings.bright_share,
        least_hu=settings.least_peak_hu,
    )
    steady = found.of(np.flatnonzero(found.unsteady <= settings.unsteady))
    aif = aif or _best_artery(steady, bolus, interval, settings)
    _refuse_without_descent(aif, series, "arteries")
    vof, ratio = _best_vein(steady, aif, series, settings)
    _refuse_without_descent(vof, series, "veins")
    factor = max(1.0, ratio) if settings.partial_volume == "vof" else 1.0
    late = _rise_s(aif.curve_hu, interval) - _rise_s(bolus.mean_curve_hu, interval)
    return Arteries(aif, vof, factor, (*_aif_notes(late, factor, settings), *_notes(vof, settings)))


def artery_at(
    series: Series, bolus: Bolus, position_mm: np.ndarray, settings: ArterySettings | None = None
) -> VesselCurve:
    """The artery at a position chosen by hand: the best voxels around it.

    Parameters
    ----------
    position_mm
        RAS mm, ``(3,)``.

    Raises
    ------
    InputError
        ``aif_outside``: the position lies outside the image. ``aif_no_vessel``: no arterial curve is found there.
    """
    settings = settings or ArterySettings()
    position = np.asarray(position_mm, dtype=float)
    index = np.linalg.solve(series.affine[:3, :3], position - series.affine[:3, 3])
    if not ((index > -0.5) & (index < np.array(series.shape) - 0.5)).all():
        corners = np.array([[0, 0, 0], np.array(series.shape) - 1]) @ series.affine[:3, :3].T + series.affine[:3, 3]
        low, high = corners.min(axis=0), corners.max(axis=0)
        raise InputError(
            "The position given for the artery lies outside the image.",
            expected="x, y, z in RAS mm within "
            + ", ".join(f"{a:.0f} to {b:.0f}" for a, b in zip(low, high, strict=True)),
            got=", ".join(f"{value:.1f}" for value in position),
            hint="Give the position in RAS mm, as 3D Slicer shows it, not in voxels.",
            code="aif_outside",
        )
    # A reader who points beside bone means it.
    anywhere = np.full(series.shape, np.inf, dtype=np.float32)
    found = candidates_in(series, bolus, _around(series, position, index, settings.manual_mm), anywhere)
    interval = frame_interval_s(series)
    late = found.rise_s - _rise_s(bolus.mean_curve_hu, interval)
    bright = found.peak_hu >= settings.least_peak_hu
    good = np.flatnonzero(bright & (found.unsteady <= settings.unsteady) & (late <= settings.manual_late_s))
    if not len(good):
        if bright.any():
            got = f"curves that rise {np.median(late[bright]):.1f} s after the arteries, or that are not steady before"
        else:
            got = f"a rise by {found.peak_hu.max(initial=0.0):.0f} HU at most"
        raise InputError(
            "There is no artery at the position that was given.",
            expected=f"within {settings.manual_mm:.0f} mm, a curve that rises by {settings.least_peak_hu:.0f} HU or "
            f"more, at most {settings.manual_late_s:.0f} s after the arteries",
            got=got,
            hint="Choose a large artery, such as M1 of the healthy side, or leave the choice to the program.",
            code="aif_no_vessel",
        )
    arteries = found.of(good)
    score = arterial_score(arteries, bolus.arrival_frame * interval, interval)
    return _mean_of(arteries.of(best_cluster(arteries.position_mm, score, settings.artery_voxels, settings.cluster_mm)))


def _around(series: Series, position: np.ndarray, index: np.ndarray, radius_mm: float) -> np.ndarray:
    """Voxels within a distance of a position, and the one that it lies in; bool ``(x, y, z)``."""
    mask = np.zeros(series.shape, dtype=bool)
    reach = np.ceil(radius_mm / series.spacing).astype(int)
    nearest = np.round(index).astype(int)
    low = np.maximum(nearest - reach, 0)
    high = np.minimum(nearest + reach + 1, series.shape)
    near = np.stack(np.meshgrid(*(np.arange(a, b) for a, b in zip(low, high, strict=True)), indexing="ij"), axis=-1)
    apart = near @ series.affine[:3, :3].T + series.affine[:3, 3] - position
    mask[tuple(near[np.linalg.norm(apart, axis=-1) <= radius_mm].T)] = True
    mask[tuple(nearest)] = True
    return mask


def _rise_s(curve_hu: np.ndarray, interval_s: float) -> float:
    return float(half_rise_frame(smoothed_in_time(curve_hu)[None])[0]) * interval_s


def _mean_of(found: Candidates) -> VesselCurve:
    return VesselCurve(found.curves.mean(axis=0).astype(float), found.voxels, found.position_mm.mean(axis=0))


def _best_artery(found: Candidates, bolus: Bolus, interval_s: float, settings: ArterySettings) -> VesselCurve:
    """The best cluster among curves that rise with the arteries."""
    together = np.abs(found.rise_s - _rise_s(bolus.mean_curve_hu, interval_s)) <= settings.together_s
    alike = similarity(found, bolus.mean_curve_hu) >= settings.artery_similarity
    arteries = found.of(np.flatnonzero(together & alike))
    arteries = arteries.preferring(arteries.off_bone_mm >= settings.artery_from_bone_mm, settings.artery_voxels)
    if not len(arteries.voxels):
        raise InputError(
            "No artery was found in this series.",
            expected="early, high and narrow curves",
            got=f"{len(found.voxels)} voxels that brighten, none of them like that",
            hint="Give the position of an artery with --aif x,y,z in RAS mm.",
            code="no_artery",
        )
    score = arterial_score(arteries, bolus.arrival_frame * interval_s, interval_s)
    rows = best_cluster(arteries.position_mm, score, settings.artery_voxels, settings.cluster_mm)
    return _mean_of(arteries.of(rows))


def _best_vein(
    found: Candidates, aif: VesselCurve, series: Series, settings: ArterySettings
) -> tuple[VesselCurve, float]:
    """The cluster of venous curves with the largest area, and that area relative to the AIF's."""
    interval = frame_interval_s(series)
    later = found.of(
        np.flatnonzero(found.rise_s >= half_rise_frame(smoothed_in_time(aif.curve_hu)[None])[0] * interval)
    )
    passage = passage_of(later.curves, aif.curve_hu, interval)
    venous = (passage.lag_s >= settings.vein_lag_s) & (passage.correlation >= settings.vein_similarity)
    veins = later.of(np.flatnonzero(venous))
    if not len(veins.voxels):
        raise InputError(
            "No large vein was found in this series.",
            expected="curves like the artery's, later and wider",
            got=f"{len(found.voxels)} voxels that brighten, none like that, in {series.frames * interval:.0f} s",
            hint="Choose the artery with --aif x,y,z in RAS mm; a study that ends before the veins fill is too short.",
            code="no_vein",
        )
    count = max(1, round(settings.vein_ml * 1000 / abs(float(np.linalg.det(series.affine[:3, :3])))))
    veins = veins.preferring(veins.off_bone_mm >= settings.vein_from_bone_mm, count)
    area = blended(veins.position_mm, passage_of(veins.curves, aif.curve_hu, interval).area_ratio, settings.blend_mm)
    vof = _mean_of(veins.of(best_cluster(veins.position_mm, area, count, settings.cluster_mm)))
    return vof, float(passage_of(vof.curve_hu[None], aif.curve_hu, interval).area_ratio[0])


def _refuse_without_descent(vessel: VesselCurve, series: Series, name: str) -> None:
    peak = int(smoothed_in_time(vessel.curve_hu).argmax())
    if peak >= series.frames - 2:
        raise InputError(
            f"The series ends before the contrast in the {name} has reached its peak.",
            expected="frames until the contrast has left the veins, 60-70 s in all",
            got=f"{series.frames} frames, the {name} brightest in number {peak + 1}",
            hint="Give all frames of the study; one that was stopped so early cannot be measured.",
            code="bolus_truncated",
        )


def _aif_notes(late_s: float, factor: float, settings: ArterySettings) -> tuple[str, ...]:
    notes: tuple[str, ...] = ()
    if late_s > settings.told_late_s:
        notes += (
            f"The chosen artery fills {late_s:.1f} s later than the arteries of this brain (a vein, or behind an "
            "occlusion?): Tmax is too short by about that, and Tmax > 6 s too small.",
        )
    if factor > settings.told_factor:
        notes += (
            f"The artery was multiplied by {factor:.1f} to reach the vein's area: its voxels hold little of it; CBF "
            "and CBV are only as good as the vein.",
        )
    return notes


def _notes(vof: VesselCurve, settings: ArterySettings) -> tuple[str, ...]:
    smooth = smoothed_in_time(vof.curve_hu)
    left = float(smooth[-1] / smooth.max())
    if left <= settings.still_share:
        return ()
    return (
        f"The series ends while the veins still hold {100 * left:.0f} % of their peak: CBV and MTT are uncertain, "
        "most where blood comes late.",
    )
