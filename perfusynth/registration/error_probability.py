"""How probably a registration is off by more than 2 mm, from its figures: a logistic model of simulated pairs."""

import json
import math
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from perfusynth.errors import InputError

#: Target registration error beyond which a registration counts as wrong, mm. In practice 1.3 mm is accepted; what is
#: above 2 mm is then wrong by anybody's word. [d]
WRONG_MM = 2.0
#: Least distance (mm) and least shortfall that are told apart: a logarithm begins there.
LEAST = 0.01
#: How a figure enters: as it is; a distance by its logarithm; what is 1 at best by that of what it falls short of 1.
#: What decides between 1 and 3 mm is small beside what two patients differ by.
SCALES: dict[str, Callable[[float], float]] = {
    "linear": lambda figure: figure,
    "distance": lambda figure: math.log(max(figure, LEAST)),
    "shortfall": lambda figure: -math.log(max(1 - figure, LEAST)),
}
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
    """1 / (1 + exp(-(intercept + sum of weight x (scaled figure - mean) / sd))).

    Parameters
    ----------
    terms
        Figure -> ``scale`` (`SCALES`), ``weight``, ``mean`` and ``sd`` on that scale, and ``low``, ``high``: figures
        beyond what was seen are held there.
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


def held(figure: float, term: Mapping[str, Any]) -> float:
    """A figure within the range that was seen, on its scale, standardised."""
    return (SCALES[term["scale"]](min(max(figure, term["low"]), term["high"])) - term["mean"]) / term["sd"]
