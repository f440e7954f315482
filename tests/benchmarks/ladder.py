"""The sd-turbo size with random weights, rung by rung from the plain way to the fastest, where there is a GPU."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from perfusynth.evaluation.precision import PrecisionError, precision_error
from perfusynth.generators.bundles import GeneratorSpec, read_bundle
from perfusynth.generators.execution import Execution, ExecutionSettings, Precision
from perfusynth.generators.turbo.generator import TurboGenerator
from perfusynth.generators.turbo.network import TurboConfig, TurboNetwork
from perfusynth.generators.turbo.preparation import prepared
from perfusynth.readers.read import read_scan
from perfusynth.volumes.builtin_brain import BuiltinBrain
from perfusynth.volumes.volume import Volume
from tests.benchmarks.figure import Figure
from tests.benchmarks.plan import Plan
from tests.benchmarks.scan import ROOT
from tests.benchmarks.timing import seconds

ROW = "sd-turbo size on a GPU"
TEMPLATE = ROOT / "model_templates" / "ncct_perfusion_sd_turbo"
#: Bound of the rung that shows that memory is bounded, GiB.
BOUND_GIB = 12.0
#: Side of the square matrices whose product shows what the device reaches.
PRODUCT = 8192
#: FLOP/s of dense products by the makers' data sheets (SXM modules), by a part of the device's name.
DATA_SHEET = {
    "H200": {"fp32": 67e12, "tf32": 494.7e12, "bf16": 989.4e12},
    "H100": {"fp32": 67e12, "tf32": 494.7e12, "bf16": 989.4e12},
    "A100": {"fp32": 19.5e12, "tf32": 156e12, "bf16": 312e12},
}
#: Which product's rate a precision is held against: the mixed one spends most of its work in bfloat16.
LIMITED_BY: dict[Precision, Precision] = {"fp32": "fp32", "tf32": "tf32", "mixed": "bf16", "bf16": "bf16"}


@dataclass(frozen=True)
class Rung:
    """One way to run the same network; each leaves the weights so that the next can go on from them."""

    name: str
    precision: Precision
    slabs: int | None = None
    compiled: bool = False
    bound_gib: float | None = None


RUNGS = (
    Rung("slice by slice, fp32", "fp32", slabs=1),
    Rung("batched, fp32", "fp32"),
    Rung("batched, TF32", "tf32"),
    Rung("batched, TF32 before the step and bf16 behind it", "mixed"),
    Rung("batched, bf16", "bf16"),
    Rung(f"batched, bf16, at most {BOUND_GIB:g} GiB", "bf16", bound_gib=BOUND_GIB),
    Rung("batched, bf16, compiled", "bf16", compiled=True),
)


@dataclass(frozen=True)
class Climbed:
    """What a rung took and gave.

    Parameters
    ----------
    rung
        The way.
    seconds
        Median of a head on the model grid to both maps on the CPU's side.
    first_seconds
        The first head (compilation, choice of the batch).
    error
        Tmax of the brain against the batched fp32 rung.
    peak_gib
        Most that torch held of the GPU; None on a CPU.
    slabs, out_of_memory
        Slabs at a time in the end, and how often memory gave out before.
    """

    rung: Rung
    seconds: float
    first_seconds: float
    error: PrecisionError
    peak_gib: float | None
    slabs: int
    out_of_memory: int


def measure(scan_path: Path, plan: Plan) -> list[Figure]:
    """All rungs on one scan, the whole generator on the last, all with random weights."""
    if not torch.cuda.is_available():
        return [Figure(ROW, rung.name, None, "s", 0, note="not run: no GPU here") for rung in RUNGS]
    device = torch.device("cuda")
    spec = read_bundle(TEMPLATE).spec
    network = random_network(spec, device)
    scan = read_scan(scan_path).volume
    inputs = {"ncct": scan, "brain": scan.with_array(BuiltinBrain().extract(scan).mask)}
    head = _on_model_grid(network, spec, inputs, device)
    flops = counted_flops(network, spec, head, device)
    climbed = climb(network, spec, head, device, RUNGS, plan.repeats)
    limits = {precision: product_rate(device, precision) for precision in ("fp32", "tf32", "bf16")}
    figures = [_figure(result, climbed[0], flops, limits, plan.repeats) for result in climbed]
    generator = TurboGenerator(network, spec, device, Execution(device, climbed[-1].rung.precision))
    whole = [seconds(lambda: generator.synthesize(inputs)) for _ in range(plan.repeats + 1)][1:]
    note = "read and masked before; to the model grid, through the last rung, and back"
    return [*figures, Figure(ROW, "scan to both maps", statistics.median(whole), "s", plan.repeats, note=note)]


def random_network(spec: GeneratorSpec, device: torch.device) -> TurboNetwork:
    """A network of the size of the metadata, without a base."""
    torch.manual_seed(0)
    with torch.device(device):
        network = TurboNetwork(TurboConfig.model_validate(spec.network | {"base": None}))
    return network.eval().requires_grad_(False)


def climb(
    network: TurboNetwork,
    spec: GeneratorSpec,
    head: tuple[dict[str, np.ndarray], np.ndarray],
    device: torch.device,
    rungs: Sequence[Rung],
    repeats: int,
) -> list[Climbed]:
    """Run the same head through every rung, in order."""
    answers, results = {}, []
    for rung in rungs:
        settings = ExecutionSettings(precision=rung.precision, compiled=rung.compiled, gpu_memory_gib=rung.bound_gib)
        execution = prepared(network, device, settings)
        execution.batch_slabs = rung.slabs or execution.batch_slabs
        generator = TurboGenerator(network, spec, device, execution)
        if device.type == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(device)
        taken = []
        for _ in range(repeats + 1):
            taken.append(seconds(lambda g=generator, r=rung: answers.__setitem__(r, g.on_model_grid(*head))))
        peak = torch.cuda.max_memory_reserved(device) / 2**30 if device.type == "cuda" else None
        if rung.bound_gib is not None and device.type == "cuda":
            torch.cuda.set_per_process_memory_fraction(1.0, device)
        results.append((rung, statistics.median(taken[1:]), taken[0], peak, execution))
    full = next(rung for rung in rungs if rung.precision == "fp32" and rung.slabs is None)
    brain = head[1]
    return [
        Climbed(
            rung,
            typical,
            first,
            precision_error(answers[rung]["tmax"][brain], answers[full]["tmax"][brain]),
            peak,
            execution.batch_slabs,
            execution.times_out_of_memory,
        )
        for rung, typical, first, peak, execution in results
    ]


def counted_flops(
    network: TurboNetwork, spec: GeneratorSpec, head: tuple[dict[str, np.ndarray], np.ndarray], device: torch.device
) -> int:
    """Floating-point operations of one head (a multiplication and an addition are two), counted by torch."""
    with FlopCounterMode(display=False) as counter:
        TurboGenerator(network, spec, device, Execution(device)).on_model_grid(*head)
    return int(counter.get_total_flops())


def product_rate(device: torch.device, precision: Precision, side: int = PRODUCT) -> float:
    """FLOP/s that one large square matrix product reaches here."""
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    one, other = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))

    def product() -> None:
        one @ other
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    with Execution(device, precision).numerics():
        taken = [seconds(product) for _ in range(6)][1:]
    return 2 * side**3 / statistics.median(taken)


def _on_model_grid(
    network: TurboNetwork, spec: GeneratorSpec, inputs: dict[str, Volume], device: torch.device
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """What the generator hands to its passes for a scan."""
    seen: list[tuple[dict[str, np.ndarray], np.ndarray]] = []

    class Listening(TurboGenerator):
        def on_model_grid(self, volumes, brain, on_progress=lambda *_: None):
            seen.append((dict(volumes), brain))
            empty = np.zeros(brain.shape, np.float32)
            return {output.name: empty for output in self.spec.outputs}

    Listening(network, spec, device).synthesize(inputs)
    return seen[0]


def _figure(result: Climbed, plain: Climbed, flops: int, limits: dict[str, float], repeats: int) -> Figure:
    limit = LIMITED_BY[result.rung.precision]
    rate, name = flops / result.seconds, torch.cuda.get_device_name()
    shares = [f"{rate / limits[limit]:.0%} of a large product's rate here ({limits[limit] / 1e12:.0f} TFLOP/s)"]
    shares += [f"{rate / rates[limit]:.0%} of the data sheet's" for part, rates in DATA_SHEET.items() if part in name]
    error = result.error
    notes = [
        f"{rate / 1e12:.1f} TFLOP/s: {', '.join(shares)}",
        f"Tmax {error.mean_s:+.4f} s on average, {error.few_s:.4f} s in 1 of 1000 voxels (random weights)",
        f"{result.peak_gib:.1f} GiB, {result.slabs} slabs at a time, out of memory {result.out_of_memory} times",
        f"first head {result.first_seconds:.1f} s",
    ]
    against = ("", None) if result is plain else (plain.rung.name, plain.seconds)
    return Figure(ROW, result.rung.name, result.seconds, "s", repeats, *against, "; ".join(notes))
