"""A picture of patients: true hypoperfusion, and Tmax as measured with and without motion correction."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from perfusynth.evaluation.ctp_agreement.table import MOTION, Patient

#: The measured columns: the way, and its heading.
WAYS = {"corrected": "measured", "uncorrected": "motion not corrected"}
#: Tmax shown, s, HU window of the CT, and margin around the brain, mm.
TMAX_RANGE_S, WINDOW_HU, MARGIN_MM = (0.0, 12.0), (0.0, 80.0), 14.0
#: The true region (Okabe and Ito's vermilion), and the picture's size.
REGION_COLOUR = "#D55E00"
DPI, PANEL_INCHES = 130, 2.3


def examples(patients: Sequence[Patient]) -> list[Patient]:
    """One patient of each grade of motion: of those that were not refused, the one whose Dice is the median (lower)."""
    chosen = []
    for grade in MOTION:
        members = [p for p in patients if p["motion"] == grade and p["corrected"].get("dice") is not None]
        members.sort(key=lambda p: p["corrected"]["dice"])
        if members:
            chosen.append(members[(len(members) - 1) // 2])
    return chosen


def _shown(image: np.ndarray, box: tuple[slice, slice]) -> np.ndarray:
    """As rows and columns of a screen: anterior up, the patient's left (low x) on the right."""
    return image[box][::-1, ::-1].T


def _background(axes: Axes, kept: dict[str, np.ndarray], box: tuple[slice, slice]) -> None:
    x, y = kept["spacing_mm"]
    axes.imshow(_shown(kept["head"], box), cmap="gray", vmin=WINDOW_HU[0], vmax=WINDOW_HU[1], aspect=y / x)
    axes.set_axis_off()


def _region_panel(axes: Axes, kept: dict[str, np.ndarray], box: tuple[slice, slice]) -> None:
    _background(axes, kept, box)
    axes.contourf(_shown(kept["deficit"], box), levels=[0.5, 1.5], colors=[REGION_COLOUR], alpha=0.7)


def _tmax_panel(axes: Axes, kept: dict[str, np.ndarray], way: str, box: tuple[slice, slice]) -> AxesImage:
    _background(axes, kept, box)
    x, y = kept["spacing_mm"]
    low, high = TMAX_RANGE_S
    values = np.ma.masked_invalid(_shown(kept[way], box))
    drawn = axes.imshow(values, cmap="jet", vmin=low, vmax=high, aspect=y / x)
    axes.contour(_shown(kept["deficit"], box), levels=[0.5], colors="white", linewidths=0.8)
    return drawn


def draw(patients: Sequence[Patient], slices: Path, path: Path) -> None:
    """Draw the `examples` among ``patients`` from the slices that were kept, a row each, as PNG."""
    chosen = examples(patients)
    size = ((1 + len(WAYS)) * PANEL_INCHES + 1.0, len(chosen) * PANEL_INCHES * 1.15 + 0.4)
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(len(chosen), 1 + len(WAYS), squeeze=False)
    drawn: AxesImage | None = None
    for row, patient in zip(grid, chosen, strict=True):
        with np.load(slices / f"{patient['seed']}.npz") as file:
            kept = dict(file)
        at = np.argwhere(np.isfinite(kept["corrected"]) | kept["deficit"])
        margin = np.ceil(MARGIN_MM / kept["spacing_mm"]).astype(int)
        low = np.maximum(at.min(axis=0) - margin, 0)
        high = at.max(axis=0) + margin + 1
        box = slice(int(low[0]), int(high[0])), slice(int(low[1]), int(high[1]))
        _region_panel(row[0], kept, box)
        row[0].set_title(f"true Tmax > 6 s\nmotion {patient['motion']}, {patient['protocol']}", fontsize=7.5)
        for axes, (way, title) in zip(row[1:], WAYS.items(), strict=True):
            drawn = _tmax_panel(axes, kept, way, box)
            dice = patient[way].get("dice")
            axes.set_title(f"{title}\n{'refused' if dice is None else f'Dice {dice:.2f}'}", fontsize=7.5)
    if drawn is not None:
        bar = figure.colorbar(drawn, ax=grid, shrink=0.5, pad=0.02)
        bar.set_label("Tmax, s (white line: true region)", fontsize=8)
        bar.ax.tick_params(labelsize=7)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=DPI, metadata={"Software": None})
