"""What a carrier does to one patient's maps, and the table over patients."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from perfusynth.evaluation.map_round_trip.carriers import Carrier
from perfusynth.generators.bundles import GeneratorSpec
from perfusynth.generators.head_images import from_units, rectangle_around, to_units
from perfusynth.perfusion.regions import RegionSettings
from perfusynth.phantom.render import RenderedCase

#: Tmax above which tissue counts as hypoperfused, s.
DEFICIT_TMAX_S = RegionSettings().hypoperfusion_s
#: One voxel in a thousand is off by more than this quantile.
FEW_QUANTILE = 0.999


def figures_of(seed: int, case: RenderedCase, carrier: Carrier, spec: GeneratorSpec) -> dict[str, Any]:
    """Errors of the brain's voxels, s and mL/100 g/min, and the volume of Tmax > 6 s, mL, before and after.

    Volumes are plain counts of voxels, without the clean-up of a measurement: they are of the maps alone.
    """
    brain = case.volumes["brain"] > 0
    columns, rows = rectangle_around(brain, 1)
    inside = brain[columns, rows]
    true = {output.name: case.volumes[output.name][columns, rows] for output in spec.maps}
    carried = carrier(torch.from_numpy(from_units(np.stack(list(true.values())), spec)))
    made = dict(zip(true, to_units(carried.numpy(), spec), strict=True))
    error = {name: np.abs(made[name] - _within(true[name], name, spec))[inside] for name in true}
    there, here = ((maps["tmax"] > DEFICIT_TMAX_S) & inside for maps in (true, made))
    voxel_ml = float(abs(np.linalg.det(case.affine[:3, :3]))) / 1000
    ill = true["tmax"][inside] > DEFICIT_TMAX_S
    return {
        "seed": seed,
        "tmax_mae_s": float(error["tmax"].mean()),
        "tmax_few_s": float(np.quantile(error["tmax"], FEW_QUANTILE)),
        "tmax_deficit_mae_s": float(error["tmax"][ill].mean()) if ill.any() else None,
        "cbf_mae": float(error["cbf"].mean()),
        "true_ml": float(np.count_nonzero(there)) * voxel_ml,
        "made_ml": float(np.count_nonzero(here)) * voxel_ml,
        "dice": 2 * np.count_nonzero(there & here) / (there.sum() + here.sum()) if there.any() else None,
    }


def _within(values: np.ndarray, name: str, spec: GeneratorSpec) -> np.ndarray:
    """What of a map the network's scale holds: values beyond its range are not the carrier's fault."""
    return np.clip(values, *next(output.range for output in spec.maps if output.name == name))


def table(rows_by_carrier: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """One line a carrier: means over patients (Dice and deficit over those with a deficit)."""
    lines = [
        "| carried by | patients | Tmax MAE, s | in the deficit, s | 1 of 1000 voxels, s | CBF MAE, mL/100 g/min | "
        "Tmax > 6 s: bias, mL | mean absolute, mL | Dice |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, rows in rows_by_carrier.items():
        change = np.array([row["made_ml"] - row["true_ml"] for row in rows])
        cells = [
            f"{_mean(rows, 'tmax_mae_s'):.4f}",
            f"{_mean(rows, 'tmax_deficit_mae_s'):.4f}",
            f"{_mean(rows, 'tmax_few_s'):.3f}",
            f"{_mean(rows, 'cbf_mae'):.3f}",
            f"{change.mean():+.2f}",
            f"{np.abs(change).mean():.2f}",
            f"{_mean(rows, 'dice'):.4f}",
        ]
        lines.append(f"| {name} | {len(rows)} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _mean(rows: Sequence[Mapping[str, Any]], name: str) -> float:
    known = [row[name] for row in rows if row[name] is not None]
    return float(np.mean(known)) if known else float("nan")
