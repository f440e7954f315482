"""From rows to figures: every method on the same patients, with 95 % intervals, and differences between methods."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from perfusynth.evaluation.model_figures import sides
from perfusynth.evaluation.model_figures.bootstrap import DIGITS, Estimate, estimate, mean_of
from perfusynth.evaluation.model_figures.clinical_default import FALSE_POSITIVE_ML, clinical_default
from perfusynth.evaluation.model_figures.features import EXTRACTOR, frechet_distance
from perfusynth.evaluation.model_figures.names import CEILING, CEILING_PRIOR, CONSTANT
from perfusynth.evaluation.model_figures.patient_table import PatientTable, Row, has_deficit, has_sign, no_deficit
from perfusynth.evaluation.model_figures.skill import leak_warning, skill
from perfusynth.evaluation.model_figures.strata import STRATA, groups_of
from perfusynth.evaluation.model_figures.volume_agreement import agreement_of

#: Figures of overlap, over patients with a deficit: name in rows.
OVERLAP = (
    "dice_6", "dice_4", "dice_8", "dice_10", "dice_core", "sensitivity_6", "hd95_6", "hd95_core"
)  # fmt: skip
#: Errors over patients, in s and mL/100 g/min.
ERRORS = tuple(
    f"{kind}_{name}_{where}" for name in ("tmax", "cbf") for where in ("brain", "deficit") for kind in ("mae", "bias")
)
#: Image metrics: context.
IMAGES = tuple(
    f"{metric}{where}_{name}"
    for name in ("tmax", "cbf")
    for metric in ("psnr", "ssim", "ms_ssim")
    for where in ("", "_brain")
)
#: Volumes whose agreement is measured: name, true and made volume in rows.
VOLUMES = {f"tmax_{t}": (f"truth_ml_{t}", f"made_ml_{t}") for t in ("4", "6", "8", "10")} | {
    "core": ("truth_core_ml", "made_core_ml"),
    "mismatch": ("truth_mismatch_ml", "made_mismatch_ml"),
}
#: Figures whose paired differences between methods are given.
COMPARED: dict[str, Callable[[Row], float | None]] = {
    "dice_6": lambda row: row.get("dice_6"),
    "dice_core": lambda row: row.get("dice_core"),
    "absolute_error_ml": lambda row: (
        None if row.get("made_ml_6") is None else abs(row["made_ml_6"] - row["truth_ml_6"])
    ),
    "mae_tmax_brain": lambda row: row.get("mae_tmax_brain"),
    "mae_tmax_deficit": lambda row: row.get("mae_tmax_deficit"),
    "mae_cbf_brain": lambda row: row.get("mae_cbf_brain"),
    "mae_cbf_deficit": lambda row: row.get("mae_cbf_deficit"),
}


def summary_of(rows: Sequence[Row]) -> dict[str, Any]:
    """All figures, plain JSON values: ``patients``, ``methods``, ``differences``, ``strata``, ``clinical_default``."""
    table = PatientTable(rows)
    first = table.rows(table.methods[0])
    methods = {name: _of_method(table, name) for name in table.methods}
    dice_of_ceiling = methods[CEILING]["overlap"]["dice_6"]["value"] if CEILING in methods else None
    warnings = {
        name: leak_warning(figures["overlap"]["dice_6"]["value"], dice_of_ceiling)
        for name, figures in methods.items()
        if figures["kind"] != "ceiling"
    }
    models = {name: figures for name, figures in methods.items() if figures["kind"] == "model"}
    return {
        "patients": len(first),
        "patients_with_deficit": sum(map(has_deficit, first)),
        "patients_with_sign": sum(has_deficit(row) and bool(has_sign(row)) for row in first),
        "methods": methods,
        "differences": {name: _differences(table, name) for name in models},
        "strata": {stratum: _stratum(table, stratum) for stratum in STRATA},
        "clinical_default": clinical_default(models),
        "leak_warnings": {name: text for name, text in warnings.items() if text},
        "fid_extractor": EXTRACTOR,
    }


def _mean(table: PatientTable, method: str, name: str, where: Callable[[Row], bool] = lambda row: True) -> Estimate:
    return mean_of(table.columns(method, name, where=where)[0])


def _of_method(table: PatientTable, method: str) -> dict[str, Any]:
    constant = table.kind(method) != "ceiling" and CONSTANT in table.methods
    return {
        "kind": table.kind(method),
        "identity": table.identity(method),
        "overlap": {name: _mean(table, method, name, has_deficit) for name in OVERLAP},
        "skill": _skill(table, method),
        "errors": {name: _mean(table, method, name) for name in ERRORS},
        "skill_over_constant": {
            name: _gain_over_constant(table, method, name) for name in ERRORS if name.startswith("mae") and constant
        },
        "volumes": {name: _volumes(table, method, *columns) for name, columns in VOLUMES.items()},
        "mismatch": _mismatch(table, method),
        "side": _side(table, method),
        "false_positives": _false_positives(table, method),
        "images": {name: _mean(table, method, name) for name in IMAGES},
        "fid": {name: _fid(table, method, name) for name in ("tmax", "cbf")},
        "probability": _probability(table, method),
        "seconds": _mean(table, method, "seconds"),
    }


def _skill(table: PatientTable, method: str) -> Estimate:
    """F of the Dice of Tmax > 6 s, on patients of whom method, prior and ceiling have one."""
    if CEILING not in table.methods or CEILING_PRIOR not in table.methods or table.kind(method) == "ceiling":
        return estimate(skill, [], [], [])
    rows = zip(*(table.rows(name, has_deficit) for name in (method, CEILING_PRIOR, CEILING)), strict=True)
    dice = [[row.get("dice_6") for row in of_one] for of_one in rows]
    known = np.array([values for values in dice if None not in values], dtype=float).reshape(-1, 3)
    return estimate(skill, *known.T)


def _gain_over_constant(table: PatientTable, method: str, name: str) -> Estimate:
    """1 - error / error of the constant map, of means over patients."""
    own, constant = table.pairs(method, CONSTANT, lambda row: row.get(name), lambda row: True)

    def gain(one: np.ndarray, other: np.ndarray) -> np.ndarray:
        return 1 - one.mean(axis=-1) / np.where(other.mean(axis=-1) > 0, other.mean(axis=-1), np.nan)

    return estimate(gain, own, constant)


def _volumes(table: PatientTable, method: str, true: str, made: str) -> dict[str, Any]:
    """Agreement over patients with a deficit, and over all."""
    return {
        "deficit": agreement_of(*table.columns(method, true, made, where=has_deficit)),
        "all": agreement_of(*table.columns(method, true, made)),
    }


def _mismatch(table: PatientTable, method: str) -> dict[str, Any]:
    """How often the category is right, Cohen's kappa, and how often each was taken for which."""
    known = [r for r in table.rows(method) if r.get("made_category") is not None and r["truth_category"] is not None]
    true, made = ([row[name] for row in known] for name in ("truth_category", "made_category"))
    names = sorted({*true, *made})
    number = {name: i for i, name in enumerate(names)}
    counts = {one: dict.fromkeys(names, 0) for one in names}
    for one, other in zip(true, made, strict=True):
        counts[one][other] += 1
    return {
        "right": mean_of([one == other for one, other in zip(true, made, strict=True)]),
        "kappa": estimate(kappa, [number[name] for name in true], [number[name] for name in made]),
        "true_then_made": counts,
    }


def kappa(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Cohen's kappa of two columns of categories, patients along the last axis; NaN where chance explains all."""
    categories = np.union1d(one, other)
    chance = np.sum([(one == c).mean(axis=-1) * (other == c).mean(axis=-1) for c in categories], axis=0)
    return ((one == other).mean(axis=-1) - chance) / np.where(chance < 1, 1 - chance, np.nan)


def _side(table: PatientTable, method: str) -> dict[str, Estimate]:
    """With a sign and without: right of all (no answer counts as wrong), how often an answer, right of the answers."""
    groups: dict[str, Callable[[Row], bool]] = {"all": has_deficit}
    groups |= groups_of("sign on the NCCT", table.rows(method))
    found = {}
    for group, belongs in groups.items():
        for name, figure in (
            ("right", sides.is_right), ("called", sides.is_called), ("right_of_called", sides.is_right_of_called)
        ):  # fmt: skip
            values = [value for row in table.rows(method, belongs) if (value := figure(row)) is not None]
            known = values if any("made_side" in row for row in table.rows(method)) else []
            found[f"{name}_{group}"] = mean_of(known)
    return found


def _false_positives(table: PatientTable, method: str) -> dict[str, Any]:
    """Among patients without a deficit: share who are given `FALSE_POSITIVE_ML` or more; mean mL."""
    (made,) = table.columns(method, "made_ml_6", where=no_deficit)
    return {"share": mean_of(made >= FALSE_POSITIVE_ML), "mean_ml": mean_of(made)}


def _fid(table: PatientTable, method: str, name: str) -> float | None:
    keys = [f"features_{name}_{what}" for what in ("truth", "made")]
    known = [row for row in table.rows(method) if all(row.get(key) is not None for key in keys)]
    distance = frechet_distance(*([row[key] for row in known] for key in keys))
    return None if distance is None else round(distance, 6)


def _probability(table: PatientTable, method: str) -> dict[str, Any] | None:
    """Brier score, and how often Tmax exceeded 6 s among the voxels of each tenth of probability; None without one."""
    known = [row for row in table.rows(method) if row.get("brier") is not None]
    if not known:
        return None
    voxels, true = (np.sum([row[f"probability_{what}"] for row in known], axis=0) for what in ("voxels", "true"))
    shares = [round(float(t / v), DIGITS) if v else None for t, v in zip(true, voxels, strict=True)]
    return {"brier": _mean(table, method, "brier"), "voxels": voxels.tolist(), "true_share": shares}


def _differences(table: PatientTable, model: str) -> dict[str, dict[str, Estimate]]:
    """Mean of (model minus other) over the patients that both have the figure of, by other method and figure."""
    found: dict[str, dict[str, Estimate]] = {}
    for other in table.methods:
        if other == model:
            continue
        found[other] = {}
        for name, figure in COMPARED.items():
            one, two = table.pairs(model, other, figure, has_deficit if name.startswith("dice") else lambda row: True)
            found[other][name] = mean_of(one - two)
    return found


def _stratum(table: PatientTable, stratum: str) -> dict[str, Any]:
    """Overlap, volumes and sides of every method in every group."""
    groups = groups_of(stratum, table.rows(table.methods[0]))
    found: dict[str, Any] = {}
    for group, belongs in groups.items():
        found[group] = {}
        for method in table.methods:
            true, made = table.columns(method, "truth_ml_6", "made_ml_6", where=belongs)
            right = [value for row in table.rows(method, belongs) if (value := sides.is_right(row)) is not None]
            known = any("made_side" in row for row in table.rows(method, belongs))
            found[group][method] = {
                "patients": len(table.rows(method, belongs)),
                "dice_6": _mean(table, method, "dice_6", belongs),
                "sensitivity_6": _mean(table, method, "sensitivity_6", belongs),
                "bias_ml": mean_of(made - true),
                "absolute_error_ml": mean_of(np.abs(made - true)),
                "side_right": mean_of(right if known else []),
            }
    return found
