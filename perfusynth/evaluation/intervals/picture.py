"""A picture of intervals: bands over the test patients, and the coverage by predicted volume."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from perfusynth import atomic
from perfusynth.evaluation.intervals.calibration import pairs_of_rows
from perfusynth.evaluation.intervals.coverage import ROW_KEYS
from perfusynth.perfusion.volume_intervals import CORE, IntervalTable

#: Points of a band along the predicted volume.
POINTS = 800


def draw_coverage(
    path: Path, rows: Sequence[Mapping[str, Any]], table: IntervalTable, figures: Mapping[str, Any]
) -> None:
    """Write the picture (PNG): above each threshold's patients and band, below the coverage of each group.

    Parameters
    ----------
    rows
        Of the test patients.
    figures
        As `coverage_figures` of the same rows.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    keys = [key for key in ROW_KEYS if key in figures and figures[key]["all"]["n"]]
    figure = Figure(figsize=(3.6 * len(keys), 6.4), dpi=110, layout="constrained")
    grid = figure.add_gridspec(2, len(keys), height_ratios=(3, 2))
    for column, key in enumerate(keys):
        _band(figure.add_subplot(grid[0, column]), rows, table, key, figures[key]["all"])
        _groups(figure.add_subplot(grid[1, column]), table, figures[key]["predicted_ml"])
    canvas = FigureCanvasAgg(figure)
    with atomic.replacing(path) as file:
        canvas.print_png(file)


def _band(axes: Any, rows: Sequence[Mapping[str, Any]], table: IntervalTable, key: str, whole: Mapping) -> None:
    predicted, own = pairs_of_rows(rows, {key: ROW_KEYS[key]})[key]
    # On a square-root scale zero and the large volumes are both to be seen.
    along = np.linspace(0, np.sqrt(max(predicted.max(initial=1), 1)), POINTS) ** 2
    low, high = table.ends_ml(key, along)
    ends = table.ends_ml(key, predicted)
    missed = (own < ends[0]) | (own > ends[1])
    axes.fill_between(np.sqrt(along), np.sqrt(low), np.sqrt(high), color="tab:blue", alpha=0.25, lw=0)
    axes.plot(np.sqrt(predicted[~missed]), np.sqrt(own[~missed]), ".", ms=2, color="0.35")
    axes.plot(np.sqrt(predicted[missed]), np.sqrt(own[missed]), ".", ms=3, color="tab:red")
    end = np.sqrt(max(own.max(initial=1), predicted.max(initial=1)))
    axes.plot([0, end], [0, end], "k:", lw=0.6)
    ticks = np.array([0, 10, 50, 100, 200, 400])
    ticks = ticks[np.sqrt(ticks) <= end]
    axes.set_xticks(np.sqrt(ticks), [str(tick) for tick in ticks])
    axes.set_yticks(np.sqrt(ticks), [str(tick) for tick in ticks])
    name = "Core" if key == CORE else f"Tmax > {key} s"
    axes.set_title(
        f"{name}: {whole['coverage']:.1%} of {whole['n']} ({whole['low']:.1%} to {whole['high']:.1%})\n"
        f"mean width {whole['width_ml']:.0f} mL",
        fontsize=8,
    )
    axes.set_xlabel("predicted, mL", fontsize=8)
    axes.set_ylabel("own, mL", fontsize=8)
    axes.tick_params(labelsize=7)


def _groups(axes: Any, table: IntervalTable, groups: Mapping[str, Mapping[str, Any]]) -> None:
    known = {name: group for name, group in groups.items() if group["n"]}
    at = np.arange(len(known))
    share, low, high = (np.array([group[name] for group in known.values()]) for name in ("coverage", "low", "high"))
    axes.errorbar(at, share, yerr=[share - low, high - share], fmt="o", ms=3, lw=1, capsize=2)
    axes.axhline(table.level, color="k", lw=0.6, ls=":")
    axes.set_xticks(at, list(known), rotation=60, ha="right", fontsize=6)
    axes.set_ylim(min(0.7, low.min(initial=1) - 0.02), 1.01)
    axes.set_ylabel("coverage (95 %)", fontsize=8)
    axes.set_xlabel("predicted, mL", fontsize=8)
    axes.tick_params(axis="y", labelsize=7)
