"""From the files of a perfusion study to a folder of maps: read, make, measure, write, report."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from perfusynth import __version__
from perfusynth.ctp_maps.series_maps import SeriesMaps, maps_of_series
from perfusynth.ctp_maps.settings import MapSettings
from perfusynth.ctp_maps.sides import NO_MIDPLANE, midplane_of
from perfusynth.perfusion.colour_tables import MAP_DISPLAYS
from perfusynth.perfusion.deconvolution_block import (
    Deconvolution,
    InputCurve,
    MotionCorrected,
    deconvolution_description,
)
from perfusynth.perfusion.measurements import Measurements
from perfusynth.perfusion.notices import notices_for
from perfusynth.perfusion.region_blocks import region_blocks
from perfusynth.perfusion.regions import Regions, measure_regions
from perfusynth.perfusion.series.arteries import VesselCurve
from perfusynth.progress import OnProgress, ignore_progress
from perfusynth.readers.perfusion_series import PerfusionScan, read_perfusion
from perfusynth.report import write_report
from perfusynth.report.input_functions import InputFunctions
from perfusynth.stages import Stages
from perfusynth.volumes.brain import BrainExtractor, Midplane
from perfusynth.volumes.nifti import write_nifti

#: Share of the whole work by stage, from the timings of a 256x256x32 study of 40 frames on 2 cores
#: (docs/performance.md).
SHARES = {"read": 0.12, "maps": 0.62, "measure": 0.06, "package": 0.08, "report": 0.12}
#: Name of the image that the maps are read over: the mean of the frames before the contrast.
BASELINE_FILE = "baseline.nii.gz"


def make_maps(
    source: Path,
    out: Path,
    settings: MapSettings | None = None,
    *,
    times_s: Sequence[float] | None = None,
    interval_s: float | None = None,
    extractor: BrainExtractor | None = None,
    report: bool = True,
    on_progress: OnProgress = ignore_progress,
) -> Measurements:
    """Make the maps of a perfusion study and write them.

    Parameters
    ----------
    source
        4-D NIfTI, a DICOM folder, or a zip of one.
    out
        Existing empty folder; receives ``tmax, cbf, cbv, mtt, brain, valid, baseline`` as ``.nii.gz`` on the study's
        grid (``brain``: the part of it that is valid), ``measurements.json``, and the report where it is wanted.
    times_s, interval_s
        When the frames were acquired, where the files do not say or say it wrongly.

    Raises
    ------
    InputError
        From `read_perfusion` and `maps_of_series`.
    Cancelled
        From ``on_progress``.
    """
    settings = settings or MapSettings()
    stages = Stages(SHARES, on_progress)
    with stages.stage("read") as progress:
        scan = read_perfusion(source, times_s=times_s, interval_s=interval_s, on_progress=progress)
    with stages.stage("maps") as progress:
        found = maps_of_series(scan.series, settings, extractor=extractor, on_progress=progress)
    with stages.stage("measure"):
        midplane = midplane_of(found.baseline, found.brain)
        seen = found.brain.mask & found.valid
        regions = measure_regions(found.maps["tmax"], found.maps["cbf"], seen, midplane, settings.regions)
    timings = stages.timings_s | {f"maps: {name}": seconds for name, seconds in found.timings_s.items()}
    measurements = _measurements(scan, found, midplane, regions, settings, timings)
    with stages.stage("package"):
        _write_volumes(out, found, seen, measurements)
    with stages.stage("report"):
        if report:
            curves = _input_functions(found, settings)
            write_report(out, found.baseline, found.maps, seen, regions, measurements, input_functions=curves)
    measurements.write_json(out / "measurements.json")
    return measurements


def _write_volumes(out: Path, found: SeriesMaps, seen: np.ndarray, measurements: Measurements) -> None:
    assert measurements.deconvolution is not None
    description = deconvolution_description(measurements.deconvolution)
    for name, volume in found.maps.items():
        write_nifti(out / f"{name}.nii.gz", volume, description=description)
    grid = found.baseline
    # The brain that was measured, so that whoever measures these files again gets the same numbers.
    write_nifti(out / "brain.nii.gz", grid.with_array(seen), dtype=np.uint8)
    write_nifti(out / "valid.nii.gz", grid.with_array(found.valid), dtype=np.uint8)
    write_nifti(out / BASELINE_FILE, grid, description="mean of the CTP frames before the contrast, HU")


def _measurements(
    scan: PerfusionScan,
    found: SeriesMaps,
    midplane: Midplane | None,
    regions: Regions,
    settings: MapSettings,
    timings_s: dict[str, float],
) -> Measurements:
    volumes = found.maps.items()
    return Measurements.model_validate(
        {
            "origin": "deconvolved",
            "notices": notices_for("deconvolved"),
            **region_blocks(regions, midplane),
            "brain_method": found.brain.method,
            "deconvolution": deconvolution_block(found, settings),
            "software": {"version": __version__},
            "input": {
                "sha256": scan.source_sha256,
                "kind": scan.kind,
                "shape": scan.series.shape,
                "spacing_mm": tuple(scan.series.spacing),
                "resampled": scan.resampled,
                "notes": [*scan.notes, *found.notes, *(() if midplane is not None else (NO_MIDPLANE,))],
                "is_phantom": False,
            },
            "maps": [
                {
                    "name": name,
                    "file": f"{name}.nii.gz",
                    "unit": MAP_DISPLAYS[name].unit,
                    "range": (float(volume.array.min()), float(volume.array.max())),
                }
                for name, volume in volumes
            ],
            "timings_s": timings_s,
        }
    )


def deconvolution_block(found: SeriesMaps, settings: MapSettings) -> Deconvolution:
    """Method, constants, arteries and motion as `Measurements` and every map's header tell them."""
    chosen, used, motion = found.arteries, settings.deconvolution, found.motion
    times, smoothing = found.series.times_s, settings.smoothing
    oscillating = used.method == "osvd"
    manual = settings.aif_position_mm is not None
    return Deconvolution(
        method=used.method,
        threshold=None if oscillating else used.threshold,
        oscillation=used.oscillation if oscillating else None,
        haematocrit_factor=used.haematocrit_factor,
        density_g_per_ml=used.density_g_per_ml,
        frame_interval_s=float(times[1] - times[0]),
        frames=found.series.frames,
        baseline_frames=found.bolus.baseline.stop - found.bolus.baseline.start,
        aif=_input_curve(found, chosen.aif, "manual" if manual else "automatic"),
        vof=_input_curve(found, chosen.vof, "automatic"),
        partial_volume_factor=chosen.partial_volume_factor,
        smoothing_mm=(smoothing.in_plane_mm, smoothing.across_of(found.series.spacing[2])),
        motion=None
        if motion is None or settings.motion is None
        else MotionCorrected(
            largest_mm=motion.largest_mm,
            largest_deg=motion.largest_deg,
            corrected_frames=len(found.repaired.corrected),
            grade=found.repaired.grade,
            interpolated_frames=list(motion.unmended),
        ),
    )


def _input_curve(found: SeriesMaps, vessel: VesselCurve, selection: str) -> InputCurve:
    peak = int(vessel.curve_hu.argmax())
    affine = found.series.affine
    return InputCurve.model_validate(
        {
            "voxels": [tuple(map(int, voxel)) for voxel in found.in_stored_order(vessel.voxels)],
            "positions_ras_mm": [tuple(affine[:3, :3] @ voxel + affine[:3, 3]) for voxel in vessel.voxels],
            "peak_hu": vessel.curve_hu[peak],
            "peak_s": found.series.times_s[peak],
            "selection": selection,
        }
    )


def _input_functions(found: SeriesMaps, settings: MapSettings) -> InputFunctions:
    chosen = found.arteries
    corrected = settings.arteries.partial_volume != "none"
    return InputFunctions(
        times_s=found.series.times_s,
        aif_hu=chosen.aif.curve_hu,
        aif_scaled_hu=chosen.input_hu if corrected else None,
        vof_hu=chosen.vof.curve_hu,
        tissue_hu=found.mean_tissue_hu,
        aif_voxels=found.in_stored_order(chosen.aif.voxels),
        vof_voxels=found.in_stored_order(chosen.vof.voxels),
        baseline=found.bolus.baseline,
        peak_image=found.peak,
    )
