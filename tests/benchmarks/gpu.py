"""The generator on a GPU against the same machine's CPU, where there is a GPU."""

from pathlib import Path

import torch

from perfusynth.readers.read import read_scan
from perfusynth.synthesis.pipeline import Pipeline
from perfusynth.volumes.builtin_brain import BuiltinBrain
from tests.benchmarks.figure import Figure
from tests.benchmarks.plan import Plan
from tests.benchmarks.timing import medians

ROW = "generator on a GPU"


def measure(scan_path: Path, plan: Plan) -> list[Figure]:
    """A scan's maps (resampling included; they end in the machine's memory, so that the GPU has finished)."""
    if not torch.cuda.is_available():
        return [Figure(ROW, "scan to maps", None, "s", 0, note="no GPU here")]
    scan = read_scan(scan_path).volume
    inputs = {"ncct": scan, "brain": scan.with_array(BuiltinBrain().extract(scan).mask)}
    generators = {device: Pipeline.load("ncct_perfusion", device=device).generator for device in ("cuda", "cpu")}
    for generator in generators.values():
        generator.synthesize(inputs)
    calls = {device: (lambda g=g: g.synthesize(inputs)) for device, g in generators.items()}  # type: ignore[misc]
    taken = medians(calls, plan.repeats)
    name = torch.cuda.get_device_name()
    return [Figure(ROW, "scan to maps", taken["cuda"], "s", plan.repeats, "the CPU", taken["cpu"], name)]
