"""Pictures of distributions: what was found as a histogram, beside what was published."""

from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, NullFormatter

from perfusynth.evaluation.realism.distributions import DISTRIBUTIONS, Distribution, Group
from perfusynth.evaluation.realism.rows import Patient

#: Colours that all kinds of colour vision tell apart (Okabe and Ito): found, published middle, published spread.
FOUND, MIDDLE, SPREAD = "#0072B2", "#D55E00", "#E69F00"
BINS, COLUMNS, PANEL_INCHES, DPI = 24, 3, (3.1, 2.35), 160


def _panel(axes: Axes, distribution: Distribution, patients: Sequence[Patient]) -> None:
    low, high = distribution.axis
    values = distribution.values(patients)
    # What lies beyond an end is counted in the last bin there, so that nobody is hidden.
    values = np.clip(values, low, high)
    edges = np.geomspace(low, high, BINS + 1) if distribution.logarithmic else np.linspace(low, high, BINS + 1)
    if distribution.spread:
        axes.axvspan(*np.clip(distribution.spread, low, high), color=SPREAD, alpha=0.35, linewidth=0)
    axes.hist(values, bins=edges.tolist(), color=FOUND, alpha=0.85)
    if distribution.middle is not None:
        axes.axvline(distribution.middle, color=MIDDLE, linewidth=2)
    if len(values):
        axes.axvline(float(np.median(values)), color="black", linewidth=1.4, linestyle="--")
    if distribution.logarithmic:
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlim(low, high)
    axes.set_title(f"{distribution.title} (n = {len(values)})", fontsize=8.5)
    axes.set_xlabel(distribution.unit or "ratio", fontsize=8)
    axes.tick_params(labelsize=7.5)
    axes.spines[["top", "right"]].set_visible(False)


def draw_group(group: Group, patients: Sequence[Patient], path: Path) -> None:
    """One picture with a panel for each distribution of a group; the first panel of each row names the axis."""
    members = [d for d in DISTRIBUTIONS if d.group == group]
    rows = -(-len(members) // COLUMNS)
    size = (COLUMNS * PANEL_INCHES[0], rows * PANEL_INCHES[1] + 0.5)
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(rows, COLUMNS, squeeze=False)
    for axes, distribution in zip(grid.flat, members, strict=False):
        _panel(axes, distribution, patients)
    for axes in grid[:, 0]:
        axes.set_ylabel("patients", fontsize=8)
    for axes in list(grid.flat)[len(members) :]:
        axes.set_axis_off()
    keys = [
        Patch(color=FOUND, alpha=0.85, label="found"),
        Line2D([], [], color="black", linestyle="--", linewidth=1.4, label="found, median"),
        Line2D([], [], color=MIDDLE, linewidth=2, label="published middle"),
        Patch(color=SPREAD, alpha=0.35, label="published spread"),
    ]
    figure.legend(handles=keys, loc="outside lower center", ncols=len(keys), fontsize=8, frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=DPI, metadata={"Software": None})


def draw_all(patients: Sequence[Patient], folder: Path) -> list[Path]:
    """``phantom_<group>.png`` for each group; returns the paths."""
    paths = {group: folder / f"phantom_{group}.png" for group in get_args(Group)}
    for group, path in paths.items():
        draw_group(group, patients, path)
    return list(paths.values())
