"""The tables of the report: methods as columns, figures as rows, an interval behind each number."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from perfusynth.evaluation.model_figures.bootstrap import Estimate

#: Stands where a method has no such figure.
NOTHING = "–"


@dataclass(frozen=True)
class Table:
    """A caption, the heads of its columns, and rows: a label and cells; a row without cells is a heading."""

    caption: str
    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[str]]]


@dataclass(frozen=True)
class Line:
    """A row of a table of methods: its label, where its figure lies in a method's figures, and how it is written."""

    label: str
    path: tuple[str, ...]
    digits: int = 2
    percent: bool = False


def number(value: float | None, digits: int, *, percent: bool = False) -> str:
    """One number, ``–`` where there is none."""
    if value is None:
        return NOTHING
    text = f"{100 * value:.0f} %" if percent else f"{value:.{digits}f}"
    return text.removeprefix("-") if not any(digit in text for digit in "123456789") else text


def estimated(found: Estimate | float | None, digits: int = 2, *, percent: bool = False) -> str:
    """A figure and its interval."""
    if not isinstance(found, Mapping):
        return number(found, digits, percent=percent)
    value = number(found["value"], digits, percent=percent)
    if found["low"] is None or found["value"] is None:
        return value
    low, high = (number(found[end], digits, percent=percent).removesuffix(" %") for end in ("low", "high"))
    return f"{value} ({low} to {high})"


HEADLINE = (
    Line("", ("Overlap with the true region",)),
    Line("Dice Tmax > 6 s", ("overlap", "dice_6")),
    Line("skill F = (Dice - prior) / (U - prior)", ("skill",)),
    Line("sensitivity Tmax > 6 s", ("overlap", "sensitivity_6")),
    Line("95 % Hausdorff distance, mm", ("overlap", "hd95_6"), 0),
    Line("Dice Tmax > 4 s", ("overlap", "dice_4")),
    Line("Dice Tmax > 8 s", ("overlap", "dice_8")),
    Line("Dice Tmax > 10 s", ("overlap", "dice_10")),
    Line("Dice core", ("overlap", "dice_core")),
    Line("", ("Volume of Tmax > 6 s, mL",)),
    Line("ICC, all patients", ("volumes", "tmax_6", "all", "icc")),
    Line("ICC, patients with a deficit", ("volumes", "tmax_6", "deficit", "icc")),
    Line("bias, patients with a deficit", ("volumes", "tmax_6", "deficit", "bias_ml"), 0),
    Line("lower limit of agreement", ("volumes", "tmax_6", "deficit", "limits_low_ml"), 0),
    Line("upper limit of agreement", ("volumes", "tmax_6", "deficit", "limits_high_ml"), 0),
    Line("mean absolute error, patients with a deficit", ("volumes", "tmax_6", "deficit", "absolute_error_ml"), 0),
    Line("core: ICC, all patients", ("volumes", "core", "all", "icc")),
    Line("core: bias, mL", ("volumes", "core", "deficit", "bias_ml"), 0),
    Line("", ("False alarms, side, mismatch",)),
    Line("no deficit, but 15 mL or more", ("false_positives", "share"), percent=True),
    Line("no deficit: mean mL", ("false_positives", "mean_ml"), 1),
    Line("side right, sign visible", ("side", "right_visible"), percent=True),
    Line("side right, occult", ("side", "right_occult"), percent=True),
    Line("side named, occult", ("side", "called_occult"), percent=True),
    Line("side right of those named, occult", ("side", "right_of_called_occult"), percent=True),
    Line("mismatch category right", ("mismatch", "right"), percent=True),
    Line("mismatch category, Cohen's kappa", ("mismatch", "kappa")),
    Line("", ("Errors of the maps",)),
    Line("Tmax, brain: mean absolute error, s", ("errors", "mae_tmax_brain")),
    Line("Tmax, brain: bias, s", ("errors", "bias_tmax_brain")),
    Line("Tmax, deficit: mean absolute error, s", ("errors", "mae_tmax_deficit")),
    Line("Tmax, deficit: bias, s", ("errors", "bias_tmax_deficit")),
    Line("CBF, brain: mean absolute error, mL/100 g/min", ("errors", "mae_cbf_brain"), 1),
    Line("CBF, brain: bias, mL/100 g/min", ("errors", "bias_cbf_brain"), 1),
    Line("CBF, deficit: mean absolute error, mL/100 g/min", ("errors", "mae_cbf_deficit"), 1),
    Line("CBF, deficit: bias, mL/100 g/min", ("errors", "bias_cbf_deficit"), 1),
    Line("Tmax, brain: error less than the constant map's by", ("skill_over_constant", "mae_tmax_brain"), percent=True),
    Line("Tmax, deficit: the same", ("skill_over_constant", "mae_tmax_deficit"), percent=True),
    Line("CBF, brain: the same", ("skill_over_constant", "mae_cbf_brain"), percent=True),
    Line("CBF, deficit: the same", ("skill_over_constant", "mae_cbf_deficit"), percent=True),
)

CONTEXT = (
    *(
        Line(f"{label} {title}, {where}", ("images", f"{key}{end}_{name}"), digits)
        for name, title in (("tmax", "Tmax"), ("cbf", "CBF"))
        for key, label, digits in (("psnr", "PSNR (dB)", 1), ("ssim", "SSIM", 3), ("ms_ssim", "MS-SSIM", 3))
        for where, end in (("whole image", ""), ("brain only", "_brain"))
    ),
    Line("FID Tmax", ("fid", "tmax"), 4),
    Line("FID CBF", ("fid", "cbf"), 4),
    Line("seconds a patient", ("seconds",)),
)


def of_methods(summary: Mapping[str, Any], lines: Sequence[Line], caption: str) -> Table:
    """A table with every method as a column; lines that no method has a figure for are left out."""
    methods = summary["methods"]
    rows: list[tuple[str, Sequence[str]]] = []
    for line in lines:
        if not line.label:
            rows.append((line.path[0], ()))
            continue
        cells = [estimated(_at(f, line.path), line.digits, percent=line.percent) for f in methods.values()]
        if any(cell != NOTHING for cell in cells):
            rows.append((line.label, cells))
    return Table(caption, list(methods), rows)


def _at(figures: Mapping[str, Any], path: Sequence[str]) -> Any:
    found: Any = figures
    for key in path:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


#: Figures of paired differences: label, key, digits, whether more is better.
DIFFERENCES = (
    ("Dice Tmax > 6 s", "dice_6", 3),
    ("Dice core", "dice_core", 3),
    ("volume error, mL", "absolute_error_ml", 1),
    ("Tmax error, brain, s", "mae_tmax_brain", 3),
    ("Tmax error, deficit, s", "mae_tmax_deficit", 3),
    ("CBF error, brain", "mae_cbf_brain", 2),
    ("CBF error, deficit", "mae_cbf_deficit", 2),
)


def of_differences(summary: Mapping[str, Any], model: str) -> Table:
    """The model minus each other method, on the same patients."""
    others = summary["differences"][model]
    rows = [(label, [estimated(found[key], digits) for found in others.values()]) for label, key, digits in DIFFERENCES]
    return Table(f"{model} minus each other method: mean over patients, 95 % interval", list(others), rows)


def of_strata(summary: Mapping[str, Any], model: str) -> Table:
    """One model in every group of patients with a deficit."""
    columns = ("patients", "Dice Tmax > 6 s", "sensitivity", "volume bias, mL", "volume error, mL", "side right")
    rows: list[tuple[str, Sequence[str]]] = []
    for stratum, groups in summary["strata"].items():
        if groups:
            rows.append((stratum, ()))
        for group, methods in groups.items():
            found = methods[model]
            rows.append(
                (
                    group,
                    [
                        str(found["patients"]),
                        estimated(found["dice_6"]),
                        estimated(found["sensitivity_6"]),
                        estimated(found["bias_ml"], 0),
                        estimated(found["absolute_error_ml"], 0),
                        estimated(found["side_right"], percent=True),
                    ],
                )
            )
    return Table(f"{model}, patients with a deficit by group", columns, rows)


def of_mismatch(summary: Mapping[str, Any], model: str) -> Table:
    """How often each true category was taken for which."""
    counts = summary["methods"][model]["mismatch"]["true_then_made"]
    rows = [(f"truly {true}", [str(n) for n in made.values()]) for true, made in counts.items()]
    return Table(f"{model}: mismatch, patients by true and made category", [f"made: {name}" for name in counts], rows)


def of_coverage(model: str, level: float, coverage: Mapping[str, Any]) -> Table:
    """Coverage of the bundle's calibrated intervals on these patients (`intervals.coverage.coverage_figures`)."""
    columns = ("patients", "covered", "95 % interval (Clopper-Pearson)", "holds the level", "mean width, mL")
    rows = [
        (
            "core" if key == "core" else f"Tmax > {key} s",
            [
                str(found["all"]["n"]),
                number(found["all"].get("coverage"), 3),
                f"{number(found['all'].get('low'), 3)} to {number(found['all'].get('high'), 3)}",
                "yes" if found["all"].get("holds_level") else "no",
                number(found["all"].get("width_ml"), 0),
            ],
        )
        for key, found in coverage.items()
    ]
    return Table(f"{model}: calibrated {level:.0%} intervals of the volumes on these patients", columns, rows)
