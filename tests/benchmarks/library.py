"""Every stage of the library by itself, without a server, and the whole pipeline."""

import statistics
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np

from perfusynth.perfusion.measurements import Measurements
from perfusynth.perfusion.regions import measure_regions
from perfusynth.readers.read import read_scan
from perfusynth.report import write_report
from perfusynth.synthesis.pipeline import Pipeline
from perfusynth.volumes.head_check import check_anatomy, check_image
from perfusynth.volumes.midplane import find_midplane
from perfusynth.volumes.nifti import read_nifti
from tests.benchmarks.figure import Figure
from tests.benchmarks.plan import Plan
from tests.benchmarks.timing import medians, seconds

ROW = "library, no server"


def measure(scan_path: Path, folder: Path, plan: Plan) -> list[Figure]:
    """Seconds of each stage on the CPU.

    Parameters
    ----------
    scan_path
        The scan.
    folder
        Empty; files are left in it.
    plan
        Repetitions.
    """
    pipeline = Pipeline.load("ncct_perfusion", device="cpu")
    pipeline.warm_up()
    result, drawn = folder / "result", folder / "report"
    result.mkdir()
    whole = [seconds(lambda: pipeline.run({"ncct": scan_path}, result)) for _ in range(plan.repeats)]
    measurements = Measurements.read_json(result / "measurements.json")
    maps = {name: read_nifti(result / f"{name}.nii.gz") for name in ("tmax", "cbf")}
    scan = read_scan(scan_path)
    brain = pipeline.extractor.extract(scan.volume)
    inputs = {"ncct": scan.volume, "brain": scan.volume.with_array(brain.mask)}
    midplane = find_midplane(scan.volume, brain)
    regions = measure_regions(maps["tmax"], maps["cbf"], brain.mask, midplane)

    calls: dict[str, Callable[[], object]] = {
        "read": lambda: read_scan(scan_path),
        "nibabel": lambda: np.ascontiguousarray(nib.load(scan_path).get_fdata(dtype=np.float32)),  # type: ignore[attr-defined]
        "check the image": lambda: check_image(scan.volume, scan.acquisition),
        "mask": lambda: pipeline.extractor.extract(scan.volume),
        "midplane": lambda: find_midplane(scan.volume, brain),
        "check the anatomy": lambda: check_anatomy(scan.volume, brain, midplane=midplane),
        "generate": lambda: pipeline.generator.synthesize(inputs),
        "measure": lambda: measure_regions(maps["tmax"], maps["cbf"], brain.mask, midplane),
        "report": lambda: write_report(drawn, scan.volume, maps, brain.mask, regions, measurements),
    }
    taken = medians(calls, plan.repeats)
    others = {"read": ("nibabel, float32", taken.pop("nibabel"))}
    taken["whole pipeline"] = statistics.median(whole)
    return [Figure(ROW, name, value, "s", plan.repeats, *others.get(name, ("", None))) for name, value in taken.items()]
