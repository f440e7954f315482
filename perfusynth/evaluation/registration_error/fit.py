"""The model behind `error_probability`: logistic, its signs as they must be, its penalty chosen on other pairs."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy import optimize

from perfusynth.evaluation.registration_error.study import is_wrong
from perfusynth.registration.error_probability import SCALES, WRONG_MM, held, logistic

#: Figure -> whether more of it makes an error more probable (1) or less (-1). A worse figure never lowers the
#: probability, so that a pair unlike all simulated ones is not called right because a weight happened to be odd.
#: ``overlap`` is no term: it is 1 in nearly all simulated pairs.
SIGNS: dict[str, int] = {
    "nmi": -1,
    "nmi_margin": -1,
    "bone_correlation": -1,
    "bone_distance_mm": 1,
    "edge_agreement": -1,
    "brain_correlation": -1,
    "brain_dice": -1,
    "restart_spread_mm": 1,
}
#: Scale on which a figure enters; all others enter as they are.
SCALE: dict[str, str] = {
    "bone_correlation": "shortfall",
    "bone_distance_mm": "distance",
    "edge_agreement": "shortfall",
    "brain_correlation": "shortfall",
    "brain_dice": "shortfall",
    "restart_spread_mm": "distance",
}
#: Weights of the quadratic penalty on standardised coefficients, summed over pairs, that are tried.
PENALTIES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
#: Digits that are written down.
DIGITS = 5

Rows = Sequence[Mapping[str, Any]]


def fit_model(fit: Rows, check: Rows) -> dict[str, Any]:
    """Coefficients from the pairs of ``fit``, with the penalty that gives those of ``check`` the least log loss.

    Returns
    -------
    ``event``, ``terms`` and ``intercept`` as `perfusynth.registration.error_probability.logistic` takes them,
    ``penalty``.
    """
    models = [_fitted(fit, penalty) for penalty in PENALTIES]
    return min(models, key=lambda model: log_loss(probabilities(model, check), [is_wrong(row) for row in check]))


def probabilities(model: Mapping[str, Any], rows: Rows) -> list[float]:
    """What a model says of each pair."""
    return [logistic(model["terms"], model["intercept"], row["figures"]) for row in rows]


def log_loss(found: Sequence[float], wrong: Sequence[bool]) -> float:
    """Mean negative log likelihood of the events, nats."""
    p = np.clip(found, 1e-6, 1 - 1e-6)
    return float(-np.where(wrong, np.log(p), np.log(1 - p)).mean())


def _fitted(rows: Rows, penalty: float) -> dict[str, Any]:
    terms = {name: _term([row["figures"][name] for row in rows], SCALE.get(name, "linear")) for name in SIGNS}
    values = np.array([[held(row["figures"][name], term) for name, term in terms.items()] for row in rows])
    wrong = np.array([is_wrong(row) for row in rows], dtype=float)

    def loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        weights, scores = parameters[1:], parameters[0] + values @ parameters[1:]
        total = (np.logaddexp(0, scores) - wrong * scores).sum() + penalty * (weights**2).sum()
        residual = 1 / (1 + np.exp(-np.clip(scores, -500, 500))) - wrong
        return float(total), np.array([residual.sum(), *(values.T @ residual + 2 * penalty * weights)])

    bounds = [(None, None), *(((0, None) if sign > 0 else (None, 0)) for sign in SIGNS.values())]
    best = optimize.minimize(loss, np.zeros(1 + len(terms)), jac=True, bounds=bounds, method="L-BFGS-B")
    for term, weight in zip(terms.values(), best.x[1:], strict=True):
        term["weight"] = round(float(weight), DIGITS)
    return {
        "event": f"mean target registration error above {WRONG_MM:g} mm",
        "intercept": round(float(best.x[0]), DIGITS),
        "terms": {name: term for name, term in terms.items() if term["weight"] != 0},
        "penalty": penalty,
    }


def _term(values: Sequence[float], scale: str) -> dict[str, Any]:
    """Where a figure is held, and how it is standardised."""
    scaled = [SCALES[scale](value) for value in values]
    found = {"mean": np.mean(scaled), "sd": np.std(scaled) or 1.0, "low": min(values), "high": max(values)}
    return {"scale": scale} | {name: round(float(value), DIGITS) for name, value in found.items()}
