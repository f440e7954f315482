"""When the contrast arrives in a perfusion series, the frames before it, and enhancement above them."""

from dataclasses import dataclass

import numpy as np

from perfusynth.errors import InputError
from perfusynth.perfusion.series.surroundings import extremes, from_bone, smoothed_in_time, without_ends
from perfusynth.volumes.series import Series


@dataclass(frozen=True)
class BolusSettings:
    """What is taken for a bolus; every value is the project's own choice, made on digital patients.

    Parameters
    ----------
    least_peak_hu
        Peak, in HU above the baseline, that arteries reach at least: a quarter of a weak bolus (150 HU at 80 kV) in
        vessels that fill half a voxel.
    least_baseline_frames
        Frames that must lie before the contrast: a mean of three adds a third to the variance of every enhancement.
    deep_mm, vessel_mm
        Least distance from bone (in plane, and in slices within ``across_mm``) of the tissue that tells when the
        contrast comes, and of the vessels that are looked at: heads move, and bone changes a voxel more than contrast.
    vessel_share
        Share of the brain's voxels, those that change most, among which arteries are looked for.
    before_tissue_s
        Arteries rise through half their peak before the tissue's mean does, by no more than this.
    flat_until_s, flat_share
        A vessel is flat until this long before it rises: the SD there is at most this share of its height.
    height_share
        Vessels lower than this share of the high ones (95th percentile) are left out.
    together_s
        Arteries rise within this time of their median.
    onset_share
        Share of the arteries' peak at which contrast has arrived: above the noise of a median over many voxels, below
        the steep part of a first pass.
    """

    least_peak_hu: float = 30.0
    least_baseline_frames: int = 3
    deep_mm: float = 10.0
    vessel_mm: float = 3.0
    across_mm: float = 5.0
    vessel_share: float = 0.01
    before_tissue_s: float = 5.0
    flat_until_s: float = 4.0
    flat_share: float = 0.12
    height_share: float = 0.7
    together_s: float = 1.0
    onset_share: float = 0.05


@dataclass(frozen=True, eq=False)
class Bolus:
    """The passage of the contrast.

    Parameters
    ----------
    baseline
        Frames before the contrast.
    arrival_frame
        First frame with contrast in the arteries.
    mean_curve_hu
        Median enhancement of the arteries found, HU above the baseline, ``(frames,)``.
    """

    baseline: slice
    arrival_frame: int
    mean_curve_hu: np.ndarray


def frame_interval_s(series: Series) -> float:
    """Interval between frames, s; `ValueError` where they are not even in time (1 %)."""
    steps = np.diff(series.times_s)
    if series.times_s.ndim != 1 or not len(steps) or np.ptp(steps) > 0.01 * steps.mean():
        raise ValueError("expected frames that are even in time")
    return float(steps.mean())


def half_rise_frame(curves: np.ndarray) -> np.ndarray:
    """Where curves ``(n, frames)`` last rise through half their maximum before it, in frames (fractional), ``(n,)``.

    0 where a curve begins above that.
    """
    frames = curves.shape[1]
    half = curves.max(axis=1) / 2
    below = (curves < half[:, None]) & (np.arange(frames) < curves.argmax(axis=1)[:, None])
    some = below.any(axis=1)
    rows = np.arange(len(curves))
    low = np.where(some, frames - 1 - below[:, ::-1].argmax(axis=1), 0)
    high = np.minimum(low + 1, frames - 1)
    step = np.maximum(curves[rows, high] - curves[rows, low], 1e-6)
    return np.where(some, low + np.clip((half - curves[rows, low]) / step, 0, 1), 0.0)


def curves_of(series: Series, bolus: Bolus, mask: np.ndarray) -> np.ndarray:
    """Enhancement of the voxels of a mask.

    Parameters
    ----------
    series
        Frames on one grid.
    bolus
        Says which frames are the baseline.
    mask
        bool ``(x, y, z)``.

    Returns
    -------
    HU above the voxel's own baseline, float32 ``(n, frames)``, in the order of ``mask``'s flat indices.
    """
    curves = series.array[mask].astype(np.float32)
    curves -= curves[:, bolus.baseline].mean(axis=1, keepdims=True)
    return curves


def mean_curve(series: Series, mask: np.ndarray, baseline: slice) -> np.ndarray:
    """Mean enhancement of the voxels of a mask, slice by slice: the mean of `curves_of` in little memory.

    Parameters
    ----------
    series
        Frames on one grid.
    mask
        bool ``(x, y, z)``, not empty.
    baseline
        Frames before the contrast.

    Returns
    -------
    HU above the baseline, float64 ``(frames,)``.
    """
    curve = _mean_hu(series, mask)
    return curve - curve[baseline].mean()


def find_bolus(series: Series, brain: np.ndarray, settings: BolusSettings | None = None) -> Bolus:
    """Find the passage of the contrast through the arteries of the brain.

    The mean of the tissue away from bone, which neither noise nor motion moves, says about when the contrast comes;
    the arteries are the vessels that rise just before.

    Parameters
    ----------
    series
        Frames of a head that lies still (after motion correction), even in time.
    brain
        bool ``(x, y, z)``: brain that every frame shows.

    Raises
    ------
    InputError
        ``no_bolus``: no vessel brightens. ``no_baseline``: contrast is there from the first frames on.
        ``no_brain``: there is no brain away from bone.
    """
    settings = settings or BolusSettings()
    interval = frame_interval_s(series)
    least, largest = extremes(series, _some(brain))
    away = from_bone(least, series.spacing, settings.across_mm)
    inner = without_ends(brain)
    tissue = _mean_hu(series, _some(inner & (away > settings.deep_mm)))
    rise = float(half_rise_frame(_raised(tissue[None]))[0]) * interval
    around = _some(inner & (away > settings.vessel_mm))
    count = max(1, round(settings.vessel_share * np.count_nonzero(around)))
    change = np.where(around, largest - least, 0)
    chosen = np.unravel_index(np.argpartition(change.ravel(), -count)[-count:], change.shape)
    curves = series.array[chosen].astype(np.float32)
    bolus = _passage(_arterial(curves, rise, interval, settings), settings)
    if bolus is None:
        raise _without_passage(curves, settings)
    return bolus


def _some(mask: np.ndarray) -> np.ndarray:
    if mask.any():
        return mask
    raise InputError(
        "There is no brain away from bone in this series.",
        expected="a perfusion series that shows brain in every frame",
        got="none",
        hint="Give a perfusion series of the head; a head that moved out of the coverage cannot be measured.",
        code="no_brain",
    )


def _raised(curves: np.ndarray) -> np.ndarray:
    """Curves ``(n, frames)``, smoothed a little, above their lowest value before their peak."""
    smooth = smoothed_in_time(curves)
    before = np.arange(smooth.shape[1]) <= smooth.argmax(axis=1)[:, None]
    return smooth - np.where(before, smooth, np.inf).min(axis=1, keepdims=True)


def _mean_hu(series: Series, mask: np.ndarray) -> np.ndarray:
    total = np.zeros(series.frames)
    for k in np.flatnonzero(mask.any(axis=(0, 1))):
        total += series.array[:, :, k][mask[:, :, k]].sum(axis=0, dtype=np.float64)
    return total / np.count_nonzero(mask)


def _arterial(curves: np.ndarray, tissue_rise_s: float, interval_s: float, settings: BolusSettings) -> np.ndarray:
    """Median curve, HU ``(frames,)``, of those among ``curves`` ``(n, frames)`` that rise before the tissue."""
    raised = _raised(curves)
    rise = half_rise_frame(raised) * interval_s
    time = np.arange(curves.shape[1]) * interval_s
    before = time < (rise - settings.flat_until_s)[:, None]
    count = np.maximum(before.sum(axis=1), 1)
    mean = np.where(before, curves, 0).sum(axis=1) / count
    spread = np.sqrt(np.where(before, (curves - mean[:, None]) ** 2, 0).sum(axis=1) / count)
    height = raised.max(axis=1)
    # A bolus that comes early leaves no frames by which to tell a flat beginning.
    good = (rise >= tissue_rise_s - settings.before_tissue_s) & (rise <= tissue_rise_s)
    good &= spread <= settings.flat_share * height
    if not good.any():
        return np.zeros(curves.shape[1])
    good &= height >= settings.height_share * np.quantile(height[good], 0.95)
    good &= np.abs(rise - np.median(rise[good])) <= settings.together_s
    return np.median(curves[good], axis=0)


def _passage(curve: np.ndarray, settings: BolusSettings) -> Bolus | None:
    """The bolus in an arterial curve; None where it is lower than one, `InputError` where it has no beginning."""
    smooth = smoothed_in_time(curve)
    peak = int(smooth.argmax())
    low = float(smooth[: peak + 1].min())
    height = float(smooth[peak]) - low
    if height < settings.least_peak_hu:
        return None
    arrival = int(np.flatnonzero(smooth[: peak + 1] <= low + settings.onset_share * height)[-1]) + 1
    if arrival < settings.least_baseline_frames:
        raise _no_baseline(arrival, settings)
    baseline = slice(0, arrival)
    return Bolus(baseline, arrival, curve - curve[baseline].mean())


def _without_passage(curves: np.ndarray, settings: BolusSettings) -> InputError:
    """The error of vessels ``(n, frames)`` that do not rise: they fall from the start, or nothing happens."""
    mean = smoothed_in_time(np.median(curves, axis=0).astype(np.float32))
    change = float(np.ptp(mean))
    # Contrast that was there before lies above half of all that happens in the first frame.
    if change >= settings.least_peak_hu and mean[0] - mean.min() >= change / 2:
        return _no_baseline(0, settings)
    return InputError(
        "The contrast never comes: no artery brightens in this series.",
        expected=f"arteries that brighten by at least {settings.least_peak_hu:.0f} HU",
        got=f"{change:.0f} HU in the voxels that change most, none of them as an artery does",
        hint="Give the perfusion series of a study in which contrast was injected, with all its frames.",
        code="no_bolus",
    )


def _no_baseline(frames: int, settings: BolusSettings) -> InputError:
    return InputError(
        "The contrast is there from the first frames on: there is no baseline to measure it from.",
        expected=f"at least {settings.least_baseline_frames} frames before the contrast",
        got=f"{frames}",
        hint="Give the series from its first frame on; a study that began too late cannot be measured.",
        code="no_baseline",
    )
