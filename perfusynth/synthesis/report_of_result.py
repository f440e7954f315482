"""The report of a result that lies on disk: what the command line and the demo write after a synthesis."""

from pathlib import Path
from typing import Any

import numpy as np

from perfusynth.perfusion.measurements import Measurements
from perfusynth.perfusion.regions import RegionSettings, measure_regions
from perfusynth.readers.read import read_scan
from perfusynth.report import write_report
from perfusynth.volumes.brain import Midplane
from perfusynth.volumes.nifti import read_nifti


def report_of_result(folder: Path, source: Path) -> None:
    """Write ``report.html`` and ``report.png`` into a result's folder.

    Parameters
    ----------
    folder
        Holds the result's files.
    source
        The scan that it was made from; read only when the result does not bring a resampled NCCT of its own.
    """
    measurements = Measurements.read_json(folder / "measurements.json")
    maps = {entry.name: read_nifti(folder / entry.file) for entry in measurements.maps}
    brain = read_nifti(folder / "brain.nii.gz").array > 0
    resampled = folder / "ncct.nii.gz"
    ncct = read_nifti(resampled) if resampled.exists() else read_scan(source).volume
    plane, settings = measurements.midplane, measurements.settings
    if plane is None or settings is None:
        raise ValueError("the result has no midplane or settings; expected them of every synthesis")
    midplane = Midplane(np.array(plane.point), np.array(plane.normal))
    regions = measure_regions(maps["tmax"], maps["cbf"], brain, midplane, _region_settings(settings))
    write_report(folder, ncct, maps, brain, regions, measurements)


def _region_settings(values: dict[str, Any]) -> RegionSettings:
    fields: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in values.items()}
    return RegionSettings(**fields)
