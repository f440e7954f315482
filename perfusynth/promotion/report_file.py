"""What the ``report.json`` of an evaluation says of two models: the figures by which an admin decides."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from perfusynth.errors import InputError
from perfusynth.generators.bundles import Bundle
from perfusynth.promotion.comparison import Comparison, ModelFigures, other_report

#: Figures that are shown, and where they stand below a method in the report.
SHOWN: Final[Mapping[str, tuple[str, ...]]] = {
    "Dice Tmax > 6 s": ("overlap", "dice_6"),
    "Dice core": ("overlap", "dice_core"),
    "skill F": ("skill",),
    "ICC of V(Tmax > 6 s), all patients": ("volumes", "tmax_6", "all", "icc"),
    "bias of V(Tmax > 6 s), with deficit [mL]": ("volumes", "tmax_6", "deficit", "bias_ml"),
    "absolute error of V(Tmax > 6 s), with deficit [mL]": ("volumes", "tmax_6", "deficit", "absolute_error_ml"),
    "share with false 15 mL or more": ("false_positives", "share"),
    "false positive volume [mL]": ("false_positives", "mean_ml"),
    "side right": ("side", "right_all"),
    "error of Tmax, brain [s]": ("errors", "mae_tmax_brain"),
    "error of Tmax, deficit [s]": ("errors", "mae_tmax_deficit"),
    "error of CBF, brain [mL/100 g/min]": ("errors", "mae_cbf_brain"),
}


def read_comparison(path: Path, candidate: Bundle, live: Bundle | None) -> Comparison:
    """The comparison of two models out of a report that names their weights.

    Parameters
    ----------
    path
        ``report.json``.
    live
        None: the task has no model yet.

    Raises
    ------
    InputError
        Codes ``bad_report``: it is none; ``other_report``: it is about other weights.
    """
    try:
        content = path.read_bytes()
        report = json.loads(content)
        named = {name: str(about["weights_sha256"]) for name, about in report["models"].items()}
        of_candidate, of_live = (
            _figures_of(bundle, report, named) if bundle is not None else None for bundle in (candidate, live)
        )
        default = report.get("clinical_default")
        cases = f"{int(report['patients'])} patients: {report['patients_are']}"
        verdict = f"{default['model']}: {default['why']}" if default else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as fault:
        raise InputError(
            "This is no report of an evaluation.",
            expected="the report.json that `perfusynth evaluate` writes",
            got=type(fault).__name__,
            hint="Evaluate both models on the same cases: perfusynth evaluate LIVE CANDIDATE -o OUT.",
            code="bad_report",
        ) from fault
    assert of_candidate is not None
    return Comparison(cases, of_candidate, of_live, hashlib.sha256(content).hexdigest(), verdict)


def _figures_of(bundle: Bundle, report: Mapping[str, Any], named: Mapping[str, str]) -> ModelFigures:
    """A model is found by its weights: what a report calls it may have changed since."""
    actual = bundle.weights_sha256()
    name = next((name for name, sha256 in named.items() if sha256 == actual), None)
    if name is None:
        raise other_report(bundle, ", ".join(named.values())[:200] or "no model")
    method = report["methods"][name]
    return ModelFigures(bundle.name, actual, {shown: _value(method, place) for shown, place in SHOWN.items()})


def _value(method: Any, place: tuple[str, ...]) -> float | None:
    for key in place:
        method = method.get(key) if isinstance(method, dict) else None
    value = method.get("value") if isinstance(method, dict) else method
    return float(value) if isinstance(value, int | float) else None
