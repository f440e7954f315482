"""Charts of an evaluation, in the page's colours."""

from collections.abc import Callable, Mapping, Sequence
from io import BytesIO
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from perfusynth.evaluation.model_figures import sides
from perfusynth.evaluation.model_figures.bootstrap import Estimate
from perfusynth.evaluation.model_figures.clinical_default import FALSE_POSITIVE_ML
from perfusynth.evaluation.model_figures.names import CEILING, CEILING_PRIOR
from perfusynth.evaluation.model_figures.patient_table import PatientTable, Row, has_deficit, has_sign, no_deficit
from perfusynth.evaluation.model_figures.volume_agreement import LIMITS_SD, limit_of_agreement
from perfusynth.report.canvas import BACKGROUND, DIM, PANEL, TEXT, Colour

DPI = 110
#: Okabe and Ito's colours, told apart by all kinds of colour vision: with a sign, occult, without a deficit.
GROUPS: dict[str, tuple[str, Callable[[Row], bool]]] = {
    "deficit, sign visible": ("#E69F00", lambda row: has_deficit(row) and has_sign(row) is True),
    "deficit, occult": ("#56B4E9", lambda row: has_deficit(row) and has_sign(row) is False),
    "deficit": ("#E69F00", lambda row: has_deficit(row) and has_sign(row) is None),
    "no deficit": ("#9AA5B1", no_deficit),
}
KINDS = {"model": "#E69F00", "baseline": "#9AA5B1", "ceiling": "#009E73"}
#: A bar longer than this (Dice) holds its number.
LABEL_FITS = 0.04
#: Ends of the bins of confidence in a side: the share of the made region on its larger side.
CONFIDENCE_BINS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.97, 1.0)


def _hex(colour: Colour) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)


def _figure(width: float, height: float) -> Figure:
    return Figure(figsize=(width, height), dpi=DPI, layout="constrained", facecolor=_hex(BACKGROUND))


def _dress(axes: Axes, title: str, x: str, y: str) -> None:
    axes.set_facecolor(_hex(PANEL))
    axes.set_title(title, color=_hex(TEXT), fontsize=11, loc="left")
    axes.set_xlabel(x, color=_hex(DIM), fontsize=9.5)
    axes.set_ylabel(y, color=_hex(DIM), fontsize=9.5)
    axes.tick_params(colors=_hex(DIM), labelsize=9)
    for edge in axes.spines.values():
        edge.set_color(_hex(DIM))
        edge.set_linewidth(0.5)


def _legend(axes: Axes, **options: Any) -> None:
    legend = axes.legend(fontsize=8.5, facecolor=_hex(PANEL), edgecolor=_hex(DIM), **options)
    for text in legend.get_texts():
        text.set_color(_hex(TEXT))


def _picture(figure: Figure) -> Image.Image:
    content = BytesIO()
    FigureCanvasAgg(figure).print_png(content)
    return Image.open(content).convert("RGB")


def _spread(found: Estimate) -> list[list[float]]:
    """Distances from the value to the ends of its interval, as error bars want them."""
    value, low, high = (found[key] for key in ("value", "low", "high"))
    if value is None or low is None or high is None:
        return [[0.0], [0.0]]
    return [[max(value - low, 0.0)], [max(high - value, 0.0)]]


def dice_by_method(summary: Mapping[str, Any]) -> Image.Image:
    """Mean Dice of Tmax > 6 s of every method with its interval, and the ceiling and the prior as lines."""
    methods = {n: f for n, f in summary["methods"].items() if f["overlap"]["dice_6"]["value"] is not None}
    bars = [name for name in methods if name not in (CEILING, CEILING_PRIOR)]
    figure = _figure(8.6, 0.9 + 0.42 * max(len(bars), 2))
    axes = figure.add_subplot()
    _dress(axes, "Dice of Tmax > 6 s, patients with a deficit, 95 % interval", "Dice", "")
    for place, name in enumerate(reversed(bars)):
        found = methods[name]["overlap"]["dice_6"]
        axes.barh(place, found["value"], color=KINDS[methods[name]["kind"]], height=0.62)
        axes.errorbar(found["value"], place, xerr=_spread(found), color=_hex(TEXT), capsize=3, linewidth=1)
        inside = found["value"] > LABEL_FITS
        colour = "black" if inside else _hex(TEXT)
        axes.text(0.005, place, f"{found['value']:.2f}", va="center", fontsize=9, color=colour, weight="bold")
    axes.set_yticks(range(len(bars)), list(reversed(bars)), color=_hex(TEXT))
    for name, style in ((CEILING, "-"), (CEILING_PRIOR, "--")):
        if name in methods:
            value = methods[name]["overlap"]["dice_6"]["value"]
            axes.axvline(value, color=KINDS["ceiling"], linestyle=style, label=f"{name} {value:.2f}")
    if CEILING in methods:
        _legend(axes, loc="lower right")
    axes.set_xlim(0, max(0.75, *(methods[name]["overlap"]["dice_6"]["value"] for name in methods)))
    return _picture(figure)


def volumes(table: PatientTable, method: str) -> Image.Image:
    """Scatter of made against true volume, and Bland and Altman's plot, of one method."""
    figure = _figure(12.4, 4.9)
    scatter, bland = figure.subplots(1, 2)
    _dress(scatter, f"V(Tmax > 6 s), {method}", "true, mL", "made, mL")
    _dress(bland, "Bland and Altman", "mean of true and made, mL", "made minus true, mL")
    differences, top = [], 10.0
    for name, (colour, belongs) in GROUPS.items():
        true, made = table.columns(method, "truth_ml_6", "made_ml_6", where=belongs)
        if not len(true):
            continue
        top = max(top, float(true.max()), float(made.max()))
        scatter.scatter(true, made, s=12, color=colour, alpha=0.75, linewidths=0, label=f"{name} ({len(true)})")
        bland.scatter((true + made) / 2, made - true, s=12, color=colour, alpha=0.75, linewidths=0)
        differences.append(made - true)
    scatter.plot([0, top], [0, top], color=_hex(DIM), linewidth=0.8, linestyle=":")
    scatter.axhline(FALSE_POSITIVE_ML, color=_hex(DIM), linewidth=0.8, linestyle="--")
    if sum(map(len, differences)) > 1:
        _legend(scatter)
        everyone = np.concatenate(differences)
        bland.axhline(float(everyone.mean()), color=_hex(TEXT), linewidth=1.2)
        for sds in (-LIMITS_SD, LIMITS_SD):
            limit = float(limit_of_agreement(sds)(everyone))
            bland.axhline(limit, color=_hex(TEXT), linewidth=1, linestyle="--")
            bland.annotate(f"{limit:+.0f} mL", (1, limit), (-4, 2), xycoords=bland.get_yaxis_transform(), ha="right",
                           textcoords="offset points", color=_hex(TEXT), fontsize=8.5)  # fmt: skip
    return _picture(figure)


def strata(summary: Mapping[str, Any], methods: Sequence[str]) -> Image.Image:
    """Dice of Tmax > 6 s by group of patients, a few methods beside each other."""
    rows = [(stratum, group) for stratum, groups in summary["strata"].items() for group in groups]
    figure = _figure(9.2, 1.0 + 0.30 * max(len(rows), 3))
    axes = figure.add_subplot()
    _dress(axes, "Dice of Tmax > 6 s by group, 95 % interval", "Dice", "")
    colours = ("#E69F00", "#56B4E9", "#CC79A7", "#009E73", "#9AA5B1")
    place, places, labels = 0.0, [], []
    before = None
    for stratum, group in reversed(rows):
        place += 1.6 if before not in (None, stratum) else 1.0
        before = stratum
        for number, name in enumerate(methods):
            found = summary["strata"][stratum][group][name]["dice_6"]
            if found["value"] is not None:
                at = place + 0.16 * (number - (len(methods) - 1) / 2)
                colour = colours[number % len(colours)]
                axes.errorbar(found["value"], at, xerr=_spread(found), fmt="o", markersize=4, color=colour, linewidth=1,
                              label=name if (stratum, group) == rows[0] else None)  # fmt: skip
        patients = summary["strata"][stratum][group][methods[0]]["patients"]
        places.append(place)
        labels.append(f"{stratum}: {group} ({patients})")
    axes.set_yticks(places, labels, color=_hex(TEXT), fontsize=8.5)
    axes.set_xlim(-0.01, 1)
    axes.grid(axis="x", color=_hex(DIM), alpha=0.25)
    if rows:
        _legend(axes, loc="lower right")
    return _picture(figure)


def reliability_of_side(table: PatientTable, method: str) -> Image.Image:
    """How often the larger side of what was made is the right one, by how much of it lies there."""
    figure = _figure(6.6, 4.2)
    axes = figure.add_subplot()
    _dress(axes, f"Side: how sure, how right; {method}", "share of the made region on its larger side",
           "share of patients in whom that is the right side")  # fmt: skip
    for name, (colour, belongs) in GROUPS.items():
        known = [
            row for row in table.rows(method, belongs)
            if sides.side_to_find(row) is not None and row.get("made_right_share") is not None
        ]  # fmt: skip
        if not known:
            continue
        share = np.array([row["made_right_share"] for row in known])
        right = np.array([sides.side_to_find(row) == "right" for row in known])
        sure, hit = np.maximum(share, 1 - share), (share >= 0.5) == right
        bins = np.clip(np.digitize(sure, CONFIDENCE_BINS) - 1, 0, len(CONFIDENCE_BINS) - 2)
        present = np.unique(bins)
        at = [sure[bins == b].mean() for b in present]
        size = [15 + 4 * np.count_nonzero(bins == b) for b in present]
        axes.scatter(at, [hit[bins == b].mean() for b in present], s=size, color=colour, alpha=0.8, linewidths=0)
        axes.plot(
            at, [hit[bins == b].mean() for b in present], color=colour, linewidth=1, label=f"{name} ({len(known)})"
        )
    axes.axhline(0.5, color=_hex(DIM), linewidth=0.8, linestyle="--")
    axes.set_ylim(-0.03, 1.03)
    axes.set_xlim(0.49, 1.01)
    if axes.lines[1:]:
        _legend(axes, loc="lower right")
    return _picture(figure)


def probability(summary: Mapping[str, Any], method: str) -> Image.Image | None:
    """How often Tmax exceeded 6 s where a probability said so; None where the method tells none."""
    found = summary["methods"][method]["probability"]
    if found is None:
        return None
    figure = _figure(5.4, 4.2)
    axes = figure.add_subplot()
    _dress(axes, f"Probability of Tmax > 6 s; {method}", "told", "true share of voxels")
    centres = (np.arange(len(found["true_share"])) + 0.5) / len(found["true_share"])
    known = [i for i, share in enumerate(found["true_share"]) if share is not None]
    axes.plot([0, 1], [0, 1], color=_hex(DIM), linewidth=0.8, linestyle=":")
    axes.plot(centres[known], [found["true_share"][i] for i in known], "o-", color="#E69F00", markersize=5)
    return _picture(figure)
