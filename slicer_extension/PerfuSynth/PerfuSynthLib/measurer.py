"""Measures a result's regions: at once without clean-up, as the server with it, and after an edit.

The server's own code is perfusynth.perfusion.regions; tests hold the two equal within 0.1 mL.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .cleaning import bounding_box, clean, fill_box
from .constants import CONTRALATERAL, NORMAL_TISSUE, NORMAL_TISSUE_MINIMUM_ML
from .grid_volume import GridVolume
from .measurements import (
    CLEANED,
    EDITED,
    NO_SIDE,
    PROVISIONAL,
    Laterality,
    Measurements,
    laterality,
)
from .midplane import Midplane
from .region_settings import RegionSettings


class MeasuringCancelled(Exception):
    """The numbers are no longer wanted."""


def _never() -> bool:
    return False


class Measurer:
    """Measures one result, as often as a threshold or a region changes.

    `provisional` is fast enough for every step of a slider; `cleaned` and `edited` belong on a thread. All may run at
    the same time: what is kept between calls is only ever added to.

    Parameters
    ----------
    tmax, cbf
        Maps on one grid, s and mL/100 g/min.
    brain
        Mask on that grid; nothing outside it counts.
    midplane
        ``None`` where it is not known: no side is named.
    normal_cbf
        Normal tissue's CBF as the server measured it, mL/100 g/min; ``None``: it is measured here, as the server does.
    settings
        Thresholds and clean-up.

    Raises
    ------
    ValueError
        The grids differ, or the settings ask for a hemisphere and there is no midplane.
    """

    def __init__(
        self,
        tmax: GridVolume,
        cbf: GridVolume,
        brain: GridVolume,
        midplane: Midplane | None,
        normal_cbf: float | None,
        settings: RegionSettings,
    ):
        if not tmax.array.shape == cbf.array.shape == brain.array.shape:
            raise ValueError(f"expected one grid, got {tmax.array.shape}, {cbf.array.shape}, {brain.array.shape}")
        if midplane is None and normal_cbf is None and settings.core_reference == CONTRALATERAL:
            raise ValueError("expected a midplane: the core's reference is the contralateral hemisphere")
        self.settings = settings
        self.shape: tuple[int, ...] = tmax.array.shape
        self._spacing, self._voxel_ml = tmax.spacing, tmax.voxel_ml
        mask = brain.array != 0
        self._box = bounding_box(mask)
        self._inside = np.ascontiguousarray(mask[self._box])
        self._tmax, self._cbf = tmax.array[self._box], cbf.array[self._box]
        # The brain's voxels in a row: what moves with a slider counts them, not the grid's.
        self._tmax_row, self._cbf_row = self._tmax[self._inside], self._cbf[self._inside]
        self._right, self._right_row = None, None
        if midplane is not None:
            self._right = midplane.right_of(self._box, np.asarray(tmax.affine, float))
            self._right_row = self._right[self._inside]
        self._given_normal_cbf = normal_cbf
        self._cleaned: dict[float, np.ndarray] = {}
        self._raw_volumes = {threshold: self._raw_ml(threshold) for threshold in settings.tmax_thresholds_s}
        hypoperfused = self._tmax_row > settings.hypoperfusion_s
        self._raw_side = None
        if self._right_row is not None:
            on_right = np.count_nonzero(hypoperfused & self._right_row)
            self._raw_side = self._side_of(on_right, np.count_nonzero(hypoperfused) - on_right)
        self._raw_normal_cbf = self._normal_cbf(self._raw_side)
        self._raw_core_ml = None
        if self._raw_normal_cbf is not None:
            low = self._cbf_row < settings.core_fraction * self._raw_normal_cbf
            self._raw_core_ml = np.count_nonzero(low & hypoperfused) * self._voxel_ml

    def provisional(self, threshold_s: float) -> Measurements:
        """Numbers and region of Tmax > ``threshold_s`` without clean-up: at once, and a little too high."""
        return self._measurements(
            PROVISIONAL,
            threshold_s,
            region=(self._tmax > threshold_s) & self._inside,
            volumes_ml=self._raw_volumes,
            core=None,
            core_ml=self._raw_core_ml,
            normal_cbf=self._raw_normal_cbf,
            side=self._raw_side,
        )

    def cleaned(self, threshold_s: float, cancelled: Callable[[], bool] = _never) -> Measurements:
        """Numbers and regions as the server measures them.

        Parameters
        ----------
        threshold_s
            The free threshold; those of the settings are measured besides.
        cancelled
            Asked between the steps.

        Raises
        ------
        MeasuringCancelled
            It said yes.
        """
        volumes = {}
        for threshold in self.settings.tmax_thresholds_s:
            volumes[threshold] = self._volume(self._clean_region(threshold, cancelled))
        hypoperfusion = self._clean_region(self.settings.hypoperfusion_s, cancelled)
        side = self._side(hypoperfusion)
        normal_cbf = self._normal_cbf(side)
        core = self._core(hypoperfusion, normal_cbf, cancelled)
        return self._measurements(
            CLEANED,
            threshold_s,
            region=self._clean_region(threshold_s, cancelled),
            volumes_ml=volumes,
            core=core,
            core_ml=None if core is None else self._volume(core),
            normal_cbf=normal_cbf,
            side=side,
        )

    def edited(
        self,
        region: np.ndarray,
        threshold_s: float,
        core: np.ndarray | None = None,
        cancelled: Callable[[], bool] = _never,
    ) -> Measurements:
        """Numbers of a region that a reader drew, which is taken as it is.

        Parameters
        ----------
        region
            Mask on the whole grid, in the place of the hypoperfusion.
        threshold_s
            What it was edited from, s.
        core
            The reader's core, taken as it is; without it, low CBF inside ``region``, cleaned.
        cancelled
            Asked between the steps.

        Raises
        ------
        MeasuringCancelled
            It said yes.
        """
        region = np.asarray(region) != 0
        if region.shape != self.shape:
            raise ValueError(f"expected a region of shape {self.shape}, got {region.shape}")
        as_made = self.cleaned(threshold_s, cancelled)
        inside = region[self._box] & self._inside
        if core is None:
            part = self._core(inside, as_made.normal_cbf, cancelled)
            core = None if part is None else fill_box(part, self._box, self.shape)
        else:
            core = np.asarray(core) != 0
        region_ml = self._volume(region)
        severe = self._clean_region(self.settings.severe_s, cancelled) & inside
        return Measurements(
            kind=EDITED,
            threshold_s=threshold_s,
            region_ml=region_ml,
            volumes_ml=as_made.volumes_ml,
            core_ml=None if core is None else self._volume(core),
            normal_cbf=as_made.normal_cbf,
            core_cbf=as_made.core_cbf,
            hir=self._volume(severe) / region_ml if region_ml > 0 else None,
            laterality=self._side(inside),
            brain_ml=as_made.brain_ml,
            settings=self.settings,
            region=region,
            core=core,
            outside_brain_ml=region_ml - self._volume(inside),
        )

    def _measurements(
        self,
        kind: str,
        threshold_s: float,
        *,
        region: np.ndarray,
        volumes_ml: dict[float, float],
        core: np.ndarray | None,
        core_ml: float | None,
        normal_cbf: float | None,
        side: Laterality | None,
    ) -> Measurements:
        """The numbers of a threshold; ``region`` and ``core`` in the brain's box."""
        hypoperfusion_ml = volumes_ml[self.settings.hypoperfusion_s]
        return Measurements(
            kind=kind,
            threshold_s=threshold_s,
            region_ml=self._volume(region),
            volumes_ml=volumes_ml,
            core_ml=core_ml,
            normal_cbf=normal_cbf,
            core_cbf=None if normal_cbf is None else self.settings.core_fraction * normal_cbf,
            hir=volumes_ml[self.settings.severe_s] / hypoperfusion_ml if hypoperfusion_ml > 0 else None,
            laterality=side,
            brain_ml=self._tmax_row.size * self._voxel_ml,
            settings=self.settings,
            region=fill_box(region, self._box, self.shape),
            core=None if core is None else fill_box(core, self._box, self.shape),
        )

    def _volume(self, mask: np.ndarray) -> float:
        return int(np.count_nonzero(mask)) * self._voxel_ml

    def _raw_ml(self, threshold_s: float) -> float:
        return self._volume(self._tmax_row > threshold_s)

    def _clean_region(self, threshold_s: float, cancelled: Callable[[], bool]) -> np.ndarray:
        """Cleaned Tmax > ``threshold_s`` in the brain's box; those of the settings are kept."""
        if cancelled():
            raise MeasuringCancelled
        kept = self._cleaned.get(threshold_s)
        if kept is not None:
            return kept
        raw = (self._tmax > threshold_s) & self._inside
        smallest = self.settings.minimum_ml / self._voxel_ml
        mask = clean(raw, self._inside, self._spacing, self.settings.ball_voxels, smallest)
        if threshold_s in self.settings.tmax_thresholds_s:
            self._cleaned[threshold_s] = mask
        return mask

    def _core(self, within: np.ndarray, normal_cbf: float | None, cancelled: Callable[[], bool]) -> np.ndarray | None:
        if cancelled():
            raise MeasuringCancelled
        if normal_cbf is None:
            return None
        raw = (self._cbf < self.settings.core_fraction * normal_cbf) & within
        smallest = self.settings.core_minimum_ml / self._voxel_ml
        return clean(raw, within, self._spacing, self.settings.ball_voxels, smallest)

    def _side(self, mask: np.ndarray) -> Laterality | None:
        if self._right is None:
            return None
        on_right = np.count_nonzero(mask & self._right)
        return self._side_of(on_right, np.count_nonzero(mask) - on_right)

    def _side_of(self, right_voxels: int, left_voxels: int) -> Laterality:
        return laterality(right_voxels * self._voxel_ml, left_voxels * self._voxel_ml, self.settings.side_share)

    def _normal_cbf(self, side: Laterality | None) -> float | None:
        """Median CBF of the reference tissue; ``None`` where there is too little of it.

        Clipping at two percentiles around the median cannot move the median, so that none is computed.
        """
        if self._given_normal_cbf is not None:
            return self._given_normal_cbf
        values = self._cbf_row
        if self.settings.core_reference == NORMAL_TISSUE:
            values = values[self._tmax_row < self.settings.normal_tmax_s]
        elif side is not None and side.side != NO_SIDE and self._right_row is not None:
            values = values[~self._right_row if side.right_ml >= side.left_ml else self._right_row]
        values = values[values > 0]
        if values.size * self._voxel_ml < NORMAL_TISSUE_MINIMUM_ML:
            return None
        return float(np.median(values))


def measure(
    tmax: GridVolume,
    cbf: GridVolume,
    brain: GridVolume,
    midplane: Midplane | None,
    normal_cbf: float | None,
    threshold_s: float,
    settings: RegionSettings,
    cancelled: Callable[[], bool] = _never,
) -> Measurements:
    """Cleaned numbers of one threshold; see `Measurer`, which measures several without starting anew."""
    return Measurer(tmax, cbf, brain, midplane, normal_cbf, settings).cleaned(threshold_s, cancelled)
