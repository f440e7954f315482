"""Pictures of the study: probabilities against what happened, and pairs of each kind as they were registered."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import ndimage

from perfusynth import atomic
from perfusynth.evaluation.registration_error.calibration import reliability
from perfusynth.evaluation.registration_error.pairs import Kind, SimulatedPair
from perfusynth.evaluation.registration_error.study import is_wrong
from perfusynth.registration.error_probability import WRONG_MM
from perfusynth.volumes.case_registration import ERROR_PROBABILITY_MAX
from perfusynth.volumes.geometry import nearest_ras

#: Colours of the kinds (Okabe and Ito).
COLOURS: dict[Kind, str] = {
    "ordinary": "#000000",
    "turned": "#0072B2",
    "thin": "#009E73",
    "motion": "#E69F00",
    "wrong patient": "#D55E00",
}
#: Errors below and above are drawn at the edge, mm; two patients have none and stand beyond it.
ERROR_RANGE_MM, TWO_PATIENTS_MM = (0.02, 100.0), 250.0
#: Pixels an inch: charts, and images whose noise makes large files.
DPI, IMAGE_DPI = 130, 80
#: HU window of pairs and side of the checkerboard's squares, mm.
WINDOW_HU, SQUARE_MM = (-20.0, 120.0), 28.0


def draw_probabilities(rows: Sequence[Mapping[str, Any]], found: Sequence[float], path: Path) -> None:
    """Reliability of the probabilities, and each pair's probability over its true error, as PNG."""
    figure = Figure(figsize=(9.6, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    _draw_reliability(left, found, [is_wrong(row) for row in rows])
    for kind, colour in COLOURS.items():
        own = [k for k, row in enumerate(rows) if row["kind"] == kind]
        if own:
            errors = [_drawn_error(rows[k]["error_mm"]) for k in own]
            right.plot(errors, [found[k] for k in own], "o", color=colour, ms=4, alpha=0.6, mew=0, label=kind)
    right.axvline(WRONG_MM, color="grey", lw=0.8)
    right.axhline(ERROR_PROBABILITY_MAX, color="grey", lw=0.8, ls="--")
    right.set_xscale("log")
    right.set_xticks([0.1, 1, 10, 100, TWO_PATIENTS_MM], ["0.1", "1", "10", "100", "two\npatients"])
    right.set_xlabel("true error, mm (mean over the brain)")
    right.set_ylabel(f"probability of more than {WRONG_MM:g} mm")
    right.legend(fontsize=8, loc="upper left")
    right.set_title("dashed: left out above without an annotator", fontsize=9)
    _save(figure, path, DPI)


def _drawn_error(error_mm: float | None) -> float:
    return TWO_PATIENTS_MM if error_mm is None else float(np.clip(error_mm, *ERROR_RANGE_MM))


def _draw_reliability(axes: Axes, found: Sequence[float], wrong: Sequence[bool]) -> None:
    axes.plot([0, 1], [0, 1], color="grey", lw=0.8)
    for k, part in enumerate(reliability(found, wrong)):
        share, low, high = part.observed
        axes.errorbar(
            part.mean_probability, share, yerr=[[share - low], [high - share]], fmt="o", color="#0072B2", capsize=3
        )
        side = "left" if part.mean_probability < 0.5 else "right"
        offset = (6 if side == "left" else -6, 4 if k % 2 else -10)
        axes.annotate(
            f"{part.wrong} of {part.pairs}",
            (part.mean_probability, share),
            xytext=offset,
            textcoords="offset points",
            ha=side,
            fontsize=8,
        )
    axes.set_xlim(-0.05, 1.05)
    axes.set_ylim(-0.08, 1.1)
    axes.set_xlabel(f"probability of more than {WRONG_MM:g} mm, mean of the bin")
    axes.set_ylabel("share that is wrong, 95 % interval")
    axes.set_title(f"{len(found)} hard pairs", fontsize=9)


def draw_pairs(pairs: Sequence[tuple[SimulatedPair, np.ndarray, str]], path: Path) -> None:
    """Pairs, each with a transform and a line of text: fixed image, moving image on it, checkerboard, as PNG.

    Anterior up, the patient's left on the right.
    """
    figure = Figure(figsize=(7.0, 2.35 * len(pairs)), layout="constrained")
    for row, (pair, found, text) in zip(figure.subplots(len(pairs), 3, squeeze=False), pairs, strict=True):
        fixed = nearest_ras(pair.fixed)
        index = np.linalg.inv(pair.moving.affine) @ found @ fixed.affine
        on_fixed = ndimage.affine_transform(
            pair.moving.array, index[:3, :3], index[:3, 3], output_shape=fixed.shape, order=1, cval=-1000.0
        )
        k = fixed.shape[2] // 2
        one, other = fixed.array[..., k], on_fixed[..., k]
        squares = sum(
            (np.arange(n) * step // SQUARE_MM).reshape(shape)
            for n, step, shape in zip(one.shape, fixed.spacing[:2], ((-1, 1), (1, -1)), strict=True)
        )
        titles = (f"{pair.kind}: fixed", "moving, registered", text)
        for axes, image, title in zip(row, (one, other, np.where(squares % 2, one, other)), titles, strict=True):
            axes.imshow(image[::-1, ::-1].T, cmap="gray", vmin=WINDOW_HU[0], vmax=WINDOW_HU[1])
            axes.set_axis_off()
            axes.set_title(title, fontsize=8)
    _save(figure, path, IMAGE_DPI)


def _save(figure: Figure, path: Path, dpi: int) -> None:
    with atomic.replacing(path) as file:
        figure.savefig(file, format="png", dpi=dpi, metadata={"Software": None})
