"""How arteries and veins are chosen in a perfusion series."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class ArterySettings:
    """How arteries and veins are chosen; where no source is named, the project's own choice, made on digital patients.

    Parameters
    ----------
    partial_volume
        ``vof``: the AIF is scaled so that its whole area equals the VOF's, as commercial software does. It assumes
        that a large vein is free of partial volume and as dense as the artery; in patients the ICA's area was larger
        than the sagittal sinus' in 49 of 52 (Riordan et al., PLoS ONE 2014;9:e97586), and in 10 mm slices no sinus is
        free of it. Never scaled down: partial volume only takes. ``none``: the AIF as measured.
    bright_share, least_peak_hu, from_bone_mm
        Of the brain at least so far from bone, the share that brightens most and by at least so much are candidates.
    unsteady
        Largest SD of a vessel during the baseline relative to its peak.
    artery_similarity, together_s
        Least correlation of an artery with the median of the arteries, and how far apart they may rise: an artery
        behind an occlusion fills later and more slowly, a vein later still.
    artery_from_bone_mm, vein_from_bone_mm
        Preferred distance from bone, where there are vessels enough: a head that moves by less than a voxel already
        adds bone's HU to what lies beside it.
    artery_voxels, cluster_mm
        Voxels that are averaged to the AIF, and how far from their middle one they lie.
    vein_similarity, vein_lag_s
        Least correlation of a vein with the delayed and spread AIF, and its least lag behind it.
    vein_ml, blend_mm
        Volume that is averaged to the VOF, and the neighbours over which areas are averaged before the largest are
        looked for: the largest of many noisy areas is too large.
    still_share
        Share of its peak above which the VOF has not come down by the last frame. Lesion volumes were stable at a
        median of 0.39 (Kasasbeh et al., Stroke 2016;47:2966); of complete curves volumes and transit times are more
        certain (Borst et al., PLoS ONE 2015;10:e0119409).
    manual_mm, manual_late_s
        How far from a position given by hand an artery is looked for, and how much later than the other arteries it
        may rise.
    told_late_s, told_factor
        An AIF that rises so much later than the arteries, and a correction for partial volume above this, are told.
    """

    partial_volume: Literal["vof", "none"] = "vof"
    bright_share: float = 0.1
    least_peak_hu: float = 25.0
    from_bone_mm: float = 1.0
    artery_from_bone_mm: float = 3.0
    vein_from_bone_mm: float = 2.0
    unsteady: float = 0.15
    artery_similarity: float = 0.95
    together_s: float = 1.0
    artery_voxels: int = 9
    cluster_mm: float = 6.0
    vein_similarity: float = 0.98
    vein_lag_s: float = 3.0
    vein_ml: float = 0.12
    blend_mm: float = 1.0
    still_share: float = 0.4
    manual_mm: float = 5.0
    manual_late_s: float = 4.0
    told_late_s: float = 1.5
    told_factor: float = 2.0
