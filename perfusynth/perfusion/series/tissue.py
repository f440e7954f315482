"""Which voxels of a perfusion series are tissue; bone, air, CSF and large vessels are left out."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from perfusynth.errors import InputError
from perfusynth.perfusion.series.arteries import Arteries
from perfusynth.perfusion.series.baseline import Bolus
from perfusynth.perfusion.series.surroundings import from_bone
from perfusynth.volumes.series import Series


@dataclass(frozen=True)
class TissueSettings:
    """Limits of the tissue; HU of the mean frame before the contrast.

    Parameters
    ----------
    bone_hu, air_hu
        Tissue lies between: clotted blood reaches 95 HU, fat begins at -30 (as in `volumes.builtin_brain`).
    csf_below_median_hu
        CSF lies this far or further below the median of the brain's soft parts. CSF has 0-15 HU, white matter 25-30,
        less where an infarct or the beam's hardening darkens it; a scanner's calibration and the tube's voltage move
        them all. The project's own choice: three digital patients had a median of 30-32 HU, which puts it at 16-18.
    csf_noted_share
        Share of the brain that may be CSF before a note says so: 3-5 % in three digital patients; the project's own
        choice.
    least_median_hu
        Median of the brain's soft parts from which on they are brain: 25-40 HU in CT, water is 0; the project's own
        choice, for scans that are up to 20 HU off.
    least_tissue_share
        Share of the brain that is left as tissue at least: 88-90 % in three digital patients; the project's own choice.
    smoothing_mm
        SD of the Gaussian in plane by which the mean is smoothed before CSF and vessels are told; the project's own
        choice, for some 2 HU of noise in the mean of a baseline.
    vessel_blood_share
        Area of the curve relative to the artery's above which a voxel is a vessel: 0.12 is a CBV of 8 mL/100 g (kH
        0.73, 1.05 g/mL), twice that of cortex; perfusion software removes vessels at about that (from memory).
    rim_mm
        Tissue lies further than this from bone in its slice. A head that moves by a fraction of a voxel, and frames
        that were resampled among frames that were not, add bone's HU to what lies beside it, much of it CSF: late
        frames so lifted read as a late Tmax, and smoothing carries it inwards. The project's own choice: on a digital
        patient who moved by some mm, Tmax > 6 s held 7.8 mL falsely without and 0.9 mL with it (the noise alone: 1.6);
        it takes 0.5 % of the tissue, another 1 mm would take 2 %.
    """

    bone_hu: float = 95.0
    air_hu: float = -30.0
    csf_below_median_hu: float = 14.0
    csf_noted_share: float = 0.35
    least_median_hu: float = 5.0
    least_tissue_share: float = 0.3
    smoothing_mm: float = 1.2
    vessel_blood_share: float = 0.12
    rim_mm: float = 2.5


@dataclass(frozen=True, eq=False)
class Tissue:
    """Parts of the brain mask, bool ``(x, y, z)`` each: ``tissue``, and what was left out of it.

    ``rim`` is what lies beside bone. Of it and further inside, what moving bone brightens counts as ``vessels``, and
    what it leaves as ``bone``: neither is a curve of tissue.
    ``notes``: what a reader of the maps has to know, sentences.
    """

    tissue: np.ndarray
    bone: np.ndarray
    air: np.ndarray
    csf: np.ndarray
    vessels: np.ndarray
    rim: np.ndarray
    notes: tuple[str, ...] = ()


def tissue_mask(
    series: Series, bolus: Bolus, brain: np.ndarray, arteries: Arteries, settings: TissueSettings | None = None
) -> Tissue:
    """Tell tissue from bone, air, CSF and vessels inside the brain mask.

    Parameters
    ----------
    series
        Frames of a head that lies still, even in time.
    bolus, arteries
        Of this series.
    brain
        bool ``(x, y, z)``: the inside of the skull.

    Raises
    ------
    InputError
        Code ``no_tissue``: the brain is not as dense as brain in CT, or next to nothing of it is tissue.
    """
    settings = settings or TissueSettings()
    baseline = series.mean(bolus.baseline).array
    bone = brain & (baseline > settings.bone_hu)
    air = brain & (baseline < settings.air_hu)
    soft = brain & ~bone & ~air
    sigma = np.append(settings.smoothing_mm / series.spacing[:2], 0.0)
    # Noise takes a voxel beyond a limit that its surroundings keep: both are told by their own smoothed mean.
    median = float(np.median(baseline[soft])) if soft.any() else 0.0
    csf = soft & (_within(baseline, soft, sigma) < median - settings.csf_below_median_hu)
    level = _level_above(series, bolus, baseline)
    blood = float(arteries.input_hu.mean())
    share = _within(level, soft, sigma) / blood
    vessels = soft & (share > settings.vessel_blood_share)
    bone |= soft & (share < -settings.vessel_blood_share)
    soft &= ~bone & ~vessels
    rim = soft & (from_bone(baseline, series.spacing, 0.0) <= settings.rim_mm)
    soft &= ~rim
    csf &= soft
    tissue = soft & ~csf
    count = max(int(np.count_nonzero(brain)), 1)
    left = np.count_nonzero(tissue) / count
    if median < settings.least_median_hu or left < settings.least_tissue_share:
        raise _no_tissue(left, median, settings)
    return Tissue(tissue, bone, air, csf, vessels, rim, _notes(np.count_nonzero(csf) / count, settings))


def _notes(csf_share: float, settings: TissueSettings) -> tuple[str, ...]:
    if csf_share <= settings.csf_noted_share:
        return ()
    return (f"{csf_share:.0%} of the brain is as dark as CSF and was left out of the maps.",)


def _no_tissue(share: float, median_hu: float, settings: TissueSettings) -> InputError:
    return InputError(
        "There is next to no brain tissue in this series.",
        expected=f"tissue in at least {settings.least_tissue_share:.0%} of the brain, "
        f"of at least {settings.least_median_hu:.0f} HU in the middle",
        got=f"{share:.0%}, and a median of {median_hu:.0f} HU",
        hint="Is it a CT in HU? Give the series as the scanner stored it, with its rescale slope and intercept.",
        code="no_tissue",
    )


def _level_above(series: Series, bolus: Bolus, baseline: np.ndarray) -> np.ndarray:
    """Mean enhancement over all frames, HU float32 ``(x, y, z)``: the area of each curve per frame."""
    level = np.empty(series.shape, dtype=np.float32)
    for k in range(series.shape[2]):
        after = series.array[:, :, k, bolus.arrival_frame :].sum(axis=2, dtype=np.float32)
        count = series.frames - bolus.arrival_frame
        level[:, :, k] = (after - count * baseline[:, :, k]) / series.frames
    return level


def _within(values: np.ndarray, mask: np.ndarray, sigma: np.ndarray) -> np.ndarray:
    """``values`` after a Gaussian (SD in voxels along each axis) over the voxels of a mask only."""
    weight = ndimage.gaussian_filter(mask.astype(np.float32), sigma)
    return ndimage.gaussian_filter(np.where(mask, values, 0), sigma) / np.maximum(weight, 1e-3)
