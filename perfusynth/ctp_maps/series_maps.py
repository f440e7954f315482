"""The one way from a perfusion series to maps, in memory: files, the command line and importers come to it."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from perfusynth.ctp_maps.settings import MapSettings
from perfusynth.generators.devices import choose_device
from perfusynth.perfusion.deconvolution.deconvolve import deconvolve
from perfusynth.perfusion.series.arteries import Arteries, artery_at, choose_arteries
from perfusynth.perfusion.series.baseline import Bolus, find_bolus, frame_interval_s, mean_curve
from perfusynth.perfusion.series.smoothing import tissue_curves
from perfusynth.perfusion.series.timing import on_even_times
from perfusynth.perfusion.series.tissue import Tissue, tissue_mask
from perfusynth.progress import OnProgress, ignore_progress
from perfusynth.registration.frames import CorrectedSeries, FrameMotion, correct_motion, estimate_motion
from perfusynth.stages import Stages
from perfusynth.volumes.brain import BrainExtractor, BrainMask
from perfusynth.volumes.builtin_brain import BuiltinBrain
from perfusynth.volumes.geometry import series_nearest_ras, to_original_order
from perfusynth.volumes.series import Series
from perfusynth.volumes.volume import Volume

#: Share of the whole work by stage, from the timings of a 256x256x32 study of 40 frames on 2 cores
#: (docs/performance.md).
SHARES = {"motion": 0.78, "brain": 0.02, "arteries": 0.13, "smooth": 0.04, "deconvolve": 0.03}
#: Flow below which a mean transit time is not told, mL/100 g/min: it would be a ratio of noise (the project's own
#: choice, a tenth of the core's).
FLOW_FOR_MTT = 0.5
#: Share of the brain that may be left out as vessel or beside bone without a word (the project's own choice: 7 % are
#: where the head lies still, 14-17 % where it nods).
LEFT_OUT_SHARE = 0.10


@dataclass(frozen=True, eq=False)
class SeriesMaps:
    """Maps of a series, and all that led to them.

    Parameters
    ----------
    maps
        ``tmax`` [s], ``cbf`` [mL/100 g/min], ``cbv`` [mL/100 g], ``mtt`` [s] on the series' own grid in its stored
        order; 0 where there is no tissue.
    brain, valid
        Inside of the skull, and what every frame shows, bool on that grid.
    baseline, peak
        Mean of the frames before the contrast, and maximum of all frames, HU, on that grid.
    bolus, arteries, tissue
        On the grid of ``series``.
    motion, repaired
        How the head moved, and what was done about it; ``motion`` is ``None`` where frames were taken as they are.
    mean_tissue_hu
        Mean curve of the tissue, HU above the baseline, ``(frames,)``.
    notes
        What a reader must be told, a sentence each.
    """

    maps: Mapping[str, Volume]
    brain: BrainMask
    valid: np.ndarray
    baseline: Volume
    peak: Volume
    bolus: Bolus
    arteries: Arteries
    tissue: Tissue
    motion: FrameMotion | None
    repaired: CorrectedSeries
    mean_tissue_hu: np.ndarray
    notes: tuple[str, ...]
    timings_s: Mapping[str, float]

    @property
    def series(self) -> Series:
        """The frames that were deconvolved: even in time, the head in one position, axes nearest to RAS."""
        return self.repaired.series

    def in_stored_order(self, voxels: np.ndarray) -> np.ndarray:
        """Indices ``(n, 3)`` in the maps' stored order of voxels of ``series``."""
        there = np.linalg.inv(self.baseline.affine) @ self.series.affine
        return np.rint(voxels @ there[:3, :3].T + there[:3, 3]).astype(int)


def maps_of_series(
    series: Series,
    settings: MapSettings | None = None,
    *,
    extractor: BrainExtractor | None = None,
    on_progress: OnProgress = ignore_progress,
) -> SeriesMaps:
    """Make the maps of a perfusion series.

    Raises
    ------
    InputError
        What cannot become maps, with the reason: times (`on_even_times`), motion (`correct_motion`), no brain, the
        bolus (`find_bolus`), arteries and veins (`choose_arteries`, `artery_at`), no device.
    Cancelled
        From ``on_progress``.
    """
    settings = settings or MapSettings()
    device = choose_device(settings.device)
    stages = Stages(SHARES, on_progress)
    even, notes = on_even_times(series, settings.timing)
    with stages.stage("motion") as progress:
        found, motion = _still(series_nearest_ras(even), settings, progress)
        still = found.series
    with stages.stage("brain") as progress:
        brain = (extractor or BuiltinBrain()).extract(still.mean(slice(None)), on_progress=progress)
    with stages.stage("arteries"):
        seen = brain.mask & found.valid
        bolus = find_bolus(still, seen, settings.bolus)
        chosen = None
        if settings.aif_position_mm is not None:
            chosen = artery_at(still, bolus, np.array(settings.aif_position_mm), settings.arteries)
        arteries = choose_arteries(still, bolus, seen, settings.arteries, chosen)
        tissue = tissue_mask(still, bolus, seen, arteries, settings.tissue)
    with stages.stage("smooth") as progress:
        curves = tissue_curves(still, bolus, tissue.tissue, settings.smoothing, on_progress=progress)
    with stages.stage("deconvolve") as progress:
        values = deconvolve(
            curves.curves,
            arteries.input_hu,
            frame_interval_s(still),
            settings.deconvolution,
            device=str(device),
            on_progress=progress,
        )
        maps = {name: curves.to_voxels(values[name]) for name in ("tmax", "cbf", "cbv")}
    flow = maps["cbf"]
    maps["mtt"] = np.where(flow > FLOW_FOR_MTT, 60 * maps["cbv"] / np.maximum(flow, FLOW_FOR_MTT), 0)

    own = Volume(series.array[..., 0], series.affine, series.header)

    def stored(array: np.ndarray) -> np.ndarray:
        return to_original_order(array, own)

    return SeriesMaps(
        maps={name: own.with_array(stored(array)) for name, array in maps.items()},
        brain=BrainMask(stored(brain.mask), brain.method),
        valid=stored(found.valid),
        baseline=own.with_array(stored(still.mean(bolus.baseline).array)),
        peak=own.with_array(stored(still.array.max(axis=3).astype(np.float32))),
        bolus=bolus,
        arteries=arteries,
        tissue=tissue,
        motion=motion,
        repaired=found,
        mean_tissue_hu=mean_curve(still, tissue.tissue, bolus.baseline),
        notes=(*notes, *found.notes, *arteries.notes, *tissue.notes, *_left_out(seen, tissue, own.voxel_ml)),
        timings_s=stages.timings_s,
    )


def _left_out(seen: np.ndarray, tissue: Tissue, voxel_ml: float) -> tuple[str, ...]:
    """What must be said where much of the brain is not measured: no volume counts what lies there."""
    # What bone lifts between frames counts as vessel, too: vessels alone take 2 %.
    lost, whole = (float(np.count_nonzero(m)) * voxel_ml for m in (seen & ~tissue.tissue & ~tissue.csf, seen))
    if lost <= LEFT_OUT_SHARE * whole:
        return ()
    return (
        f"{lost:.0f} of {whole:.0f} mL of the brain were not measured (vessels, and the edge where bone moved through "
        "the voxels): hypoperfusion there is in no volume.",
    )


def _still(
    series: Series, settings: MapSettings, on_progress: OnProgress
) -> tuple[CorrectedSeries, FrameMotion | None]:
    """The series with the head in one position, where that was asked for."""
    if settings.motion is None:
        everywhere = np.ones(series.shape, dtype=bool)
        return CorrectedSeries(series, everywhere, ("Motion between frames was not corrected.",), "none"), None
    motion = estimate_motion(
        series, settings.motion, on_progress=lambda stage, fraction: on_progress(stage, 0.4 * fraction)
    )
    corrected = correct_motion(
        series, motion, settings.motion, on_progress=lambda stage, fraction: on_progress(stage, 0.4 + 0.6 * fraction)
    )
    return corrected, motion
