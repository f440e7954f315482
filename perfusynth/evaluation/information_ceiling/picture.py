"""A picture of the ceiling: some patients' probability maps with the optimal set and their own region; curves."""

from pathlib import Path

import numpy as np

from perfusynth.evaluation.information_ceiling.ceiling import Posterior
from perfusynth.evaluation.information_ceiling.run import Result
from perfusynth.evaluation.information_ceiling.visible import brain_voxels
from perfusynth.phantom.head.atlas import atlas
from perfusynth.phantom.lattice import BRAIN, BRAIN_COARSE, upsample

#: Patients shown, with a sign and without; heights of the slices, MNI mm.
SHOWN, SLICES_Z = 4, (0.0, 16.0, 32.0)


def _on_lattice(values: np.ndarray) -> np.ndarray:
    volume = np.zeros(BRAIN_COARSE.shape, dtype=np.float32)
    volume[brain_voxels().inside] = values
    return volume


def _chosen(posteriors: list[Posterior]) -> list[int]:
    """Patients at even ranks of Dice among those with a sign, then among those without."""
    found = []
    for sign in (True, False):
        which = [i for i, p in enumerate(posteriors) if p.figures.ill and p.figures.sign == sign]
        which.sort(key=lambda i: posteriors[i].figures.dice or 0.0)
        ranks = np.linspace(0, len(which) - 1, min(SHOWN, len(which)) + 2)[1:-1]
        found += [which[round(rank)] for rank in ranks]
    return found


def draw_picture(path: Path, result: Result) -> None:
    """Write the picture; slices lie as radiologists see them, the patient's left on the right of the screen."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    chosen = _chosen(result.posteriors)
    size = (1.6 * len(SLICES_Z) + 5.0, 1.9 * max(len(chosen), 3) + 0.6)
    figure = Figure(figsize=size, dpi=110, layout="constrained")
    grid = figure.add_gridspec(max(len(chosen), 3), len(SLICES_Z) + 3)
    grey = upsample(atlas().grey, BRAIN, BRAIN_COARSE)
    shown = None
    for row, number in enumerate(chosen):
        posterior = result.posteriors[number]
        own = _on_lattice(result.patients.truth.masks(np.array([number]))[0])
        probability, marked = _on_lattice(posterior.probability), _on_lattice(posterior.marked)
        for column, z in enumerate(SLICES_Z):
            axes = figure.add_subplot(grid[row, column])
            at = round((z - BRAIN_COARSE.start[2]) / BRAIN_COARSE.step_mm)
            back, front, mark, truth = (v[::-1, :, at].T for v in (grey, probability, marked, own))
            axes.imshow(back, origin="lower", cmap="gray", vmin=0, vmax=1.6)
            alpha = np.clip(front * 2, 0, 0.85)
            shown = axes.imshow(front, origin="lower", cmap="inferno", vmin=0, vmax=1, alpha=alpha)
            for values, colour in ((truth, "cyan"), (mark, "lime")):
                if values.any():
                    axes.contour(values, levels=[0.5], colors=colour, linewidths=1)
            axes.set_axis_off()
            if column == 0:
                f = posterior.figures
                seen = " + ".join(name for name, is_seen in (("clot", f.sign_clot), ("core", f.sign_core)) if is_seen)
                axes.set_title(
                    f"{f.seed} {f.site} {f.side}, sign: {seen or 'none'}, Dice {f.dice:.2f}", fontsize=7, loc="left"
                )
    if shown is not None:
        bar = figure.colorbar(shown, ax=figure.axes, location="bottom", fraction=0.015, pad=0.005)
        bar.set_label("probability of Tmax > 6 s; green: Dice-optimal set, cyan: the patient's own", fontsize=7)
    _curves(figure, grid, len(SLICES_Z), result)
    path.parent.mkdir(parents=True, exist_ok=True)
    FigureCanvasAgg(figure).print_png(path)


def _curves(figure, grid, first: int, result: Result) -> None:
    rows = [p.figures for p in result.posteriors]
    ill = [row for row in rows if row.ill]
    axes = figure.add_subplot(grid[0, first + 1 :])
    for name, kind in (("dice", "ceiling U"), ("dice_prior", "prior"), ("dice_told", "site and side told")):
        values = np.sort([getattr(row, name) for row in ill])
        axes.plot(values, np.linspace(0, 1, len(values)), label=f"{kind}: {values.mean():.2f}" if len(values) else kind)
    axes.set_xlabel("Dice", fontsize=7)
    axes.set_ylabel("share of patients", fontsize=7)
    axes.legend(fontsize=6)
    axes = figure.add_subplot(grid[1, first + 1 :])
    truth, mean = (np.array([getattr(row, name) for row in rows]) for name in ("truth_ml", "volume_ml"))
    low, high = (np.array([getattr(row, name) for row in rows]) for name in ("low_ml", "high_ml"))
    axes.errorbar(truth, mean, yerr=[np.maximum(mean - low, 0), np.maximum(high - mean, 0)], fmt=".", lw=0.3, ms=2)
    axes.plot([0, truth.max(initial=1)], [0, truth.max(initial=1)], "k:", lw=0.5)
    axes.set_xlabel("own volume, mL", fontsize=7)
    axes.set_ylabel("posterior mean, 90 %", fontsize=7)
    axes = figure.add_subplot(grid[2, first + 1 :])
    groups = {
        "sign": [row.right_probability for row in ill if row.sign and row.side == "right"],
        "occult": [row.right_probability for row in ill if not row.sign and row.side == "right"],
    }
    axes.hist(list(groups.values()), bins=np.linspace(0, 1, 11), label=list(groups))
    axes.set_xlabel("probability of the right side, where it is the right one", fontsize=7)
    axes.legend(fontsize=6)
