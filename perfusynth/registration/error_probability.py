"""How probably a registration is off by more than 2 mm, from its figures: a logistic model of simulated pairs."""

import json
import math
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from perfusynth.errors import InputError

#: Target registration error beyond which a registration counts as wrong, mm: half of what is accepted is 1.3 mm.
WRONG_MM = 2.0
MODEL_FILE = Path(__file__).with_suffix(".json")


@cache
def error_model() -> dict[str, Any]:
    """What `error_probability.json` says: coefficients, and on which pairs they were fitted and checked."""
    return json.loads(MODEL_FILE.read_text(encoding="utf-8"))


def error_probability(figures: Mapping[str, float]) -> float:
    """The probability, 0 to 1, that the mean target registration error is above `WRONG_MM`.

    Parameters
    ----------
    figures
        As `quality_figures` returns them, of an automatic registration with its restarts.

    Raises
    ------
    InputError
        Code ``no_figures``: a figure that the model needs is missing or not finite.
    """
    return logistic(error_model()["terms"], float(error_model()["intercept"]), figures)


def logistic(terms: Mapping[str, Mapping[str, Any]], intercept: float, figures: Mapping[str, float]) -> float:
    """1 / (1 + exp(-(intercept + sum of weight x (figure - mean) / sd))).

    Parameters
    ----------
    terms
        Figure -> ``weight``, ``mean``, ``sd``, and ``low``, ``high``: values beyond what was seen are held there.
    """
    missing = [name for name in terms if not math.isfinite(figures.get(name, math.nan))]
    if missing:
        raise InputError(
            "Figures of the registration are missing.",
            expected=f"finite numbers for {', '.join(terms)}",
            got=f"none for {', '.join(missing)}",
            hint="Take the figures of quality_figures, with restarts.",
            code="no_figures",
        )
    total = intercept + sum(term["weight"] * held(figures[name], term) for name, term in terms.items())
    return 1 / (1 + math.exp(-max(-700.0, min(700.0, total))))


def held(figure: float, term: Mapping[str, float]) -> float:
    """A figure within the range that was seen, standardised."""
    return (min(max(figure, term["low"]), term["high"]) - term["mean"]) / term["sd"]
