"""How good the moving average is on patients that it was not trained on, measured now and then while it trains."""

from collections.abc import Mapping

import numpy as np
import torch
from monai.metrics import compute_dice
from torch import nn

from perfusynth.errors import InputError
from perfusynth.generators.bundles import GeneratorSpec
from perfusynth.perfusion.regions import RegionSettings
from perfusynth.training.heads import Head, HeadSource
from perfusynth.training.task import TrainingTask

#: Tmax above which tissue counts as hypoperfused, s: the one that the regions are measured with.
DEFICIT_TMAX_S = RegionSettings().hypoperfusion_s
#: Figures of which more is better; of all others less is.
MORE_IS_BETTER = frozenset({"dice_tmax6"})


def figure_names(spec: GeneratorSpec) -> list[str]:
    """The figures that `tuning_figures` gives for a generator."""
    maps = [output.name for output in spec.maps]
    deficit = ["dice_tmax6", "volume_error_ml", "volume_bias_ml"] if "tmax" in maps else []
    return [f"mae_{name}" for name in maps] + deficit


def check_figure(spec: GeneratorSpec, name: str) -> None:
    """Refuse to choose the best weights by a figure that there is none of.

    Raises
    ------
    InputError
        Code ``unknown_figure``.
    """
    if name not in figure_names(spec):
        raise InputError(
            "There is no tuning figure of this name.",
            expected=f"one of {', '.join(figure_names(spec))}",
            got=repr(name[:64]),
            hint="Set tuning.best_by.",
            code="unknown_figure",
        )


def is_better(name: str, value: float, best: float | None) -> bool:
    """Whether a value of a figure is better than the best so far."""
    if best is None or np.isnan(best):
        return not np.isnan(value)
    return value > best if name in MORE_IS_BETTER else value < best


def tuning_figures(
    task: TrainingTask, network: nn.Module, heads: HeadSource, count: int, device: torch.device
) -> dict[str, float]:
    """Means over the first ``count`` tuning patients.

    ``mae_<map>``: mean absolute error over the brain where there is a measurement, in the map's unit; of Tmax > 6 s:
    ``dice_tmax6`` over the patients who have such a region (NaN when none has), ``volume_error_ml`` (absolute) and
    ``volume_bias_ml`` (made less measured), mL.
    """
    network.eval()
    rows = []
    with torch.inference_mode():
        for index in range(min(count, len(heads.names))):
            head = heads(index)
            rows.append(_of_one(task.spec, head, task.predict(network, head, device)))
    return {name: _mean([row[name] for row in rows]) for name in figure_names(task.spec)}


def _of_one(spec: GeneratorSpec, head: Head, made: Mapping[str, np.ndarray]) -> dict[str, float]:
    counted = head.brain & head.valid
    row = {
        f"mae_{output.name}": float(np.abs(made[output.name] - head.volumes[output.name])[counted].mean())
        for output in spec.maps
    }
    if "tmax" not in head.volumes or "tmax" not in made:
        return row
    there, here = ((tmax > DEFICIT_TMAX_S) & counted for tmax in (head.volumes["tmax"], made["tmax"]))
    voxel_ml = spec.grid.spacing_mm**2 * spec.grid.slab_mm / 1000
    difference = (int(here.sum()) - int(there.sum())) * voxel_ml
    dice = compute_dice(torch.from_numpy(here)[None, None], torch.from_numpy(there)[None, None])  # NaN without a region
    return row | {"dice_tmax6": float(dice), "volume_error_ml": abs(difference), "volume_bias_ml": difference}


def _mean(values: list[float]) -> float:
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else float("nan")
