"""The study in words and numbers: Brier score, AUC, reliability, errors by kind of pair."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from perfusynth.evaluation.model_figures.bootstrap import Estimate
from perfusynth.evaluation.registration_error.calibration import auc, brier, reliability
from perfusynth.evaluation.registration_error.fit import probabilities
from perfusynth.evaluation.registration_error.pairs import HARD
from perfusynth.evaluation.registration_error.study import is_wrong, registered, usable
from perfusynth.registration.error_probability import WRONG_MM
from perfusynth.volumes.case_registration import ERROR_PROBABILITY_MAX

Rows = Sequence[Mapping[str, Any]]


def summary(own: Rows, model: Mapping[str, Any]) -> dict[str, Any]:
    """Plain figures of a model on rows: how many, how many wrong, Brier score and AUC with their intervals."""
    wrong = [is_wrong(row) for row in own]
    found = probabilities(model, own)
    return {
        "seeds": [min(row["seed"] for row in own), max(row["seed"] for row in own)],
        "rows": len(own),
        "wrong": sum(wrong),
        "brier": brier(found, wrong),
        "brier_of_the_share": round(float(np.var(wrong)), 4),
        "auc": auc(found, wrong),
    }


def markdown(rows: Rows, model: Mapping[str, Any]) -> str:
    """The page's text: what the model is, how good it is on pairs it has not seen, and the errors by kind."""
    hard, all_pairs = (registered(rows, "report", hard=only) for only in (True, None))
    displaced = [row for row in usable(rows, "report") if row["displaced"]]
    found, found_displaced = summary(hard, model), summary(displaced, model)
    refused = sum("refused" in row and row["part"] == "report" for row in rows)
    lines = [
        f"Reported on {found['rows']} hard pairs, {found['wrong']} of them wrong by more than {WRONG_MM:g} mm "
        f"({refused} refused): Brier score {_told(found['brier'])} (a constant probability: "
        f"{found['brier_of_the_share']:.3f}), AUC {_told(found['auc'])}; 95 % intervals over pairs.",
        "",
        "| probability | pairs | mean probability | wrong | share wrong (95 %) |",
        "|---|---|---|---|---|",
    ]
    for part in reliability(probabilities(model, hard), [is_wrong(row) for row in hard]):
        share, low, high = part.observed
        lines.append(
            f"| {part.low:g} to {part.high:g} | {part.pairs} | {part.mean_probability:.3f} | {part.wrong} "
            f"| {share:.2f} ({low:.2f} to {high:.2f}) |"
        )
    lines += [
        "",
        f"| kind | pairs | true error, mm: median (90 %, worst) | wrong | of them kept (probability up to "
        f"{ERROR_PROBABILITY_MAX:g}) | right, but left out |",
        "|---|---|---|---|---|---|",
    ]
    for kind in ("ordinary", *HARD):
        own = [row for row in all_pairs if row["kind"] == kind]
        if own:
            lines.append(_kind_line(kind, own, probabilities(model, own)))
    lines += [
        _kind_line("displaced", displaced, probabilities(model, displaced)),
        "",
        f"Displaced: {found_displaced['rows']} of the reported pairs, ordinary ones among them: the transform and "
        "all restarts moved on by 0.4 to 15 mm together, as in a wrong optimum that all agree on: Brier score "
        f"{_told(found_displaced['brier'])}, AUC {_told(found_displaced['auc'])}.",
    ]
    weights = ", ".join(f"{name} {term['weight']:+.2f}" for name, term in model["terms"].items())
    lines += ["", f"Weights, each on its figure in SDs: {weights}.", ""]
    return "\n".join(lines)


def _kind_line(kind: str, rows: Rows, found: Sequence[float]) -> str:
    wrong = [is_wrong(row) for row in rows]
    errors = [row["error_mm"] for row in rows if row["error_mm"] is not None]
    told = "none (two patients)"
    if errors:
        told = f"{np.median(errors):.2f} ({np.quantile(errors, 0.9):.2f}, {max(errors):.2f})"
    kept = sum(p <= ERROR_PROBABILITY_MAX and bad for p, bad in zip(found, wrong, strict=True))
    lost = sum(p > ERROR_PROBABILITY_MAX and not bad for p, bad in zip(found, wrong, strict=True))
    return f"| {kind} | {len(rows)} | {told} | {sum(wrong)} | {kept} | {lost} |"


def _told(value: Estimate) -> str:
    if value["value"] is None:
        return "none"
    if value["low"] is None:
        return f"{value['value']:.3f}"
    return f"{value['value']:.3f} ({value['low']:.3f} to {value['high']:.3f})"
