"""What a lower precision changes: Tmax of the brain against float32, and the time that it saves.

``python -m perfusynth.evaluation.precision --patients 2000000:2000008`` on the live model of ``ncct_perfusion``.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, get_args

import numpy as np
import typer

from perfusynth.evaluation.command_line import run
from perfusynth.generators.bundles import Bundle, read_bundle
from perfusynth.generators.devices import choose_device
from perfusynth.generators.execution import ExecutionSettings, Precision
from perfusynth.generators.registry import live_bundle
from perfusynth.generators.turbo.building import trained_network
from perfusynth.generators.turbo.generator import TurboGenerator
from perfusynth.generators.turbo.preparation import prepared
from perfusynth.phantom.drawn import CaseOfSeed, DrawnPatients
from perfusynth.phantom.render import render_on_model_grid

#: The bar: how much the brain's mean Tmax may change, s, and by how much one voxel in a thousand.
MEAN_BAR_S, FEW_BAR_S = 0.02, 0.1
FEW_QUANTILE = 0.999


@dataclass(frozen=True)
class PrecisionError:
    """Tmax of the brain's voxels less the same at float32, s.

    Parameters
    ----------
    mean_s
        Mean difference: how much the brain's mean Tmax changes.
    absolute_s
        Mean absolute difference.
    few_s
        99.9th percentile of the absolute difference.
    """

    mean_s: float
    absolute_s: float
    few_s: float

    @property
    def within_bar(self) -> bool:
        """Whether the precision may be used."""
        return abs(self.mean_s) <= MEAN_BAR_S and self.few_s <= FEW_BAR_S


def precision_error(made: np.ndarray, full: np.ndarray) -> PrecisionError:
    """Compare Tmax of the same voxels, s, made at a precision and in float32."""
    difference = made.astype(np.float64) - full
    size = np.abs(difference)
    return PrecisionError(float(difference.mean()), float(size.mean()), float(np.quantile(size, FEW_QUANTILE)))


def precision_table(bundle: Bundle, seeds: range, case_of: CaseOfSeed, device: str = "auto") -> str:
    """Every precision on the same digital patients: error over all their brain voxels, seconds a head (the median)."""
    place, brains, answers, seconds = choose_device(device), {}, {}, {}
    for precision in get_args(Precision):
        network = trained_network(bundle).to(place)
        execution = prepared(network, place, ExecutionSettings(precision=precision))
        generator = TurboGenerator(network, bundle.spec, place, execution)
        found: list[np.ndarray] = []
        taken = []
        for seed in seeds:
            case = case_of(seed)
            brains[seed] = case.volumes["brain"] > 0
            taken.append(_timed(generator, case.volumes, brains[seed], found))
        answers[precision], seconds[precision] = np.concatenate(found), float(np.median(taken))
    lines = [
        "| precision | seconds a head | mean change, s | mean absolute, s | 99.9th percentile, s | within the bar |",
        "|---|---|---|---|---|---|",
    ]
    for precision, made in answers.items():
        error = precision_error(made, answers["fp32"])
        lines.append(
            f"| {precision} | {seconds[precision]:.2f} | {error.mean_s:+.4f} | {error.absolute_s:.4f} | "
            f"{error.few_s:.4f} | {'yes' if error.within_bar else 'no'} |"
        )
    return "\n".join(lines) + "\n"


def _timed(
    generator: TurboGenerator, volumes: Mapping[str, np.ndarray], brain: np.ndarray, found: list[np.ndarray]
) -> float:
    started = time.perf_counter()
    made = generator.on_model_grid(volumes, brain)
    found.append(made["tmax"][brain])
    return time.perf_counter() - started


def main(
    patients: Annotated[str, typer.Option(help="Digital patients A:B, none that the model is tested on.")],
    model: Annotated[str, typer.Option(help="Task, installed model, or bundle folder.")] = "ncct_perfusion",
    drawn: Annotated[Path | None, typer.Option(help="Folder that keeps digital patients once they are drawn.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
) -> None:
    """Print the table."""
    first, _, end = patients.partition(":")
    bundle = read_bundle(Path(model)) if Path(model).is_dir() else live_bundle(model)
    case_of: CaseOfSeed = DrawnPatients(drawn) if drawn else render_on_model_grid
    typer.echo(precision_table(bundle, range(int(first), int(end)), case_of, device))


if __name__ == "__main__":
    run(main)
