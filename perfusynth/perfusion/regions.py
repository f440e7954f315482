"""Regions by threshold and their volumes: Tmax > 4, 6, 8, 10 s, core estimate, mismatch, HIR, laterality."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from perfusynth.perfusion.cleaning import bounding_box, clean, fill_box
from perfusynth.volumes.brain import Midplane
from perfusynth.volumes.volume import Volume

#: Core cut-offs that the literature uses, as a fraction of normal tissue's CBF.
CORE_FRACTIONS = (0.20, 0.30, 0.34, 0.38)

#: Less normal tissue than this (mL) gives no reference CBF, hence no core: the median of a few noisy voxels
#: would decide the core of a whole hemisphere. A healthy hemisphere holds about 500 mL; the project's own choice.
NORMAL_TISSUE_MINIMUM_ML = 10.0

CoreReference = Literal["normal_tissue", "contralateral"]
Side = Literal["right", "left", "bilateral", "none"]


@dataclass(frozen=True)
class RegionSettings:
    """Thresholds and clean-up; a result records the ones it was measured with.

    Parameters
    ----------
    tmax_thresholds_s
        Regions are Tmax strictly greater than each, ascending (4, 6, 8, 10 s: RAPID's report, DEFUSE 3).
    hypoperfusion_s
        The threshold that stands for hypoperfusion (6 s; Olivot et al., Stroke 2009; DEFUSE 3).
    severe_s
        Numerator of the hypoperfusion intensity ratio (10 s; Olivot et al., Stroke 2014).
    core_fraction
        Core where CBF is strictly below this fraction of normal tissue's (0.30; Campbell et al., Stroke 2011;
        DEFUSE 3); one of `CORE_FRACTIONS`.
    core_reference
        ``normal_tissue``: median CBF where Tmax < ``normal_tmax_s``; ``contralateral``: median CBF of the
        hemisphere with the smaller share of hypoperfusion.
    normal_tmax_s
        Tissue with a shorter Tmax counts as normal (4 s; tissue of 4-6 s is taken for
        benign oligaemia: Olivot et al., Stroke 2009).
    clip_percentiles
        CBF of the reference tissue is clipped to this range (1st and 99th) before the median: vessels and holes.
    ball_voxels
        Radius of the ball of closing and opening, in voxels of the grid's finest spacing (see `cleaning.ball`).
    minimum_ml
        Components of a Tmax region below this volume are dropped. 3 mL is a ball of 18 mm: above a lacune (15 mm,
        1.8 mL), which no Tmax map resolves, and far below the tissue of any occlusion that is treated.
    core_minimum_ml
        The same for the core, smaller, so that a core in pieces is not understated (1 mL; the project's own choice).
    side_share
        A side is named when it holds at least this share of the hypoperfusion, else it is bilateral (0.8; the
        project's own choice: a deficit that leaks over the midplane by smoothing keeps well above it).
    """

    tmax_thresholds_s: tuple[float, ...] = (4.0, 6.0, 8.0, 10.0)
    hypoperfusion_s: float = 6.0
    severe_s: float = 10.0
    core_fraction: float = 0.30
    core_reference: CoreReference = "normal_tissue"
    normal_tmax_s: float = 4.0
    clip_percentiles: tuple[float, float] = (1.0, 99.0)
    ball_voxels: float = 1.0
    minimum_ml: float = 3.0
    core_minimum_ml: float = 1.0
    side_share: float = 0.8

    def __post_init__(self) -> None:
        thresholds = self.tmax_thresholds_s
        if list(thresholds) != sorted(set(thresholds)) or not thresholds or thresholds[0] <= 0:
            raise ValueError(f"expected ascending positive Tmax thresholds in s, got {thresholds}")
        for name in ("hypoperfusion_s", "severe_s"):
            if getattr(self, name) not in thresholds:
                raise ValueError(f"expected {name} among the thresholds {thresholds}, got {getattr(self, name)}")
        if self.core_fraction not in CORE_FRACTIONS:
            raise ValueError(f"expected core_fraction in {CORE_FRACTIONS}, got {self.core_fraction}")
        if self.core_reference not in ("normal_tissue", "contralateral"):
            raise ValueError(f"expected core_reference normal_tissue or contralateral, got {self.core_reference!r}")
        low, high = self.clip_percentiles
        if not 0 <= low < 50 < high <= 100:
            raise ValueError(f"expected clip_percentiles around the median, got {self.clip_percentiles}")
        if min(self.ball_voxels, self.minimum_ml, self.core_minimum_ml) < 0 or not 0.5 < self.side_share <= 1:
            raise ValueError("expected sizes that are not negative and 0.5 < side_share <= 1")


@dataclass(frozen=True)
class Laterality:
    """Where the hypoperfusion lies: volumes in mL right and left of the midplane, the right's share, the side."""

    side: Side
    right_ml: float
    left_ml: float
    right_share: float | None


@dataclass(frozen=True, eq=False)
class Regions:
    """Cleaned regions on the maps' grid, and what they measure.

    Parameters
    ----------
    tmax
        bool array of the whole grid by threshold in s; each lies inside the one of the next smaller threshold.
    tmax_ml
        Their volumes.
    core, core_ml, normal_cbf, core_cbf
        Core estimate inside the hypoperfusion; CBF of normal tissue and the cut-off, mL/100 g/min. ``core_ml``,
        ``normal_cbf`` and ``core_cbf`` are ``None`` (and the core empty) where there is no CBF map, or no normal tissue
        left to compare.
    mismatch_ml, mismatch_ratio, mismatch_ratio_infinite
        V(Tmax>6) - V(core) and V(Tmax>6) / V(core); the ratio is ``None`` where the core is 0, and "infinite" where
        there is hypoperfusion besides.
    hir
        V(Tmax>10) / V(Tmax>6); ``None`` without hypoperfusion.
    laterality
        ``None`` where no midplane was given.
    """

    tmax: Mapping[float, np.ndarray] = field(repr=False)
    tmax_ml: Mapping[float, float]
    core: np.ndarray = field(repr=False)
    core_ml: float | None
    normal_cbf: float | None
    core_cbf: float | None
    mismatch_ml: float | None
    mismatch_ratio: float | None
    mismatch_ratio_infinite: bool
    hir: float | None
    laterality: Laterality | None
    brain_ml: float
    settings: RegionSettings

    @property
    def hypoperfusion(self) -> np.ndarray:
        """Mask of the Tmax threshold that stands for hypoperfusion (6 s)."""
        return self.tmax[self.settings.hypoperfusion_s]

    @property
    def hypoperfusion_ml(self) -> float:
        """Volume of `hypoperfusion`."""
        return self.tmax_ml[self.settings.hypoperfusion_s]


def measure_regions(
    tmax: Volume,
    cbf: Volume | None,
    brain: np.ndarray,
    midplane: Midplane | None,
    settings: RegionSettings | None = None,
) -> Regions:
    """Threshold the maps, clean the regions and measure them.

    Parameters
    ----------
    tmax, cbf
        Maps on one grid: s, mL/100 g/min. Without CBF there is no core and no mismatch.
    brain
        bool array on that grid, the brain where maps exist (intersect it with ``valid`` for limited coverage).
    midplane
        Between the patient's left and right half of the head. Without it no side is named, and none can be the
        core's reference.
    settings
        Thresholds and clean-up; the defaults of `RegionSettings` when ``None``.

    Raises
    ------
    ValueError
        The maps and the brain do not share one grid, or ``core_reference`` is ``contralateral`` without a midplane.
    """
    settings = settings or RegionSettings()
    brain = np.asarray(brain, dtype=bool)
    shapes = [tmax.shape, brain.shape, *([cbf.shape] if cbf else [])]
    if len(set(shapes)) > 1 or (cbf is not None and not np.allclose(tmax.affine, cbf.affine, atol=1e-4)):
        raise ValueError(f"expected maps and brain on one grid, got {shapes}")
    if midplane is None and settings.core_reference == "contralateral":
        raise ValueError("expected a midplane: the core's reference is the contralateral hemisphere")

    box = bounding_box(brain)
    inside = np.ascontiguousarray(brain[box])
    tmax_s = tmax.array[box]
    voxel_ml, spacing = tmax.voxel_ml, tmax.spacing

    masks: dict[float, np.ndarray] = {}
    for threshold in settings.tmax_thresholds_s:
        raw = (tmax_s > threshold) & inside
        masks[threshold] = clean(raw, inside, spacing, settings.ball_voxels, settings.minimum_ml / voxel_ml)
    volumes = {threshold: np.count_nonzero(mask) * voxel_ml for threshold, mask in masks.items()}
    hypoperfusion = masks[settings.hypoperfusion_s]
    laterality, normal = None, inside
    if midplane is not None:
        right = midplane.right_of(tmax.shape, tmax.affine)[box]
        laterality = _laterality(hypoperfusion, right, voxel_ml, settings.side_share)
        if settings.core_reference == "contralateral" and laterality.side != "none":
            normal = inside & (~right if laterality.right_ml >= laterality.left_ml else right)
    if settings.core_reference == "normal_tissue":
        normal = inside & (tmax_s < settings.normal_tmax_s)

    normal_cbf = None if cbf is None else _normal_cbf(cbf.array[box][normal], voxel_ml)
    core_cbf = None if normal_cbf is None else settings.core_fraction * normal_cbf
    core, core_ml = np.zeros_like(inside), None
    if cbf is not None and core_cbf is not None:
        raw = (cbf.array[box] < core_cbf) & hypoperfusion
        core = clean(raw, hypoperfusion, spacing, settings.ball_voxels, settings.core_minimum_ml / voxel_ml)
        core_ml = np.count_nonzero(core) * voxel_ml

    hypoperfusion_ml = volumes[settings.hypoperfusion_s]
    return Regions(
        tmax={threshold: fill_box(mask, box, brain.shape) for threshold, mask in masks.items()},
        tmax_ml=volumes,
        core=fill_box(core, box, brain.shape),
        core_ml=core_ml,
        normal_cbf=normal_cbf,
        core_cbf=core_cbf,
        mismatch_ml=None if core_ml is None else hypoperfusion_ml - core_ml,
        mismatch_ratio=hypoperfusion_ml / core_ml if core_ml else None,
        mismatch_ratio_infinite=core_ml == 0 and hypoperfusion_ml > 0,
        hir=volumes[settings.severe_s] / hypoperfusion_ml if hypoperfusion_ml > 0 else None,
        laterality=laterality,
        brain_ml=np.count_nonzero(inside) * voxel_ml,
        settings=settings,
    )


def _laterality(mask: np.ndarray, right: np.ndarray, voxel_ml: float, side_share: float) -> Laterality:
    total = np.count_nonzero(mask)
    on_right = np.count_nonzero(mask & right)
    if total == 0:
        return Laterality("none", 0.0, 0.0, None)
    share = on_right / total
    side: Side = "right" if share >= side_share else "left" if 1 - share >= side_share else "bilateral"
    return Laterality(side, on_right * voxel_ml, (total - on_right) * voxel_ml, share)


def _normal_cbf(cbf: np.ndarray, voxel_ml: float) -> float | None:
    """Median CBF of the reference tissue's voxels ``(n,)``; ``None`` where there is too little of it.

    Clipping at two percentiles around the median cannot move the median, so that no percentile is computed; the
    test holds this against the literal definition.
    """
    values = cbf[cbf > 0]
    if values.size * voxel_ml < NORMAL_TISSUE_MINIMUM_ML:
        return None
    return float(np.median(values))
