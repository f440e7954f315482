"""How good the moving average is on patients that it was not trained on, measured now and then while it trains."""

from collections.abc import Mapping

import numpy as np
import torch
from monai.metrics import compute_dice
from torch import nn

from perfusynth.errors import InputError
from perfusynth.generators.bundles import GeneratorSpec
from perfusynth.training.head_tensors import DEFICIT_TMAX_S
from perfusynth.training.heads import Head, HeadSource
from perfusynth.training.task import Predict, TrainingTask

#: Figures of the region Tmax > 6 s.
REGION_FIGURES = ("dice_tmax6", "volume_error_ml", "volume_bias_ml")
#: Figures of which more is better; of all others less is.
MORE_IS_BETTER = frozenset({"dice_tmax6"})
#: Where a probability alone is made: from which ones on a region could begin [d].
REGION_PROBABILITIES = tuple(round(0.1 + 0.05 * k, 2) for k in range(15))


def figure_names(spec: GeneratorSpec) -> list[str]:
    """The figures that `tuning_figures` gives for a generator."""
    maps = [output.name for output in spec.maps]
    region = REGION_FIGURES if "tmax" in spec.measured else ()
    return [*(f"mae_{name}" for name in maps), *region]


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
    task: TrainingTask,
    network: nn.Module,
    heads: HeadSource,
    count: int,
    device: torch.device,
    predict: Predict | None = None,
) -> dict[str, float]:
    """Means over the first ``count`` tuning patients, of what ``predict`` (the task's own where None) makes of them.

    ``mae_<map>``: mean absolute error over the brain where there is a measurement, in the map's unit; of Tmax > 6 s:
    ``dice_tmax6`` over the patients who have such a region (NaN when none has), ``volume_error_ml`` (absolute) and
    ``volume_bias_ml`` (made less measured), mL. Of a generator that makes no Tmax they are those at the best of
    `REGION_PROBABILITIES`, which is told as ``region_above``.
    """
    network.eval()
    maps: list[dict[str, float]] = []
    regions: list[list[dict[str, float]]] = []
    with torch.inference_mode():
        for index in range(min(count, len(heads.names))):
            head = heads(index)
            made = (predict or task.predict)(network, head, device)
            maps.append(_errors_of(task.spec, head, made))
            regions.append(_regions_of(task.spec, head, made))
    figures = _means(maps)
    if not regions[0]:
        return figures
    by_cut = [_means(list(rows)) for rows in zip(*regions, strict=True)]
    if len(by_cut) == 1:
        return figures | by_cut[0]
    best = max(range(len(by_cut)), key=lambda k: np.nan_to_num(by_cut[k]["dice_tmax6"]))
    return figures | by_cut[best] | {"region_above": REGION_PROBABILITIES[best]}


def _errors_of(spec: GeneratorSpec, head: Head, made: Mapping[str, np.ndarray]) -> dict[str, float]:
    counted = head.brain & head.valid
    return {
        f"mae_{output.name}": float(np.abs(made[output.name] - head.volumes[output.name])[counted].mean())
        for output in spec.maps
    }


def _regions_of(spec: GeneratorSpec, head: Head, made: Mapping[str, np.ndarray]) -> list[dict[str, float]]:
    """`REGION_FIGURES` of a patient by where the region begins: one row where Tmax says it, none without a region."""
    if "tmax" not in spec.measured:
        return []
    counted = head.brain & head.valid
    there = torch.from_numpy((head.volumes["tmax"] > DEFICIT_TMAX_S) & counted)
    if "tmax" in made:
        regions = [made["tmax"] > DEFICIT_TMAX_S]
    else:
        assert spec.probability is not None  # else nobody asked for Tmax
        regions = [made[spec.probability.name] >= cut for cut in REGION_PROBABILITIES]
    voxel_ml = spec.grid.spacing_mm**2 * spec.grid.slab_mm / 1000
    rows = []
    for region in regions:
        here = torch.from_numpy(region & counted)
        dice = float(compute_dice(here[None, None], there[None, None]))  # NaN without a region
        difference = float(here.sum() - there.sum()) * voxel_ml
        rows.append(dict(zip(REGION_FIGURES, (dice, abs(difference), difference), strict=True)))
    return rows


def _means(rows: list[dict[str, float]]) -> dict[str, float]:
    """Mean of each figure over the rows in which it is known, NaN where it is in none."""
    return {name: _mean([row[name] for row in rows]) for name in rows[0]}


def _mean(values: list[float]) -> float:
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else float("nan")
