"""A region task's result: the hypoperfusion as a label map in the place of the maps that it was taken from."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter

from perfusynth.perfusion.measurements import Measurements
from perfusynth.perfusion.notices import short_notice
from perfusynth.perfusion.regions import RegionSettings, measure_regions
from perfusynth.server.region_task import REGION_FILE, REGION_VALUE
from perfusynth.synthesis.package import zip_result
from perfusynth.volumes.nifti import read_nifti, write_nifti


def zip_region(folder: Path, target: Path) -> Path:
    """Pack the hypoperfusion of a finished synthesis into ``target``; its maps go out of ``folder``.

    The region is measured again on the maps as they were written, with the settings of the result: it is the one whose
    volume ``measurements.json`` tells.
    """
    written = folder / "measurements.json"
    measurements = Measurements.read_json(written)
    settings = TypeAdapter(RegionSettings).validate_python(measurements.settings)
    tmax, brain = read_nifti(folder / "tmax.nii.gz"), read_nifti(folder / "brain.nii.gz")
    # The other thresholds, the core and its reference do not change this region.
    only = replace(
        settings,
        tmax_thresholds_s=(settings.hypoperfusion_s,),
        severe_s=settings.hypoperfusion_s,
        core_reference="normal_tissue",
    )
    region = measure_regions(tmax, None, brain.array > 0, None, only).hypoperfusion
    write_nifti(
        folder / REGION_FILE,
        tmax.with_array(region * REGION_VALUE),
        dtype=np.uint8,
        description=short_notice(measurements.notices),
    )
    for made in measurements.maps:
        (folder / made.file).unlink()
    measurements.model_copy(update={"maps": []}).write_json(written)
    return zip_result(folder, target)
